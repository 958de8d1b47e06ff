"""Records one meeting: a tap for every seat that has the floor, a line for everything that happens.

What a tap gets passed the same gate as what people hear (idea 2), so what nobody may hear is in no recording either.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self

from server.clock import Clock
from server.config import RecordingConfig
from server.hub.roads import Roads
from server.media import MediaPlane
from server.recording.chronicle import Chronicle, Section, entry_of
from server.recording.events import FORMAT, Opened
from server.recording.keys import SigningKey
from server.recording.link import WriterLimits, WriterLink, WriterSettings, WriterStats
from server.room.room import Room
from server.room.views import FloorView, MeetingView, RecordingView
from server.rtp import rtcp
from server.sfu.ports import Codec, Extensions, Kind, PeerKey, SlotSpec, TrackLabel
from server.sfu.router import TrackId

logger = logging.getLogger(__name__)

_H264_PROFILES = ("42e01f", "42001f", "4d001f", "64001f", "640c1f")
AUDIO: Final = (Codec(111, "opus", 48_000),)
VIDEO: Final = (
    Codec(96, "vp8", 90_000, pli=True),
    Codec(98, "vp9", 90_000, "profile-id=0", pli=True),
    Codec(99, "vp9", 90_000, "profile-id=2", pli=True),
    Codec(100, "av1", 90_000, "profile=0", pli=True),
    *(
        Codec(101 + 2 * place + mode, "h264", 90_000, f"profile-level-id={profile};packetization-mode={mode}", pli=True)
        for place, profile in enumerate(_H264_PROFILES)
        for mode in (0, 1)
    ),
)
_LABELS = (TrackLabel.MIC, TrackLabel.CAMERA, TrackLabel.SCREEN)


class RecordingShelf(Protocol):
    """Who keeps the book of recordings (the archive). May raise DiemcauError; the recording goes on then."""

    async def opened(self, recording_id: str, meeting_id: str, at: float) -> None: ...

    async def closed(self, recording_id: str, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class RecordingHouse:
    """Where recordings lie, and the key that signs them. ``public_key``: base64 of its Ed25519 octets."""

    folder: Path
    key_path: Path
    public_key: str
    shelf: RecordingShelf
    config: RecordingConfig = RecordingConfig()

    @classmethod
    def at(cls, folder: Path, key_path: Path, shelf: RecordingShelf, config: RecordingConfig) -> Self:
        """The key is made at first use. Raises Unavailable("signing_key_unreadable")."""
        return cls(folder, key_path, SigningKey.load_or_make(key_path).public_base64, shelf, config)

    @property
    def limits(self) -> WriterLimits:
        config = self.config
        return WriterLimits(
            full_octets=config.full_octets, resume_octets=config.resume_octets, usual_bps=config.usual_bps
        )


@dataclass(slots=True)
class _Tap:
    """One seat's roads to the writer: ``tracks`` are track numbers, and the SSRCs of the tap's slots."""

    key: PeerKey
    tracks: dict[TrackLabel, int]
    fed: dict[TrackLabel, TrackId | None] = field(default_factory=dict)


class _Run:
    """One recording that runs; ``MediaPlane.TapSink`` for all its taps."""

    def __init__(self, recording_id: str, link: WriterLink) -> None:
        self.recording_id = recording_id
        self.link = link
        self.taps: dict[str, _Tap] = {}
        self.next_track = 1
        self.rtp = link.rtp
        self.starting: asyncio.Task[None] | None = None

    def rtcp(self, data: bytes, now: float) -> None:
        """Each track gets its own report out of the compound."""
        for packet in rtcp.parse(data):
            if isinstance(packet, rtcp.RtcpSrPacket):
                self.link.rtcp(packet.ssrc, bytes(packet), now)


class Recorder:
    """Follows the sections that everybody is told. ``on_state(state, detail)`` hears how the writing goes."""

    def __init__(
        self,
        room: Room,
        meeting_id: str,
        roads: Roads,
        media: MediaPlane,
        clock: Clock,
        house: RecordingHouse,
        on_state: Callable[[str, str], None],
    ) -> None:
        self._room = room
        self._meeting_id = meeting_id
        self._roads = roads
        self._media = media
        self._clock = clock
        self._house = house
        self._on_state = on_state
        self._run: _Run | None = None
        self._chronicle = Chronicle(room.view())
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def stats(self) -> WriterStats | None:
        """How the writing goes; None while nothing is recorded."""
        return self._run.link.stats if self._run is not None else None

    @property
    def hours_low(self) -> float | None:
        """The hours left on the disk where that is too few; None while there are enough, or nothing is recorded."""
        hours_left = self._run.link.stats.hours_left if self._run is not None else None
        return hours_left if hours_left is not None and hours_left < self._house.config.low_hours else None

    def resume(self) -> None:
        """After a restart of the server: a recording that ran goes on in the same entry."""
        recording = self._room.view().meeting.recording
        if recording is not None:
            self._begin(recording)

    def tell(self, section: Section) -> None:
        """Take in a section that changed, in the order in which everybody is told."""
        run = self._run
        if run is not None:
            now = self._clock.now()
            for event in self._chronicle.tell(section):
                run.link.event(event, now)
        if isinstance(section, MeetingView):
            self._follow(section)
        elif isinstance(section, FloorView):
            self._tap_holders()

    def feed(self) -> None:
        """Let every tap carry what its seat publishes now."""
        if self._run is None:
            return
        for seat_id, tap in self._run.taps.items():
            for label in _LABELS:
                track = self._roads.track(seat_id, label)
                if tap.fed.get(label) != track:
                    tap.fed[label] = track
                    self._media.assign(tap.key, label.value, track)

    async def settled(self) -> None:
        """Wait until what has begun or ended is on the disk and in the book."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """The server goes: what runs is left open for the next start."""
        run, self._run = self._run, None
        if run is not None:
            self._untap(run)
            self._spawn(run.link.detach())
        await self.settled()

    # --- WriterObserver --------------------------------------------------------------------------

    def keyframe_wanted(self, track: int) -> None:
        for tap in self._run.taps.values() if self._run is not None else ():
            if track in tap.tracks.values():
                self._media.want_keyframe(tap.key, track)

    def writer_changed(self, state: str, detail: str) -> None:
        self._on_state(state, detail)

    # --- begin and end ---------------------------------------------------------------------------

    def _follow(self, meeting: MeetingView) -> None:
        wanted = meeting.recording
        run = self._run
        if run is not None and (wanted is None or wanted.recording_id != run.recording_id):
            self._run = None
            self._untap(run)
            self._spawn(self._finish(run, "meeting_ended" if meeting.ended else "stopped"))
            self._on_state("ok", "")
        if wanted is not None and self._run is None:
            self._begin(wanted)

    def _begin(self, recording: RecordingView) -> None:
        view = self._room.view()
        folder = self._house.folder / recording.recording_id
        is_known = (folder / "events.jsonl").exists()
        chair = next((each.name for each in view.meeting.moderators if not each.deputy), "")
        opened = Opened(
            format=FORMAT,
            recording_id=recording.recording_id,
            meeting_id=self._meeting_id,
            title=view.meeting.title,
            host_agency=view.meeting.host_agency,
            chair=chair,
            started_by=recording.started_by,
            endpoints=tuple(entry_of(seat) for seat in view.seats),
            public_key=self._house.public_key,
        )
        settings = WriterSettings(
            folder=folder,
            opened=None if is_known else opened,
            key_path=self._house.key_path,
            limits=self._house.limits,
        )
        run = self._run = _Run(recording.recording_id, WriterLink(settings, self._clock, self))
        self._spawn(self._start(run, recording.since))
        now = self._clock.now()
        for event in self._chronicle.resume(view) if is_known else self._chronicle.begin(view):
            run.link.event(event, now)
        self._tap_holders()

    async def _start(self, run: _Run, since: float) -> None:
        await run.link.start()
        await self._book(self._house.shelf.opened(run.recording_id, self._meeting_id, since))

    async def _finish(self, run: _Run, reason: str) -> None:
        await run.link.close(reason)
        await self._book(self._house.shelf.closed(run.recording_id, reason))

    async def _book(self, entry: Awaitable[None]) -> None:
        try:
            await entry
        except Exception:
            # The recording is on the disk whatever the book says; the archive looks again at its next start.
            logger.exception("the book of recordings was not written for meeting %s", self._meeting_id)

    # --- taps ------------------------------------------------------------------------------------

    def _tap_holders(self) -> None:
        run = self._run
        if run is None:
            return
        holders = [holder.seat_id for holder in self._room.view().floor.holders]
        for seat_id in [seat_id for seat_id in run.taps if seat_id not in holders]:
            self._close_tap(run, run.taps.pop(seat_id))
        for seat_id in holders:
            if seat_id not in run.taps:
                run.taps[seat_id] = self._open_tap(run, seat_id)
        self._roads.refresh_soon()

    def _open_tap(self, run: _Run, seat_id: str) -> _Tap:
        tracks = {label: run.next_track + place for place, label in enumerate(_LABELS)}
        run.next_track += len(tracks)
        slots = [_slot(label, track) for label, track in tracks.items()]
        for slot, label in zip(slots, tracks, strict=True):
            run.link.open_track(tracks[label], seat_id, label, slot.codecs)
        return _Tap(self._media.open_tap(self._meeting_id, slots, run), tracks)

    def _close_tap(self, run: _Run, tap: _Tap) -> None:
        self._media.close_tap(tap.key)
        for track in tap.tracks.values():
            run.link.close_track(track)

    def _untap(self, run: _Run) -> None:
        for tap in run.taps.values():
            self._close_tap(run, tap)
        run.taps.clear()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("meeting %s: recorder failed", self._meeting_id, exc_info=error)


def _slot(label: TrackLabel, track: int) -> SlotSpec:
    """A tap's slot for one track. Its SSRC is the track's number; nothing is ever sent again to a tap."""
    is_audio = label is TrackLabel.MIC
    return SlotSpec(
        mid=label.value,
        kind=Kind.AUDIO if is_audio else Kind.VIDEO,
        index=0,
        ssrc=track,
        rtx_ssrc=0x8000_0000 | track,
        codecs=AUDIO if is_audio else VIDEO,
        extensions=Extensions(),
    )
