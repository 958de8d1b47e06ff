"""What coming, going and running the room does to a draft. Who may was checked before (``permissions``)."""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from server.errors import Conflict, Forbidden, InvalidInput
from server.room import commands, recording_rules, seats
from server.room.commands import MODERATING, Actor, Body, MeetingRole
from server.room.draft import Draft
from server.room.effects import Expel
from server.room.floor_rules import Rule
from server.room.seats import IN, Seat
from server.room.setup import SeatSetup
from server.room.text import clean_line, clean_text
from server.room.views import ChatView, Presence, SeatRole

CHAT_KEPT: Final = 200


# --- coming and going ------------------------------------------------------------------------------


def join(draft: Draft, actor: Actor, body: commands.Join) -> None:
    """Operators are always let in and leave no trace; what they do is in the audit log."""
    if actor.role in MODERATING:
        draft.state.chair.arrive(actor.account_id, actor.seat_id)
        if actor.seat_id is not None:
            _take_moderators_seat(draft, draft.seat(actor.seat_id))
    elif actor.role is MeetingRole.ENDPOINT:
        _take_seat(draft, draft.own_seat(actor))
    elif actor.role is MeetingRole.OBSERVER:
        _watch(draft, actor)
    recording_rules.begin_with_meeting(draft)


def drop(draft: Draft, actor: Actor, body: commands.Drop) -> None:
    if actor.role in MODERATING:
        draft.state.chair.drop(actor.account_id, draft.now)
    if actor.account_id in draft.state.watchers:
        draft.state.watchers[actor.account_id] = min(draft.state.watchers[actor.account_id], draft.lease_ends)
    seat = _seat_taken_by(draft, actor)
    if seat is not None and seat.presence is Presence.PRESENT:
        draft.suspend(seat)
    elif seat is not None and seat.presence is Presence.LOBBY:
        draft.vacate(seat)


def leave(draft: Draft, actor: Actor, body: commands.Leave) -> None:
    if actor.role in MODERATING:
        draft.state.chair.leave(actor.account_id)
    draft.state.watchers.pop(actor.account_id, None)
    seat = _seat_taken_by(draft, actor)
    if seat is not None and (seat.presence in IN or seat.presence is Presence.LOBBY):
        draft.vacate(seat)


def restart(draft: Draft, actor: Actor, body: commands.Restart) -> None:
    """Nobody could come back while the server was away, so every lease and grace begins anew; deadlines of grants
    do not move, and those that passed end now."""
    state = draft.state
    for seat in tuple(state.seats.values()):
        if seat.presence in IN:
            draft.suspend(seat)
        elif seat.presence is Presence.LOBBY:
            draft.vacate(seat)
    state.floor.wait_until(draft.lease_ends)
    state.chair.restart(draft.now)
    state.watchers = dict.fromkeys(state.watchers, draft.lease_ends)
    recording_rules.look_again(draft)
    draft.note("restarted", None, actor)
    draft.expire()


def add_seat(draft: Draft, actor: Actor, body: commands.AddSeat) -> None:
    """A seat that is there already (invited, then the server restarted) is left as it is."""
    try:
        role = SeatRole(body.role)
    except ValueError:
        raise InvalidInput("bad_seat_role", f"{body.role!r} is not the role of a seat.") from None
    if body.seat_id in draft.state.seats:
        return
    seat = seats.place(SeatSetup(body.seat_id, body.name, body.unit_path, role))
    draft.put(seat)
    if seat.by_right:
        draft.state.floor.by_right += (seat.seat_id,)


def _take_seat(draft: Draft, seat: Seat) -> None:
    if seat.presence is Presence.SUSPENDED:
        draft.enter(seat)
    elif seat.presence is Presence.REMOVED:
        raise Forbidden("removed", "The endpoint was removed from the meeting.")
    elif seat.presence is Presence.ABSENT:
        _arrive(draft, seat)


def _arrive(draft: Draft, seat: Seat) -> None:
    is_called = seat.expected or seat.seat_id in draft.state.floor.holds
    if draft.state.locked and not is_called:
        raise Conflict("locked", "The meeting is locked; the chair or the control centre can let you in.")
    if draft.state.lobby and not (is_called or seat.admitted or seat.role is SeatRole.MAIN):
        draft.put(seats.wait(seat, draft.now))
    else:
        draft.enter(seat)


def _take_moderators_seat(draft: Draft, seat: Seat) -> None:
    """Past lock and lobby. A removed seat stays so, but keeps nobody from the chair."""
    if seat.presence not in (Presence.PRESENT, Presence.REMOVED):
        draft.enter(seat)


