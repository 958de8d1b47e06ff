"""The list of Debian packages, and what a person is told when one is missing."""

import shutil

import pytest

from scripts.debian import LIST, SetupFailed, ensure_packages, listed_packages, missing_packages

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="not a Debian system")
SAMPLE = "# a comment\n\nrun fonts\nbench gcc\ntest chromium  # why\ntest ffmpeg\n"


@pytest.mark.parametrize(
    ("target", "packages"),
    [("run", ["fonts"]), ("bench", ["fonts", "gcc"]), ("test", ["fonts", "gcc", "chromium", "ffmpeg"])],
)
def test_each_target_asks_for_its_own(target: str, packages: list[str]) -> None:
    assert listed_packages(SAMPLE, target) == packages


@pytest.mark.parametrize("line", ["chromium", "build gcc", "test a b"])
def test_an_unreadable_line_is_named(line: str) -> None:
    with pytest.raises(SetupFailed, match=line):
        listed_packages(line, "test")


def test_make_run_asks_for_no_compiler() -> None:
    listed = LIST.read_text("utf-8")
    assert "gcc" not in listed_packages(listed, "run")
    assert "gcc" in listed_packages(listed, "bench")


def test_make_bench_asks_for_no_browser() -> None:
    listed = LIST.read_text("utf-8")
    assert "chromium" not in listed_packages(listed, "bench")
    assert {"chromium", "firefox-esr"} <= set(listed_packages(listed, "test"))


@needs_dpkg
def test_missing_is_what_dpkg_does_not_have() -> None:
    assert missing_packages(["dpkg", "no-such-package-here"]) == ["no-such-package-here"]
    assert missing_packages([]) == []


@needs_dpkg
def test_without_root_the_command_to_type_is_shown() -> None:
    with pytest.raises(SetupFailed, match="sudo apt-get install -y --no-install-recommends no-such-package-here"):
        ensure_packages(["dpkg", "no-such-package-here"], "A test", as_root=False)


@needs_dpkg
def test_nothing_missing_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    ensure_packages(["dpkg"], "A test")
    assert capsys.readouterr().out == ""
