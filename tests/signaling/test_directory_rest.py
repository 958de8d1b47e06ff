from tests.signaling.house import House


async def test_the_tree_has_parents_before_children(house: House) -> None:
    async with house.ask("GET", "/api/units", "operator") as response:
        units = (await response.json())["units"]
    seen: set[str | None] = {None}
    for unit in units:
        assert unit["parent_id"] in seen
        assert unit["path"][-1] == unit["name"]
        seen.add(unit["unit_id"])
    assert len({unit["level"] for unit in units}) == 3, "the names of the tiers"


async def test_endpoints_of_a_unit(house: House) -> None:
    async with house.ask("GET", "/api/endpoints", "chair") as response:
        everything = (await response.json())["endpoints"]
    assert {house.seat(number) for number in range(4)} <= {one["endpoint_id"] for one in everything}
    one = next(one for one in everything if one["endpoint_id"] == house.seat(1))
    assert one["kind"] == "room"
    async with house.ask("GET", f"/api/endpoints?unit={one['unit_id']}", "chair") as response:
        assert (await response.json())["endpoints"] == [one]
    async with house.ask("GET", "/api/endpoints?unit=unt_none", "chair") as response:
        assert (await response.json())["endpoints"] == []


async def test_it_is_not_for_everybody(house: House) -> None:
    for path in ("/api/units", "/api/endpoints"):
        for who in ("endpoint1", "observer", "archivist"):
            assert await house.problem("GET", path, who) == (403, "not_allowed")