def _watch(draft: Draft, actor: Actor) -> None:
    if draft.state.locked and draft.state.watchers.get(actor.account_id, -math.inf) <= draft.now:
        raise Conflict("locked", "The meeting is locked.")
    draft.state.watchers[actor.account_id] = math.inf


def _seat_taken_by(draft: Draft, actor: Actor) -> Seat | None:
    takes_seat = actor.role in MODERATING or actor.role is MeetingRole.ENDPOINT
    return draft.seat(actor.seat_id) if takes_seat and actor.seat_id is not None else None


# --- from a seat -----------------------------------------------------------------------------------


def set_devices(draft: Draft, actor: Actor, body: commands.SetDevices) -> None:
    seat = draft.present_seat(actor)
    draft.put(msgspec.structs.replace(seat, mic_muted=body.mic_muted, camera_off=body.camera_off))


def say(draft: Draft, actor: Actor, body: commands.Say) -> None:
    """An endpoint speaks under its seat's name, everybody else under their own."""
    name = draft.present_seat(actor).name if actor.role is MeetingRole.ENDPOINT else actor.name
    text = clean_text(body.text)
    if not text:
        raise InvalidInput("empty_text", "There is nothing to say.")
    chat = draft.state.chat
    line = ChatView(chat[-1].seq + 1 if chat else 1, draft.now, actor.seat_id, name, text)
    draft.state.chat = (*chat[-(CHAT_KEPT - 1) :], line)


# --- running the room ------------------------------------------------------------------------------


def set_lock(draft: Draft, actor: Actor, body: commands.SetLock) -> None:
    draft.state.locked = body.locked
    draft.note("locked" if body.locked else "unlocked", None, actor)


def set_lobby(draft: Draft, actor: Actor, body: commands.SetLobby) -> None:
    """Switched off, it lets everybody in who waits: whoever came now would walk past them."""
    draft.state.lobby = body.lobby
    draft.note("lobby_on" if body.lobby else "lobby_off", None, actor)
    if not body.lobby:
        _admit_waiting(draft, actor)


def admit(draft: Draft, actor: Actor, body: commands.Admit) -> None:
    """By name: in from the lobby, back after a removal, or past the lock at the next arrival."""
    if body.seat_id is None:
        _admit_waiting(draft, actor)
        return
    seat = draft.seat(body.seat_id)
    if seat.presence is Presence.LOBBY:
        draft.enter(seat)
    elif seat.presence is Presence.REMOVED:
        draft.put(msgspec.structs.replace(seats.vacate(seat, draft.now), admitted=True, expected=True))
    elif seat.presence is Presence.ABSENT:
        draft.put(msgspec.structs.replace(seat, admitted=True, expected=True))
    draft.note("seat_admitted", seat.seat_id, actor)


def remove_seat(draft: Draft, actor: Actor, body: commands.RemoveSeat) -> None:
    seat = draft.seat(body.seat_id)
    if seat.presence is Presence.REMOVED:
        return
    reason = clean_line(body.reason)
    draft.vacate(seat, removed=True)
    draft.state.chair.leave_seat(seat.seat_id)
    draft.expulsions.append(Expel(seat.seat_id, None, "removed", reason))
    draft.note("seat_removed", seat.seat_id, actor, reason)


def set_stage(draft: Draft, actor: Actor, body: commands.SetStage) -> None:
    draft.state.layout = body.layout
    draft.state.pinned = tuple(dict.fromkeys(draft.seat(seat_id).seat_id for seat_id in body.pinned))


def end_meeting(draft: Draft, actor: Actor, body: commands.EndMeeting) -> None:
    state = draft.state
    for seat in tuple(state.seats.values()):
        if seat.presence in IN or seat.presence is Presence.LOBBY:
            draft.vacate(seat)
        else:
            draft.lapse(seat.seat_id)
    state.chair.leave_all()
    state.watchers = {}
    state.ended = True
    if state.recording is not None:
        recording_rules.end(draft, actor)
    draft.expulsions.append(Expel(None, None, "ended"))
    draft.note("meeting_ended", None, actor)


def _admit_waiting(draft: Draft, actor: Actor) -> None:
    for seat in tuple(draft.state.seats.values()):
        if seat.presence is Presence.LOBBY:
            draft.enter(seat)
            draft.note("seat_admitted", seat.seat_id, actor)


RULES: Final[Mapping[type[Body], Rule]] = {
    commands.SetDevices: set_devices,
    commands.Say: say,
    commands.SetLock: set_lock,
    commands.SetLobby: set_lobby,
    commands.Admit: admit,
    commands.RemoveSeat: remove_seat,
    commands.SetStage: set_stage,
    commands.EndMeeting: end_meeting,
    commands.Join: join,
    commands.Drop: drop,
    commands.Leave: leave,
    commands.Restart: restart,
    commands.AddSeat: add_seat,
}
