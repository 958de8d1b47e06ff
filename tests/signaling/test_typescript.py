import msgspec
import pytest

from server.signaling import typescript
from server.signaling.typescript import OUTPUT, render


def test_the_checked_in_file_is_fresh() -> None:
    """Run ``python -m server.signaling.typescript`` after a change of the wire."""
    assert OUTPUT.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize(
    "piece",
    [
        "export const PROTOCOL_VERSION = 1;",
        'export interface Hello {\n  readonly type: "hello";\n  readonly version: number;\n  readonly client?: string;',
        "  readonly resume?: string | null;",
        "  readonly command: PersonCommand;",
        "export interface SlotFeed {\n  readonly mid: string;\n  readonly seat_id: string | null;",
        "  readonly pinned?: readonly string[];",
        "  readonly holders: readonly HolderView[];",
        'export const FLOOR_MODE_VALUES = ["lecture", "discussion", "open"] as const;',
        "export type FloorMode = (typeof FLOOR_MODE_VALUES)[number];",
        "export type FromServer =\n  | Alarm\n",
        " * Give the floor, with or without a request. `duration_s` null: until withdrawn.",
    ],
)
def test_pieces(piece: str) -> None:
    assert piece in render()


def test_what_the_server_sends_has_every_field() -> None:
    received = render().split("export interface Refusal {")[1].split("}")[0]
    assert "?" not in received


def test_a_type_with_defaults_may_not_travel_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    class Both(msgspec.Struct):
        field: int = 0

    monkeypatch.setattr(typescript, "FROM_CLIENT", (Both,))
    monkeypatch.setattr(typescript, "FROM_SERVER", (Both,))
    with pytest.raises(ValueError, match="Both"):
        render()


def test_lists_of_unions() -> None:
    class Odd(msgspec.Struct):
        numbers: list[int | None]

    info = msgspec.inspect.type_info(Odd)
    assert isinstance(info, msgspec.inspect.StructType)
    assert "readonly (number | null)[]" in typescript._interface(info, may_omit=False)


def test_main_writes_the_file(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path_factory.mktemp("web") / "src" / "types.gen.ts"
    typescript.main(output)
    assert output.read_text(encoding="utf-8") == render()
    assert "types.gen.ts" in capsys.readouterr().out
