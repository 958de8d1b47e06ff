"""The lock files belong to pyproject.toml, pin everything with hashes, and name no place they came from."""

import copy
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from scripts.debian import SetupFailed
from scripts.lock import PYPROJECT, RUNTIME_LOCK, TEST_LOCK, inputs_digest, locked_block, recorded_digest, stale_locks
from scripts.python_env import NODE_PACKAGE

LOCKS = [RUNTIME_LOCK, TEST_LOCK]


def _pyproject() -> dict[str, Any]:
    return tomllib.loads(PYPROJECT.read_text("utf-8"))


def _pins(lock_text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock_text, re.MULTILINE))


def test_lock_files_belong_to_todays_pyproject() -> None:
    assert stale_locks() == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_pins_every_package_with_a_hash_and_names_no_place(lock: Any) -> None:
    text = lock.read_text("utf-8")
    pins = _pins(text)
    assert len(pins) > 30
    for name in pins:
        assert "--hash=sha256:" in locked_block(text, name), name
    assert "://" not in text
    assert not re.search(r"(^|\s)/\w", text), "a local path"


def test_runtime_lock_has_the_versions_that_are_tested() -> None:
    tested = _pins(TEST_LOCK.read_text("utf-8"))
    assert _pins(RUNTIME_LOCK.read_text("utf-8")).items() <= tested.items()


def test_locked_versions_satisfy_pyproject() -> None:
    project = _pyproject()["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    pins = _pins(TEST_LOCK.read_text("utf-8"))
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[requirement.name.lower()], prereleases=True), str(requirement)


@pytest.mark.parametrize(
    "change",
    [
        lambda tables: tables["project"]["dependencies"].append("six"),
        lambda tables: tables["project"]["optional-dependencies"]["test"].pop(),
        lambda tables: tables["build-system"]["requires"].append("wheel"),
        lambda tables: tables["project"].update({"requires-python": ">=3.12"}),
    ],
)
def test_any_change_of_what_is_installed_makes_the_locks_stale(change: Any) -> None:
    tables = copy.deepcopy(_pyproject())
    change(tables)
    assert inputs_digest(tables) != recorded_digest(TEST_LOCK.read_text("utf-8"))


def test_other_changes_of_pyproject_do_not() -> None:
    tables = copy.deepcopy(_pyproject())
    tables["project"]["description"] = "another"
    assert inputs_digest(tables) == inputs_digest(_pyproject())


def test_a_lock_without_a_digest_is_stale() -> None:
    assert recorded_digest("aiohttp==3.14.5\n") == ""


def test_locked_block_is_one_package_alone() -> None:
    block = locked_block(TEST_LOCK.read_text("utf-8"), NODE_PACKAGE)
    assert block.startswith(f"{NODE_PACKAGE}==24.")
    assert len(re.findall(r"^\S.*==", block, re.MULTILINE)) == 1


def test_locked_block_of_a_stranger_says_so() -> None:
    with pytest.raises(SetupFailed, match="no-such-thing"):
        locked_block("a==1 \\\n    --hash=sha256:00\n", "no-such-thing")
