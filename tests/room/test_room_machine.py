"""Random meetings: whatever people, lines and time do, the floor's promises hold (Hypothesis, stateful)."""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.errors import Conflict, Forbidden, InvalidInput, NotFound
from server.room.commands import (
    Actor,
    AddSeat,
    Admit,
    Body,
    CancelRequest,
    Command,
    DenyRequest,
    Drop,
    EndMeeting,
    ExtendFloor,
    FloorMode,
    GrantFloor,
    Join,
    LayoutName,
    Leave,
    MeetingRole,
    MoveRequest,
    MuteAll,
    ReleaseFloor,
    RemoveSeat,
    RequestFloor,
    RevokeFloor,
    Say,
    SetDevices,
    SetLobby,
    SetLock,
    SetMode,
    SetPriority,
    SetScreen,
    SetStage,
    StartRecording,
    StopRecording,
    SuspendRecording,
    UnmuteByRight,
)
from server.room.floor import FloorState
from server.room.state import RoomState
from server.room.views import Presence, RequestView, SeatRole
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
    endpoint,
    small_setup,
)

CHAIR_AT_DESK = Actor(CHAIR.account_id, CHAIR.name, MeetingRole.CHAIR, "desk")
ENDPOINTS = (MAIN, A, B, C, D, endpoint("desk"), endpoint("late"))
PEOPLE = (*ENDPOINTS, CHAIR, CHAIR_AT_DESK, DEPUTY, SECOND_DEPUTY, OPERATOR, OBSERVER)

people = st.sampled_from(PEOPLE)
leaders = st.sampled_from((CHAIR, CHAIR, CHAIR, CHAIR_AT_DESK, DEPUTY, SECOND_DEPUTY, OPERATOR))
seats = st.sampled_from([actor.seat_id for actor in ENDPOINTS])
durations = st.sampled_from([None, 5.0, 20.0, 40.0, 500.0])

from_a_seat: st.SearchStrategy[Body] = st.one_of(
    st.builds(RequestFloor, st.sampled_from(["", "Kinh phí"])),
    st.builds(CancelRequest),
    st.builds(ReleaseFloor),
    st.builds(SetDevices, st.booleans(), st.booleans()),
    st.builds(SetScreen, st.booleans()),
    st.builds(Say, st.sampled_from(["Xin chào", " "])),
)
about_the_floor: st.SearchStrategy[Body] = st.one_of(
    st.builds(GrantFloor, seats, durations),
    st.builds(DenyRequest, seats),
    st.builds(RevokeFloor, seats),
    st.builds(ExtendFloor, seats, st.sampled_from([5.0, 50.0])),
    st.builds(MoveRequest, seats, st.integers(0, 6)),
    st.builds(SetPriority, seats, st.integers(0, 4)),
    st.builds(MuteAll, st.booleans()),
    st.builds(UnmuteByRight),
    st.builds(SetMode, st.sampled_from(FloorMode), st.integers(1, 3)),
)
about_the_house: st.SearchStrategy[Body] = st.one_of(
    st.builds(SetLock, st.booleans()),
    st.builds(SetLobby, st.booleans()),
    st.builds(Admit, st.none() | seats),
    st.builds(RemoveSeat, seats),
    st.just(AddSeat("late", "Xã muộn", ("Tỉnh",), SeatRole.BRANCH.value)),
    st.just(StartRecording()),
    st.just(StopRecording()),
    st.builds(SuspendRecording, st.sampled_from(["", "disk_full"])),
    st.builds(SetStage, st.sampled_from(LayoutName), st.lists(seats, max_size=3)),
)


