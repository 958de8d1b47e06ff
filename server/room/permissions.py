"""Who may ask what: one table, the same as in docs/roles.md (a test holds the two, and the behaviour, equal).

A role that a row does not name may not give that command at all: ``Forbidden("not_allowed")``.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, get_args

from server.errors import Forbidden
from server.room import commands
from server.room.chair import Chair
from server.room.commands import MODERATING, Actor, Body, MeetingRole, PersonCommand


class Right(StrEnum):
    """YES: always. ACTING: only while the actor is the acting chair. SEAT: only with a seat of its own."""

    YES = "yes"
    ACTING = "acting"
    SEAT = "seat"


Rights = Mapping[MeetingRole, Right]

_CHAIR, _DEPUTY, _OPERATOR, _ENDPOINT = (
    MeetingRole.CHAIR,
    MeetingRole.DEPUTY,
    MeetingRole.OPERATOR,
    MeetingRole.ENDPOINT,
)

# What an endpoint does from its own seat; a chair or deputy who sits at one does it too.
_AT_A_SEAT: Rights = {_CHAIR: Right.SEAT, _DEPUTY: Right.SEAT, _ENDPOINT: Right.SEAT}
# Leading the floor. The chair's own account always counts as the acting chair, connected or not (REST control).
_LEADING: Rights = {_CHAIR: Right.YES, _DEPUTY: Right.ACTING}
# Silencing trouble, and recording: also the control centre, at once.
_SILENCING: Rights = {**_LEADING, _OPERATOR: Right.YES}
# Running the room.
_HOSTING: Rights = {_CHAIR: Right.YES, _DEPUTY: Right.YES, _OPERATOR: Right.YES}
# The hub alone says these, with the person they are about as the actor; no client can.
_ATTENDING: Rights = {role: Right.YES for role in MeetingRole if role is not MeetingRole.SYSTEM}
_SYSTEM: Rights = {MeetingRole.SYSTEM: Right.YES}

TABLE: Final[Mapping[type[Body], Rights]] = {
    commands.RequestFloor: _AT_A_SEAT,
    commands.CancelRequest: _AT_A_SEAT,
    commands.ReleaseFloor: _AT_A_SEAT,
    commands.SetDevices: _AT_A_SEAT,
    commands.SetScreen: _AT_A_SEAT,
    commands.Say: {**_HOSTING, _ENDPOINT: Right.SEAT},
    commands.GrantFloor: _LEADING,
    commands.DenyRequest: _LEADING,
    commands.RevokeFloor: _SILENCING,
    commands.ExtendFloor: _LEADING,
    commands.MoveRequest: _LEADING,
    commands.SetPriority: _LEADING,
    commands.MuteAll: _SILENCING,
    commands.UnmuteByRight: _LEADING,
    commands.SetMode: _LEADING,
    commands.SetLock: _HOSTING,
    commands.SetLobby: _HOSTING,
    commands.Admit: _HOSTING,
    commands.RemoveSeat: _HOSTING,
    commands.SetStage: _HOSTING,
    commands.StartRecording: _SILENCING,
    commands.StopRecording: _SILENCING,
    commands.EndMeeting: {**_SILENCING, **_SYSTEM},
    commands.Join: _ATTENDING,
    commands.Drop: _ATTENDING,
    commands.Leave: _ATTENDING,
    commands.Restart: _SYSTEM,
    commands.AddSeat: _SYSTEM,
    commands.SuspendRecording: _SYSTEM,
}


def check(chair: Chair, actor: Actor, body: Body) -> None:
    """Whether the actor may give this command now; what depends on its seat is for the command's own rule.

    Raises Forbidden: "not_allowed" (the role never may), "not_moderator" (says chair or deputy, and is not this
    meeting's), "not_acting_chair" (a deputy while somebody else, or nobody, chairs).
    """
    right = TABLE[type(body)].get(actor.role)
    if right is None:
        raise Forbidden("not_allowed", f"{actor.role.value} may not {tag_of(type(body))}.")
    if actor.role in MODERATING and not chair.knows(actor):
        raise Forbidden("not_moderator", "This account does not chair the meeting.")
    if right is Right.ACTING and chair.acting != actor.account_id:
        raise Forbidden("not_acting_chair", "Only the acting chair may do that.")


def allowed(role: MeetingRole, seated: bool = True) -> tuple[str, ...]:
    """The command types (tags) a client of this role may send, for ``welcome.you.may``.

    ``seated``: the actor has a seat of its own; without one the commands given from a seat are left out.
    """
    return tuple(
        tag_of(kind)
        for kind in get_args(PersonCommand)
        if (right := TABLE[kind].get(role)) is not None and (seated or right is not Right.SEAT)
    )


def tag_of(kind: type[Body]) -> str:
    """The ``type`` a command travels under (``grant_floor``)."""
    return str(kind.__struct_config__.tag)
