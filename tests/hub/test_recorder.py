"""What the hub gives to a recording, and what it makes of the writer's words. The writer is a real process."""

from server.recording.events import Closed, FloorEnded, Granted, Opened, Presence, Resumed
from server.recording.log import read_log
from server.room.commands import GrantFloor, RevokeFloor, StartRecording, StopRecording
from server.room.views import MeetingView
from tests.hub.hall import Ear, Hall


def recording_of(ear: Ear) -> object:
    """As it was told last."""
    return [each.recording for each in ear.sections if isinstance(each, MeetingView)][-1]


async def test_a_recording_has_its_log_its_book_entry_and_its_signature(hall: Hall) -> None:
    chair = await hall.moderator()
    await hall.attend(hall.endpoint(0))
    _, ear = await hall.attend(hall.endpoint(1))
    view = await hall.hub.command(hall.meeting, chair, StartRecording())
    assert view.meeting.recording is not None
    recording_id = view.meeting.recording.recording_id
    await hall.hub.command(hall.meeting, chair, GrantFloor(hall.seat(1)))
    await hall.hub.command(hall.meeting, chair, RevokeFloor(hall.seat(1)))
    await hall.hub.stop_recording(hall.meeting, chair)

    assert recording_of(ear) is None
    assert hall.book.entries == [("opened", recording_id), ("stopped", recording_id)]
    events = [line.event for line in read_log(hall.recordings / recording_id)]
    assert isinstance(events[0], Opened)
    assert events[0].started_by == chair.name
    assert isinstance(events[-1], Closed)
    assert events[-1].signature
    turns = [event for event in events if isinstance(event, Granted | FloorEnded)]
    main, branch = hall.seat(0), hall.seat(1)
    assert turns == [Granted(main, by_right=True), Granted(branch), FloorEnded(branch)]
    assert [event.seat_id for event in events if isinstance(event, Presence)] == [main, branch]


async def test_it_goes_on_after_a_restart_in_the_same_folder(hall: Hall) -> None:
    chair = await hall.moderator()
    await hall.attend(hall.endpoint(0))
    view = await hall.hub.command(hall.meeting, chair, StartRecording())
    assert view.meeting.recording is not None
    folder = hall.recordings / view.meeting.recording.recording_id
    await hall.stop()
    await hall.start()
    await hall.hub.stop_recording(hall.meeting, chair)
    events = [line.event for line in read_log(folder)]
    assert [type(event) for event in events].count(Opened) == 1
    assert [type(event) for event in events].count(Resumed) == 1
    assert isinstance(events[-1], Closed)


async def test_too_few_hours_left_are_told_to_moderators(hall: Hall) -> None:
    """The hall's house takes any disk for too small."""
    chair = await hall.moderator()
    _, ear = await hall.attend(chair)
    await hall.hub.command(hall.meeting, chair, StartRecording())
    await ear.until(lambda ear: ("disk_low", True) in ear.alarms)
    await hall.hub.command(hall.meeting, chair, StopRecording())
    await ear.until(lambda ear: ("disk_low", False) in ear.alarms)
