"""A fresh house for every test, from one filled database."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.config import Config, HttpConfig
from server.demo.result import DemoResult
from tests.signaling.house import House, copy_template, make_template

OpenHouse = Callable[[HttpConfig], House]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoResult]:
    folder = tmp_path_factory.mktemp("template")
    return folder, make_template(folder)


@pytest.fixture
def open_house(template: tuple[Path, DemoResult], tmp_path: Path) -> OpenHouse:
    """Build a house with limits of its own: ``async with open_house(HttpConfig(...)) as house``."""

    def build(http: HttpConfig) -> House:
        copy_template(template[0], tmp_path)
        return House(tmp_path, template[1], Config(http=http))

    return build


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[House]:
    async with open_house(HttpConfig()) as opened:
        yield opened
