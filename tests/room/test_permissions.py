"""Every role calls every command, and gets exactly what the table in docs/roles.md says (SCENARIOS row 33)."""

from itertools import product
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from server.errors import Conflict, Forbidden
from server.room import commands, permissions
from server.room.commands import MODERATING, Actor, Command, MeetingRole, PersonCommand, SystemCommand
from server.room.permissions import TABLE, tag_of
from server.room.room import RULES
from server.room.views import Presence
from server.signaling.messages import Ask
from tests.room.virtual_meeting import (
    CHAIR,
    DEPUTY,
    MAIN,
    OBSERVER,
    OPERATOR,
    SECOND_DEPUTY,
    SYSTEM,
    A,
    B,
    C,
    D,
    VirtualMeeting,
    small_setup,
)

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"

# One of each, such that it is accepted from whoever may give it in the meeting that ``meeting_for`` prepares.
EXAMPLES: dict[str, PersonCommand] = {
    "request_floor": commands.RequestFloor("Kinh phí"),
    "cancel_request": commands.CancelRequest(),
    "release_floor": commands.ReleaseFloor(),
    "set_devices": commands.SetDevices(mic_muted=True, camera_off=True),
    "set_screen": commands.SetScreen(sharing=True),
    "say": commands.Say("Xin chào"),
    "grant_floor": commands.GrantFloor("c"),
    "deny_request": commands.DenyRequest("c"),
    "revoke_floor": commands.RevokeFloor("b"),
    "extend_floor": commands.ExtendFloor("b", 30.0),
    "move_request": commands.MoveRequest("c", 0),
    "set_priority": commands.SetPriority("c", 4),
    "mute_all": commands.MuteAll(),
    "unmute_by_right": commands.UnmuteByRight(),
    "set_mode": commands.SetMode(commands.FloorMode.OPEN),
    "set_lock": commands.SetLock(locked=True),
    "set_lobby": commands.SetLobby(lobby=True),
    "admit": commands.Admit("e"),
    "remove_seat": commands.RemoveSeat("d"),
    "set_stage": commands.SetStage(commands.LayoutName.GRID_4),
    "start_recording": commands.StartRecording(),
    "stop_recording": commands.StopRecording(),
    "end_meeting": commands.EndMeeting(),
}
# What the seat of the one who asks needs for it.
NEEDS_REQUEST = {"cancel_request"}
NEEDS_FLOOR = {"release_floor", "set_screen"}
ACTORS = {actor.role: actor for actor in (CHAIR, DEPUTY, OPERATOR, A, OBSERVER)}


