"""Retention classes, counted from the end, and legal holds."""

from datetime import UTC, datetime

import pytest

from server.archive.keeping import end_of_keeping
from server.errors import Conflict, InvalidInput, NotFound
from server.store.audit import AuditLog
from tests.archive.conftest import Place
from tests.archive.recorded import STARTS_AT, write_recording

RID = "rec_abcdefgh23456789"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("ended", "years", "days", "until"),
    [
        ("2026-11-24T03:00:00", 10, None, "2036-11-24T03:00:00"),
        ("2024-02-29T12:00:00", 5, None, "2029-02-28T12:00:00"),
        ("2024-02-29T12:00:00", 4, None, "2028-02-29T12:00:00"),
        ("2026-12-31T23:59:59", None, 70, "2027-03-11T23:59:59"),
        ("2026-11-24T03:00:00", 70, None, "2096-11-24T03:00:00"),
    ],
)
def test_the_end_of_keeping(ended: str, years: int | None, days: int | None, until: str) -> None:
    assert end_of_keeping(at(ended), years, days) == at(until)


def test_for_ever_has_no_end() -> None:
    assert end_of_keeping(at("2026-11-24T03:00:00"), None, None) is None


@pytest.fixture
async def kept(place: Place) -> Place:
    write_recording(place.recordings_dir, place.key)
    await place.archive._catalogue.reconcile()
    return place


async def test_classes_are_data_with_a_default(place: Place) -> None:
    classes = await place.archive.finder.classes()
    assert classes.default == "years_10"
    assert [(one.retention_class, one.name) for one in classes.classes][:2] == [
        ("permanent", "Vĩnh viễn"),
        ("years_70", "70 năm"),
    ]
    assert {"years_10", "years_5", "days_70"} <= {one.retention_class for one in classes.classes}


async def test_a_recording_is_kept_as_its_class_says_from_its_end(kept: Place) -> None:
    detail = await kept.archive.finder.show(kept.visitor, RID)
    assert detail.retention.keep_until == end_of_keeping(STARTS_AT + 60.0, 10, None)
    await kept.archive.keeper.keep(kept.visitor, RID, "days_30", False, "")
    detail = await kept.archive.finder.show(kept.visitor, RID)
    assert detail.retention.keep_until == STARTS_AT + 60.0 + 30 * 86_400
    await kept.archive.keeper.keep(kept.visitor, RID, "permanent", False, "")
    detail = await kept.archive.finder.show(kept.visitor, RID)
    assert (detail.retention.retention_class, detail.retention.keep_until) == ("permanent", None)
    await kept.archive._catalogue.refresh(RID)
    assert (await kept.archive.finder.show(kept.visitor, RID)).retention == detail.retention


async def test_what_has_expired_is_proposed_and_a_hold_takes_it_back(kept: Place) -> None:
    await kept.archive.keeper.keep(kept.visitor, RID, "days_30", False, "")
    assert await kept.found(state="expired") == []
    kept.clock.at = STARTS_AT + 60.0 + 30 * 86_400
    (found,) = (await kept.find(state="expired")).recordings
    assert found.retention.expired
    await kept.archive.keeper.keep(kept.visitor, RID, "days_30", True, "Thanh tra tỉnh")
    assert await kept.found(state="expired") == []
    assert not (await kept.find()).recordings[0].retention.expired


async def test_a_hold_says_why_since_when_and_by_whom(kept: Place) -> None:
    await kept.archive.keeper.keep(kept.visitor, RID, "years_10", True, " Thanh tra tỉnh ")
    hold = (await kept.archive.finder.show(kept.visitor, RID)).hold
    assert hold is not None
    assert (hold.reason, hold.placed_at, hold.placed_by) == ("Thanh tra tỉnh", kept.clock.at, "Archivist")
    with pytest.raises(Conflict) as held:
        await kept.archive.keeper.destroy(kept.visitor, RID, "hết hạn")
    assert held.value.code == "legal_hold"
    await kept.archive.keeper.keep(kept.visitor, RID, "years_10", True, "")  # nothing to change, no reason to give
    await kept.archive.keeper.keep(kept.visitor, RID, "years_10", False, "Kết luận thanh tra 12/KL")
    detail = await kept.archive.finder.show(kept.visitor, RID)
    assert (detail.hold, detail.retention.legal_hold) == (None, False)
    lines = [(line.action, line.detail) for line in reversed(await AuditLog(kept.house.store).latest(100))]
    assert [line for line in lines if line[0].startswith("recording_hold")] == [
        ("recording_hold_placed", " Thanh tra tỉnh "),
        ("recording_hold_lifted", "Kết luận thanh tra 12/KL"),
    ]


async def test_what_is_refused(kept: Place) -> None:
    keep = kept.archive.keeper.keep
    with pytest.raises(NotFound, match="no such retention class"):
        await keep(kept.visitor, RID, "years_11", False, "")
    for reason in ("", "  "):
        with pytest.raises(InvalidInput) as missing:
            await keep(kept.visitor, RID, "years_10", True, reason)
        assert missing.value.code == "reason_missing"
    with pytest.raises(InvalidInput):
        await keep(kept.visitor, RID, "years_10", True, "a\nb")
    assert (await kept.find()).recordings[0].retention.legal_hold is False
