import pytest

from server.store.audit import AuditLine, AuditLog, write_line
from server.store.store import Store


async def test_lines_come_back_newest_first(store: Store) -> None:
    log = AuditLog(store)
    lines = [AuditLine(float(at), "grant", f"acc_{at}", "10.0.0.1", "ept_1", "Kính mời") for at in range(5)]
    for line in lines:
        await log.append(line)

    assert await log.latest(3) == [lines[4], lines[3], lines[2]]


async def test_a_line_is_not_written_for_what_did_not_happen(store: Store) -> None:
    async def fail() -> None:
        async with store.write() as session:
            await write_line(session, AuditLine(1.0, "grant"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await AuditLog(store).latest() == []


async def test_fields_are_cut_to_what_the_table_takes(store: Store) -> None:
    log = AuditLog(store)
    await log.append(AuditLine(1.0, "a" * 500, None, "r" * 500, "t" * 500, "d" * 500))

    (line,) = await log.latest()

    assert (len(line.action), len(line.remote), len(line.target), len(line.detail)) == (200, 100, 200, 500)
