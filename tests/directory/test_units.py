import pytest

from server.errors import Conflict, InvalidInput, NotFound
from tests.support.house import House


async def test_the_tree_is_listed_parents_first_and_siblings_in_order(house: House) -> None:
    (tier, district) = await house.units.levels()
    commune = await house.units.create("Xã A Pa", district.level_id, house.north.unit_id)

    assert [unit.path for unit in await house.units.list()] == [
        ("Tỉnh Điện Sơn",),
        ("Tỉnh Điện Sơn", "Văn phòng UBND tỉnh"),
        ("Tỉnh Điện Sơn", "Huyện Bắc"),
        ("Tỉnh Điện Sơn", "Huyện Bắc", "Xã A Pa"),
        ("Tỉnh Điện Sơn", "Huyện Nam"),
    ]
    assert await house.units.get(commune.unit_id) == commune
    assert await house.units.find("Xã A Pa", house.north.unit_id) == commune
    assert await house.units.find("Tỉnh Điện Sơn") == house.province
    assert await house.units.find("Xã A Pa") is None
    assert (tier.rank, tier.name, district.rank, district.name) == (1, "Tỉnh", 2, "Huyện")


async def test_names_are_unique_among_siblings_only(house: House) -> None:
    level_id = house.north.level_id
    await house.units.create("Xã Tân Lập", level_id, house.north.unit_id)
    await house.units.create("Xã Tân Lập", level_id, house.south.unit_id)

    for parent_id, name in [(house.north.unit_id, "Xã Tân Lập"), (None, "Tỉnh Điện Sơn")]:
        with pytest.raises(Conflict) as caught:
            await house.units.create(name, level_id, parent_id)
        assert caught.value.code == "unit_taken"


async def test_a_unit_is_renamed_with_everything_below_it(house: House) -> None:
    renamed = await house.units.rename(house.province.unit_id, "Tỉnh Điện Sơn mới")

    assert renamed.path == ("Tỉnh Điện Sơn mới",)
    assert (await house.units.get(house.north.unit_id)).path == ("Tỉnh Điện Sơn mới", "Huyện Bắc")
    assert await house.units.rename(house.north.unit_id, "Huyện Bắc") == await house.units.get(house.north.unit_id)
    with pytest.raises(Conflict):
        await house.units.rename(house.north.unit_id, "Huyện Nam")


async def test_bad_input_is_refused(house: House) -> None:
    level_id, units = house.north.level_id, house.units
    for attempt, code in [
        (units.create("", level_id), "bad_text"),
        (units.rename(house.north.unit_id, "a\nb"), "bad_text"),
        (units.create_level(0, "Trung ương"), "bad_rank"),
        (units.create_level(3, ""), "bad_text"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            await attempt
        assert caught.value.code == code
    with pytest.raises(Conflict) as taken:
        await units.create_level(1, "Tỉnh khác")
    assert taken.value.code == "level_taken"


async def test_what_is_not_there_is_not_found(house: House) -> None:
    level_id, units = house.north.level_id, house.units
    for attempt, code in [
        (units.create("Xã", "lvl_none"), "level_unknown"),
        (units.create("Xã", level_id, "unt_none"), "unit_unknown"),
        (units.rename("unt_none", "Xã"), "unit_unknown"),
        (units.get("unt_none"), "unit_unknown"),
    ]:
        with pytest.raises(NotFound) as caught:
            await attempt
        assert caught.value.code == code
