import pytest

from server.directory.endpoints import EndpointKind
from server.errors import Conflict, InvalidInput, NotFound
from tests.support.house import House


async def test_endpoints_are_listed_by_place_and_name(house: House) -> None:
    box = await house.endpoints.create("Hội trường", house.north.unit_id, EndpointKind.HARDWARE, "mã hóa phần cứng")

    assert [endpoint.name for endpoint in await house.endpoints.list()] == [
        "Hội trường",
        "UBND huyện Bắc",
        "UBND huyện Nam",
        "Bàn chủ tọa",
        "Phòng họp UBND tỉnh",
    ]
    assert [endpoint.name for endpoint in await house.endpoints.list(house.north.unit_id)] == [
        "Hội trường",
        "UBND huyện Bắc",
    ]
    assert len(await house.endpoints.list(house.province.unit_id)) == 5
    assert await house.endpoints.list("unt_none") == ()
    assert (await house.endpoints.get(box.endpoint_id)) == box
    assert await house.endpoints.find("Hội trường", house.north.unit_id) == box
    assert await house.endpoints.find("Hội trường", house.south.unit_id) is None
    assert (box.kind, box.notes, box.unit_path) == (
        EndpointKind.HARDWARE,
        "mã hóa phần cứng",
        ("Tỉnh Điện Sơn", "Huyện Bắc"),
    )


async def test_names_are_unique_within_a_unit(house: House) -> None:
    await house.endpoints.create("Hội trường", house.north.unit_id)
    other = await house.endpoints.create("Hội trường", house.south.unit_id)

    with pytest.raises(Conflict) as caught:
        await house.endpoints.create("Hội trường", house.north.unit_id)
    with pytest.raises(Conflict):
        await house.endpoints.rename(other.endpoint_id, "UBND huyện Nam")

    assert caught.value.code == "endpoint_taken"
    assert (await house.endpoints.rename(other.endpoint_id, "Phòng họp số 2")).name == "Phòng họp số 2"


async def test_bad_input_and_unknown_ids_are_refused(house: House) -> None:
    with pytest.raises(InvalidInput):
        await house.endpoints.create("", house.north.unit_id)
    with pytest.raises(InvalidInput):
        await house.endpoints.create("Hội trường", house.north.unit_id, notes="x" * 10_001)
    with pytest.raises(NotFound) as unit:
        await house.endpoints.create("Hội trường", "unt_none")
    with pytest.raises(NotFound) as renamed:
        await house.endpoints.rename("ept_none", "Hội trường")
    with pytest.raises(NotFound) as got:
        await house.endpoints.get("ept_none")

    assert [error.value.code for error in (unit, renamed, got)] == [
        "unit_unknown",
        "endpoint_unknown",
        "endpoint_unknown",
    ]
