"""What each command about the floor does to a draft. Who may give it was checked before (``permissions``)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from server.errors import Conflict
from server.room import commands
from server.room.commands import Actor, Body, FloorMode
from server.room.draft import Draft
from server.room.floor import FloorState
from server.room.seats import IN, Seat
from server.room.text import clean_line
from server.room.views import Presence

Rule = Callable[[Draft, Actor, Any], None]


# --- from a seat -----------------------------------------------------------------------------------


def request_floor(draft: Draft, actor: Actor, body: commands.RequestFloor) -> None:
    seat = draft.present_seat(actor)
    draft.state.floor.request(seat.seat_id, clean_line(body.subject), draft.now, draft.setup.max_queue)
    draft.take_if_next(seat)


def cancel_request(draft: Draft, actor: Actor, body: commands.CancelRequest) -> None:
    draft.state.floor.cancel(_seat_that_gives_back(draft, actor).seat_id)


def release_floor(draft: Draft, actor: Actor, body: commands.ReleaseFloor) -> None:
    seat = _seat_that_gives_back(draft, actor)
    draft.state.floor.release(seat.seat_id)
    draft.note("floor_released", seat.seat_id, actor)


def set_screen(draft: Draft, actor: Actor, body: commands.SetScreen) -> None:
    seat = draft.present_seat(actor)
    if body.sharing and seat.seat_id not in draft.state.floor.gates:
        raise Conflict("no_floor", "A screen is shown only while the endpoint has the floor.")
    draft.put(msgspec.structs.replace(seat, sharing=body.sharing))


def _seat_that_gives_back(draft: Draft, actor: Actor) -> Seat:
    """Giving up needs no connection: also a suspended seat may (a hardware endpoint's button, over REST)."""
    seat = draft.own_seat(actor)
    if seat.presence not in IN:
        raise Conflict("not_joined", "The endpoint is not in the meeting.")
    return seat


# --- from the chair --------------------------------------------------------------------------------


def grant_floor(draft: Draft, actor: Actor, body: commands.GrantFloor) -> None:
    seat = draft.seat(body.seat_id)
    if seat.presence is Presence.LOBBY:
        raise Conflict("in_lobby", "The endpoint waits in the lobby; admit it first.")
    if seat.presence is Presence.REMOVED:
        raise Conflict("removed", "The endpoint was removed; admit it first.")
    floor = draft.state.floor
    if seat.by_right:
        _unmute(draft, seat, actor)
        floor.all_muted = False
        return
    if floor.mode is FloorMode.LECTURE:
        for holder in floor.granted:
            if holder != seat.seat_id:
                draft.withdraw(holder, actor, f"the floor went to {seat.seat_id}")
    draft.grant(seat, body.duration_s, actor)


def deny_request(draft: Draft, actor: Actor, body: commands.DenyRequest) -> None:
    seat = draft.seat(body.seat_id)
    draft.state.floor.deny(seat.seat_id)
    draft.note("request_denied", seat.seat_id, actor, clean_line(body.reason))


def revoke_floor(draft: Draft, actor: Actor, body: commands.RevokeFloor) -> None:
    draft.withdraw(draft.seat(body.seat_id).seat_id, actor, clean_line(body.reason))


def extend_floor(draft: Draft, actor: Actor, body: commands.ExtendFloor) -> None:
    seat = draft.seat(body.seat_id)
    draft.state.floor.extend(seat.seat_id, body.extra_s, draft.now + draft.setup.max_grant_s)
    draft.note("floor_extended", seat.seat_id, actor, f"until {draft.state.floor.holds[seat.seat_id].ends_at:.1f}")


def move_request(draft: Draft, actor: Actor, body: commands.MoveRequest) -> None:
    draft.state.floor.move(draft.seat(body.seat_id).seat_id, body.position)


def set_priority(draft: Draft, actor: Actor, body: commands.SetPriority) -> None:
    draft.state.floor.set_priority(draft.seat(body.seat_id).seat_id, body.priority)


def mute_all(draft: Draft, actor: Actor, body: commands.MuteAll) -> None:
    floor = draft.state.floor
    for seat_id in floor.granted:
        draft.withdraw(seat_id, actor, "all muted")
    if body.by_right:
        for seat_id in floor.by_right:
            if floor.state_of(seat_id) not in (FloorState.MUTED, FloorState.QUEUED):
                draft.withdraw(seat_id, actor, "all muted")
    floor.all_muted = True
    draft.note("all_muted", None, actor, "with holders by right" if body.by_right else "")


def unmute_by_right(draft: Draft, actor: Actor, body: commands.UnmuteByRight) -> None:
    for seat_id in draft.state.floor.by_right:
        _unmute(draft, draft.seat(seat_id), actor)
    draft.state.floor.all_muted = False


def set_mode(draft: Draft, actor: Actor, body: commands.SetMode) -> None:
    floor = draft.state.floor
    floor.mode, floor.max_holders = body.mode, body.max_holders
    for seat_id in floor.granted[: -floor.limit]:
        draft.withdraw(seat_id, actor, f"mode {body.mode}")
    draft.note("mode_set", None, actor, f"{body.mode}, {floor.limit} at once")


def _unmute(draft: Draft, seat: Seat, actor: Actor) -> None:
    if draft.state.floor.state_of(seat.seat_id) in (FloorState.MUTED, FloorState.QUEUED):
        draft.restore(seat, actor)


RULES: Final[Mapping[type[Body], Rule]] = {
    commands.RequestFloor: request_floor,
    commands.CancelRequest: cancel_request,
    commands.ReleaseFloor: release_floor,
    commands.SetScreen: set_screen,
    commands.GrantFloor: grant_floor,
    commands.DenyRequest: deny_request,
    commands.RevokeFloor: revoke_floor,
    commands.ExtendFloor: extend_floor,
    commands.MoveRequest: move_request,
    commands.SetPriority: set_priority,
    commands.MuteAll: mute_all,
    commands.UnmuteByRight: unmute_by_right,
    commands.SetMode: set_mode,
}
