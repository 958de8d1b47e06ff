"""What the loads need of a server under load, whichever it is."""

import asyncio
import contextlib
import resource
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar

import msgspec

from server.bots.connection import MediaConnection
from server.bots.offer import OfferPlan, SendTrack
from server.bots.publisher import SINGLE, plan_offer
from server.errors import DiemcauError
from server.sfu.ports import TrackLabel
from server.transport.dtls import DtlsCertificate
from server.transport.srtp import AEAD_AES_128_GCM

PUBLISHER_OFFER = SINGLE
MOST_FILES = 65_536
JOIN_ATTEMPTS = 5
TOO_BUSY = ("http_503", "no_answer", "media_failed", "store_unavailable", "server_unreachable", "socket_closed")
T = TypeVar("T")


class Takes(msgspec.Struct, frozen=True):
    """What a viewer takes: pictures and voices of the first publishers."""

    pictures: int
    voices: int


class NotServed(Exception):
    """A viewer waits in vain for its first packets."""


class Sfu(Protocol):
    """A server with one room, running inside ``async with``. ``pid`` is the process that forwards.

    ``refusals``: what ``view`` and waiting for its first packets may raise when there are too many.
    """

    @property
    def name(self) -> str: ...

    @property
    def refusals(self) -> tuple[type[Exception], ...]: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def pid(self) -> int: ...

    async def publish(self, *, picture: bool) -> MediaConnection:
        """The next publisher, with a microphone, and a camera where ``picture``. Connected, silent."""

    async def view(self, takes: Takes) -> MediaConnection:
        """One more viewer. Connected, uncounted."""

    async def leave(self, connection: MediaConnection) -> None:
        """End a viewer."""


async def patiently(enter: Callable[[], Awaitable[T]], note_retry: Callable[[], None] = lambda: None) -> T:
    """Ask a server that is too busy to answer again, as clients do. Raises DiemcauError."""
    for attempt in range(1, JOIN_ATTEMPTS):
        try:
            return await enter()
        except DiemcauError as error:
            if error.code not in TOO_BUSY:
                raise
            note_retry()
            await asyncio.sleep(0.5 * attempt)
    return await enter()


def make_certificate() -> DtlsCertificate:
    """For all virtual peers. One SRTP profile, the cheapest, so that every server protects in the same way."""
    return DtlsCertificate.generate((AEAD_AES_128_GCM,))


def plan_publisher(*, picture: bool) -> OfferPlan:
    """A microphone, and a camera of one stream."""
    plan = plan_offer(PUBLISHER_OFFER, audio_slots=0, video_slots=0, screen=False)
    return plan if picture else OfferPlan(tuple(track for track in plan.sends if _is_mic(track)), 0, 0)


def raise_file_limit() -> None:
    """A socket for each viewer: as many as the machine allows, for us and for whom we start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    with contextlib.suppress(ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _is_mic(track: SendTrack) -> bool:
    return track.label is TrackLabel.MIC
