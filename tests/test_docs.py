"""The documents stay true: names in them exist, links lead somewhere, tables are those of the code."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.config import Config

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def _text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


# --- journeys --------------------------------------------------------------------------------------------------------


def _places(text: str) -> list[str]:
    """Every `path.py`, `path.ts` or `path.py:Name.name` in backquotes that has a folder in front."""
    return sorted(set(re.findall(r"`((?:server|web|tests|scripts)/[\w./-]+\.(?:py|ts|vue)(?::[\w.]+)?)`", text)))


def _defined(source: Path) -> set[str]:
    """Names defined in a Python file: functions, classes, constants and, with a dot, what classes define."""

    def names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield prefix + node.name
                case ast.ClassDef():
                    yield prefix + node.name
                    yield from names(node.body, f"{prefix}{node.name}.")
                case ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name)):
                    yield prefix + name

    return set(names(ast.parse(source.read_text("utf-8")).body, ""))


@pytest.mark.parametrize("place", _places(_text("docs/journeys.md")))
def test_places_named_in_the_journeys_exist(place: str) -> None:
    path, _, name = place.partition(":")
    source = ROOT / path
    assert source.is_file(), path
    if name and source.suffix == ".py":
        assert name in _defined(source), f"{path} defines no {name}"
    elif name:
        assert re.search(rf"\b{re.escape(name.rpartition('.')[2])}\b", source.read_text("utf-8")), place


def test_the_journeys_name_the_places_they_pass() -> None:
    named = {place.partition(":")[0] for place in _places(_text("docs/journeys.md"))}
    for room in ("transport", "sfu", "hub", "room", "signaling", "store"):
        assert any(path.startswith(f"server/{room}/") for path in named), room


# --- dependencies ----------------------------------------------------------------------------------------------------


def _documented(*headings: str) -> list[str]:
    """First cells of the table rows under these headings of docs/dependencies.md."""
    rows = []
    for section in re.split(r"^## ", _text("docs/dependencies.md"), flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        if heading in headings:
            rows += re.findall(r"^\| ([^|]+?) \|", body, re.MULTILINE)[1:]
    return sorted(rows)


def _required(lines: list[str]) -> list[str]:
    return sorted(re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0] for line in lines)


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(_text("pyproject.toml"))["project"]
    return project


def test_every_python_dependency_has_its_line_and_every_line_its_dependency() -> None:
    assert _documented("Python, the server") == _required(_project()["dependencies"])


@pytest.mark.parametrize("extra", sorted(_project()["optional-dependencies"]))
def test_every_extra_has_its_lines(extra: str) -> None:
    assert _documented(f"Python, extra `{extra}`") == _required(_project()["optional-dependencies"][extra])


@pytest.mark.parametrize(
    ("heading", "key"),
    [("Web client", "dependencies"), ("Web client, to build and check it", "devDependencies")],
)
def test_every_web_dependency_has_its_line(heading: str, key: str) -> None:
    assert _documented(heading) == sorted(json.loads(_text("web/package.json"))[key])


@pytest.mark.parametrize("row", re.findall(r"^\| .+\|$", _text("docs/dependencies.md"), re.MULTILINE))
def test_every_line_says_what_for_and_its_licence(row: str) -> None:
    _name, purpose, _why_not_ours, licence = (cell.strip() for cell in row.strip("|").split("|"))
    assert purpose
    assert licence


# --- links -----------------------------------------------------------------------------------------------------------


def _anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text("utf-8")), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _links(page: Path) -> list[str]:
    return [
        link
        for link in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text("utf-8")))
        if not re.match(r"[a-z]+:", link)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), f"{link} leads out of the project"
        if anchor:
            assert anchor in _anchors(target), link


def test_the_pages_link_to_each_other() -> None:
    assert sum(len(_links(page)) for page in PAGES) > 10


def test_every_decision_is_in_the_index() -> None:
    decisions = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    assert decisions
    assert decisions <= set(_links(ROOT / "docs/adr/README.md"))


# --- commands and settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_in_the_text_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", _text(page), re.MULTILINE))
    assert named
    assert named <= targets


def _settings(settings: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, msgspec.Struct):
            yield from _settings(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| `([^`]*)` \|", _text("README.md"), re.MULTILINE)
    documented = {name: default.replace("_", "") if default[:1].isdigit() else default for name, default in rows}
    assert documented == {name: _toml(value) for name, value in _settings(Config())}


def _toml(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return json.dumps(list(value))
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)