def read_table() -> dict[tuple[str, MeetingRole], str]:
    """(command, role) -> yes, acting, seat or no, as a reader of the page sees it."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        for line in PAGE.read_text().partition("\n## The archive\n")[0].splitlines()
        if line.startswith("|")
    ]
    roles = [MeetingRole(name) for name in rows[0][1:]]
    return {(row[0], role): cell for row in rows[2:] for role, cell in zip(roles, row[1:], strict=True)}


PAGE_TABLE = read_table()


def meeting_for(tag: str, actor: Actor, *, joined: bool, chaired_by: Actor | None) -> VirtualMeeting:
    """B holds a timed floor, D and C wait for it, the main endpoint is muted; then whoever is asked for joins."""
    meeting = VirtualMeeting(small_setup("abcde", mode=commands.FloorMode.DISCUSSION))
    meeting.join(MAIN, B, C, D)
    meeting.do(D, commands.RequestFloor())
    meeting.do(C, commands.RequestFloor())
    meeting.do(CHAIR, commands.GrantFloor("b", 60.0))
    meeting.do(CHAIR, commands.RevokeFloor("main"))
    if tag == "stop_recording":
        meeting.do(CHAIR, commands.StartRecording())
    if joined:
        meeting.join(actor)
    has_seat = meeting.presence("a") is Presence.PRESENT
    if has_seat and tag in NEEDS_REQUEST:
        meeting.do(A, commands.RequestFloor())
    if has_seat and tag in NEEDS_FLOOR:
        meeting.do(CHAIR, commands.GrantFloor("a"))
    if chaired_by is not None:
        meeting.join(chaired_by)
    assert meeting.room.acting_chair == (None if chaired_by is None else chaired_by.account_id)
    return meeting


def without_seat(actor: Actor) -> Actor:
    return msgspec.structs.replace(actor, seat_id=None)


def with_seat(actor: Actor) -> Actor:
    return msgspec.structs.replace(actor, seat_id="a")


def cells(*wanted: str) -> list[tuple[str, MeetingRole]]:
    return [place for place, cell in PAGE_TABLE.items() if cell in wanted]


def test_the_page_has_every_command_and_every_role() -> None:
    tags = [tag_of(kind) for kind in get_args(PersonCommand)]
    people = [role for role in MeetingRole if role is not MeetingRole.SYSTEM]
    assert list(PAGE_TABLE) == list(product(tags, people))
    assert set(PAGE_TABLE.values()) == {"yes", "acting", "seat", "no"}
    assert list(EXAMPLES) == tags


def test_the_page_and_the_code_have_the_same_table() -> None:
    for kind in get_args(PersonCommand):
        for role in ACTORS:
            right = TABLE[kind].get(role)
            assert PAGE_TABLE[tag_of(kind), role] == ("no" if right is None else right.value)


@pytest.mark.parametrize(("tag", "role"), cells("yes"))
def test_yes_is_always(tag: str, role: MeetingRole) -> None:
    actor = without_seat(ACTORS[role])
    for chaired_by in (None, SECOND_DEPUTY, CHAIR):
        meeting = meeting_for(tag, actor, joined=False, chaired_by=chaired_by)
        assert meeting.do(actor, EXAMPLES[tag])


@pytest.mark.parametrize(("tag", "role"), cells("acting"))
def test_acting_is_only_for_the_acting_chair(tag: str, role: MeetingRole) -> None:
    actor = ACTORS[role]
    assert meeting_for(tag, actor, joined=True, chaired_by=actor).do(actor, EXAMPLES[tag])
    for chaired_by in (None, SECOND_DEPUTY, CHAIR):
        meeting = meeting_for(tag, actor, joined=False, chaired_by=chaired_by)
        meeting.refuse(actor, EXAMPLES[tag], Forbidden, "not_acting_chair")
    meeting = meeting_for(tag, actor, joined=True, chaired_by=CHAIR)
    meeting.refuse(actor, EXAMPLES[tag], Forbidden, "not_acting_chair")


@pytest.mark.parametrize(("tag", "role"), cells("seat"))
def test_seat_is_only_from_a_seat_of_ones_own_that_is_in(tag: str, role: MeetingRole) -> None:
    actor = with_seat(ACTORS[role])
    chaired_by = actor if role in MODERATING else None
    assert meeting_for(tag, actor, joined=True, chaired_by=chaired_by).do(actor, EXAMPLES[tag])
    meeting = meeting_for(tag, actor, joined=False, chaired_by=None)
    meeting.refuse(actor, EXAMPLES[tag], Conflict, "not_joined")
    meeting.refuse(without_seat(actor), EXAMPLES[tag], Forbidden, "no_seat")


@pytest.mark.parametrize(("tag", "role"), cells("no"))
def test_no_is_never(tag: str, role: MeetingRole) -> None:
    for actor in (without_seat(ACTORS[role]), with_seat(ACTORS[role])):
        chaired_by = actor if role in MODERATING else CHAIR
        joined = actor.seat_id is not None or role is not MeetingRole.ENDPOINT
        meeting = meeting_for(tag, actor, joined=joined, chaired_by=chaired_by)
        meeting.refuse(actor, EXAMPLES[tag], Forbidden, "not_allowed")


@pytest.mark.parametrize("tag", EXAMPLES)
@pytest.mark.parametrize("role", sorted(MODERATING))
def test_who_only_says_to_be_a_moderator_is_not(tag: str, role: MeetingRole) -> None:
    """Not invited as one, or invited as the other one."""
    meeting = meeting_for(tag, A, joined=True, chaired_by=None)
    other = DEPUTY if role is MeetingRole.CHAIR else CHAIR
    for account_id in ("acc_stranger", other.account_id):
        impostor = Actor(account_id, "Kẻ mạo danh", role, "a")
        meeting.refuse(impostor, EXAMPLES[tag], Forbidden, "not_moderator")
        meeting.refuse(impostor, commands.Join(), Forbidden, "not_moderator")


@pytest.mark.parametrize("tag", EXAMPLES)
def test_the_system_itself_only_ends_a_meeting(tag: str) -> None:
    meeting = meeting_for(tag, A, joined=True, chaired_by=None)
    if tag == "end_meeting":
        assert meeting.do(SYSTEM, EXAMPLES[tag])
    else:
        meeting.refuse(SYSTEM, EXAMPLES[tag], Forbidden, "not_allowed")


@pytest.mark.parametrize("role", ACTORS)
def test_no_person_says_what_the_system_says(role: MeetingRole) -> None:
    meeting = VirtualMeeting()
    for body in (commands.Restart(), commands.AddSeat("e", "Xã E", (), "branch")):
        meeting.refuse(ACTORS[role], body, Forbidden, "not_allowed")
    for attending in (commands.Join(), commands.Drop(), commands.Leave()):
        meeting.refuse(SYSTEM, attending, Forbidden, "not_allowed")
        meeting.do(ACTORS[role], attending)


@pytest.mark.parametrize("kind", get_args(SystemCommand))
def test_no_client_can_send_what_the_server_says(kind: type[commands.Body]) -> None:
    said = b'{"type": "command", "id": 1, "command": {"type": "%s"}}' % tag_of(kind).encode()
    with pytest.raises(msgspec.ValidationError, match="Invalid value"):
        msgspec.json.decode(said, type=Ask)


def test_every_command_has_rights_and_a_rule() -> None:
    kinds = {*get_args(PersonCommand), *get_args(SystemCommand)}
    assert set(TABLE) == kinds
    assert set(RULES) == kinds


@pytest.mark.parametrize("role", MeetingRole)
def test_what_a_role_is_told_it_may_is_what_the_table_says(role: MeetingRole) -> None:
    page = {tag for (tag, who), cell in PAGE_TABLE.items() if who is role and cell != "no"}
    seats = {tag for (tag, who), cell in PAGE_TABLE.items() if who is role and cell == "seat"}
    expected = page if role is not MeetingRole.SYSTEM else {"end_meeting"}
    assert set(permissions.allowed(role)) == expected
    assert set(permissions.allowed(role, seated=False)) == expected - seats


def test_the_journal_keeps_every_command_as_it_was() -> None:
    for body in EXAMPLES.values():
        command = Command(CHAIR, body)
        assert msgspec.json.decode(msgspec.json.encode(command), type=Command) == command