class AnyMeeting(RuleBasedStateMachine):
    """``VirtualMeeting`` checks every step's effects; the invariants here check the state between them."""

    meeting: VirtualMeeting

    @initialize(
        mode=st.sampled_from(FloorMode),
        lobby=st.booleans(),
        max_queue=st.integers(1, 5),
        arrived=st.sampled_from([(), PEOPLE[:6], (CHAIR_AT_DESK, *PEOPLE)]),
    )
    def open(self, mode: FloorMode, lobby: bool, max_queue: int, arrived: tuple[Actor, ...]) -> None:
        self.meeting = VirtualMeeting(
            small_setup(mode=mode, lobby=lobby, max_queue=max_queue, max_holders=2, max_grant_s=100.0)
        )
        for actor in arrived:
            self.attempt(actor, Join())

    # --- what happens ------------------------------------------------------------------------------

    @rule(actor=people, body=st.sampled_from([Join(), Join(), Join(), Drop(), Leave()]))
    def come_or_go(self, actor: Actor, body: Body) -> None:
        self.attempt(actor, body)

    @rule(actor=st.sampled_from(ENDPOINTS), body=from_a_seat)
    def ask_from_a_seat(self, actor: Actor, body: Body) -> None:
        self.attempt(actor, body)

    @rule(actors=st.lists(st.sampled_from(ENDPOINTS), min_size=1, max_size=4))
    def request(self, actors: list[Actor]) -> None:
        for actor in actors:
            self.attempt(actor, RequestFloor("Kinh phí"))

    @rule(seat_ids=st.lists(seats, min_size=1, max_size=4), duration_s=durations)
    def grant(self, seat_ids: list[str], duration_s: float | None) -> None:
        for seat_id in seat_ids:
            self.attempt(CHAIR, GrantFloor(seat_id, duration_s))

    @rule(actor=leaders, body=about_the_floor)
    def lead(self, actor: Actor, body: Body) -> None:
        self.attempt(actor, body)

    @rule(actor=leaders, body=about_the_house)
    def run_the_house(self, actor: Actor, body: Body) -> None:
        self.attempt(SYSTEM if isinstance(body, AddSeat | SuspendRecording) else actor, body)

    @rule(actor=people, body=from_a_seat | about_the_floor | about_the_house)
    def ask_anything(self, actor: Actor, body: Body) -> None:
        self.attempt(actor, body)

    @rule(seconds=st.sampled_from([0.5, 5.0, 10.0, 29.5, 30.0, 120.0]))
    def time_passes(self, seconds: float) -> None:
        before, queue = self.meeting.room.state, self.meeting.room.view().floor.queue
        self.meeting.tick()
        self.meeting.pass_time(seconds)
        self.nobody_was_unmuted(before, None)
        self.nobody_lost_a_place(queue, SYSTEM, None)

    @rule(seconds=st.sampled_from([5.0, 31.0]), body=st.none() | from_a_seat | about_the_floor)
    def the_timer_is_late(self, seconds: float, body: Body | None) -> None:
        """Time passes and no tick comes: the next command, if any, has to see to what is due."""
        self.meeting.now += seconds
        if body is not None:
            self.attempt(CHAIR_AT_DESK, body)

    @rule(away_s=st.sampled_from([0.0, 3.0, 100.0]))
    def the_server_is_killed(self, away_s: float) -> None:
        self.the_journal_gives_the_same_room()
        self.meeting.tick()
        before = self.meeting.room.view().floor
        if self.meeting.room.ended:
            return
        self.meeting.crash(away_s)
        after = self.meeting.room.view().floor
        assert after.queue == before.queue
        kept = {holder.seat_id: holder.ends_at for holder in after.holders}
        for holder in before.holders:
            if holder.ends_at is None or holder.ends_at > self.meeting.now:
                assert kept[holder.seat_id] == holder.ends_at
        assert self.meeting.gates == set()

    @precondition(lambda self: self.meeting.room.seq > 40)
    @rule()
    def end(self) -> None:
        self.attempt(OPERATOR, EndMeeting())
        assert self.meeting.room.next_deadline() is None

    def attempt(self, actor: Actor, body: Body) -> None:
        """Done, or refused with nothing changed."""
        meeting = self.meeting
        before, view, seq = meeting.room.state, meeting.room.view(), meeting.room.seq
        kept, deadline = before.copy(), meeting.room.next_deadline()
        try:
            effects = meeting.room.step(Command(actor, body), meeting.now)
        except (Forbidden, Conflict, NotFound, InvalidInput):
            assert meeting.room.state is before
            assert before == kept
            assert (meeting.room.view(), meeting.room.seq, meeting.room.next_deadline()) == (view, seq, deadline)
        else:
            meeting.accept(effects, Command(actor, body))
            assert before == kept, "a step changed the state it came from"
            self.nobody_was_unmuted(before, body)
            self.nobody_lost_a_place(view.floor.queue, actor, body)

    def nobody_was_unmuted(self, before: RoomState, body: Body | None) -> None:
        """Branches get the floor from the chair, or by the rules of *open*; from nothing else."""
        after = self.meeting.room.state
        if not isinstance(body, GrantFloor) and set(after.floor.granted) - set(before.floor.granted):
            assert (before.floor.mode, after.floor.mode) == (FloorMode.OPEN, FloorMode.OPEN)
            assert after.chair.is_attended
            assert not after.floor.all_muted

    def nobody_lost_a_place(self, before: Sequence[RequestView], actor: Actor, body: Body | None) -> None:
        """Who is out of the queue was granted, gave up, was denied, or is gone; the others keep their order."""
        after = self.meeting.room.view().floor.queue
        waiting = [request.seat_id for request in after]
        for request in before:
            seat_id = request.seat_id
            gave_up = isinstance(body, CancelRequest) and actor.seat_id == seat_id
            denied = isinstance(body, DenyRequest) and body.seat_id == seat_id
            gone = self.meeting.presence(seat_id) not in (Presence.PRESENT, Presence.SUSPENDED)
            came_anew = self.meeting.seat(seat_id).since == self.meeting.now
            granted = seat_id in self.meeting.holders
            assert seat_id in waiting or gave_up or denied or gone or came_anew or granted
        if not isinstance(body, MoveRequest | SetPriority):
            stayed = [request.seat_id for request in before if request.seat_id in waiting]
            assert [seat_id for seat_id in waiting if seat_id in stayed] == stayed
            for place, request in enumerate(after):
                if request.seat_id not in stayed:
                    assert all(other.priority < request.priority for other in after[place + 1 :])

    # --- what always holds ---------------------------------------------------------------------------

    @invariant()
    def only_holders_that_are_present_are_heard(self) -> None:
        room = self.meeting.room
        holding = {holder.seat_id for holder in room.view().floor.holders if holder.suspended_until is None}
        assert room.gates == holding
        for seat in room.view().seats:
            if seat.presence is not Presence.PRESENT:
                assert seat.seat_id not in room.gates

    @invariant()
    def a_branch_is_heard_only_by_a_grant(self) -> None:
        for holder in self.meeting.room.view().floor.holders:
            is_branch = self.meeting.seat(holder.seat_id).role is SeatRole.BRANCH
            assert holder.by_right != is_branch

    @invariant()
    def no_more_holders_than_the_mode_allows(self) -> None:
        floor = self.meeting.room.view().floor
        granted = sum(not holder.by_right for holder in floor.holders)
        assert granted <= (1 if floor.mode is FloorMode.LECTURE else floor.max_holders)

    @invariant()
    def the_states_and_the_lists_say_the_same(self) -> None:
        room, floor = self.meeting.room, self.meeting.room.state.floor
        waiting = [request.seat_id for request in floor.queue]
        assert len(waiting) == len(set(waiting)) <= self.meeting.setup.max_queue
        for seat_id in room.state.seats:
            state = floor.state_of(seat_id)
            assert (state is FloorState.QUEUED) == (seat_id in waiting)
            assert (state in (FloorState.HOLDING, FloorState.SUSPENDED)) == (seat_id in floor.holds)
            assert (state is FloorState.HOLDING) == (seat_id in room.gates)
            if seat_id in waiting:
                assert room.presence(seat_id) in (Presence.PRESENT, Presence.SUSPENDED)

    @invariant()
    def the_queue_is_sorted_by_priority(self) -> None:
        priorities = [request.priority for request in self.meeting.room.view().floor.queue]
        assert priorities == sorted(priorities, reverse=True)

    @invariant()
    def everything_timed_has_an_end_that_is_announced(self) -> None:
        room = self.meeting.room
        ends = [hold.ends_at for hold in room.view().floor.holders if hold.ends_at is not None]
        ends += [hold.suspended_until for hold in room.view().floor.holders if hold.suspended_until is not None]
        assert all(end <= self.meeting.now + 100.0 for end in ends)
        if ends:
            deadline = room.next_deadline()
            assert deadline is not None
            assert deadline <= min(ends)

    @invariant()
    def a_screen_is_shown_only_while_heard(self) -> None:
        assert self.meeting.room.screens <= self.meeting.room.gates

    @invariant()
    def the_stage_shows_nobody_who_is_not_let_in(self) -> None:
        room = self.meeting.room
        shown = room.stage.pictures
        assert len(shown) == len(set(shown))
        for picture in shown:
            assert room.presence(picture.seat_id) not in (Presence.LOBBY, Presence.REMOVED)
        first_free = not room.stage.pinned and not room.screens and room.presence("main") is not Presence.REMOVED
        assert not first_free or shown[0].seat_id == "main"

    @invariant()
    def who_chairs_is_there_or_in_its_grace(self) -> None:
        chair = self.meeting.room.state.chair
        if chair.acting is not None:
            dropped_at = chair.moderators[chair.acting].dropped_at
            assert chair.is_attended != (dropped_at is not None)

    def the_journal_gives_the_same_room(self) -> None:
        again = self.meeting.replayed()
        assert again.state == self.meeting.room.state
        assert again.view() == self.meeting.room.view()
        assert (again.gates, again.seq, again.skipped) == (self.meeting.room.gates, self.meeting.room.seq, 0)
        assert again.next_deadline() == self.meeting.room.next_deadline()

    def teardown(self) -> None:
        """The journal gives the same room; left alone, everything comes to its end."""
        if not hasattr(self, "meeting"):
            return
        self.the_journal_gives_the_same_room()
        self.meeting.tick()
        self.meeting.pass_time(1_000.0)
        assert self.meeting.room.next_deadline() is None
        assert all(holder.ends_at is None for holder in self.meeting.room.view().floor.holders)


TestAnyMeeting = AnyMeeting.TestCase
TestAnyMeeting.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
