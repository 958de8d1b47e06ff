"""A virtual endpoint: one seat, one WebSocket, one media connection. What a browser tab is, without the browser."""

from collections.abc import Callable

import aiohttp
import msgspec

from server.bots.connection import MediaConnection
from server.bots.meeting_socket import MeetingSocket
from server.bots.offer import read_answer
from server.bots.players import Pacer
from server.bots.publisher import Appearance, Publisher, plan_offer
from server.clock import Clock
from server.signaling import messages
from server.transport.dtls import DtlsCertificate


class Surroundings(msgspec.Struct, frozen=True):
    """What all endpoints of one process share."""

    http: aiohttp.ClientSession
    clock: Clock
    pacer: Pacer
    certificate: DtlsCertificate


class Reception(msgspec.Struct, frozen=True):
    """What the endpoint takes: how many slots it offers, and how tall its pictures are shown (0: none are sent)."""

    audio_slots: int = 3
    video_slots: int = 1
    shown_height: int = 180


USUAL = Reception()


class VirtualEndpoint:
    """``join`` signs in to the meeting and brings media up; ``leave`` ends both. Joining again is allowed.

    While it is in, the microphone sounds exactly as long as the seat holds the floor (``follow_floor``).
    """

    def __init__(
        self,
        surroundings: Surroundings,
        url: str,
        meeting_id: str,
        token: str,
        appearance: Appearance | None,
        reception: Reception = USUAL,
    ) -> None:
        """``appearance`` None: it sends nothing (a watcher)."""
        self._around = surroundings
        self._url = url
        self._meeting_id = meeting_id
        self._token = token
        self._appearance = appearance
        self._reception = reception
        self.follow_floor = True
        self.on_message: Callable[[messages.FromServer], None] | None = None
        self.socket: MeetingSocket | None = None
        self.connection: MediaConnection | None = None
        self.publisher: Publisher | None = None

    @property
    def seat_id(self) -> str | None:
        welcome = self.socket.welcome if self.socket else None
        return welcome.you.seat_id if welcome else None

    async def join(self, *, resume: str | None = None, take_over: bool = False) -> messages.Welcome:
        """Sign in, offer, connect. With ``resume`` (a welcome's token) media that still lives is kept.

        Raises Refused (the server's code) or Unavailable; nothing is left open then.
        """
        if self.socket is not None:
            await self.socket.close(bye=False)
        socket = MeetingSocket(self._around.http, self._url, self._meeting_id, self._token)
        socket.on_message = self._on_message
        self.socket = socket
        try:
            welcome = await socket.open(resume=resume, take_over=take_over)
            if not (welcome.resumed and self._media_lives()):
                await self.connect_media()
        except BaseException:
            await self.leave(bye=False)
            raise
        return welcome

    async def connect_media(self) -> None:
        """Make the one offer and connect; again after the media failed. Raises Refused, Unavailable, InvalidInput."""
        assert self.socket is not None
        self.drop_media()
        rungs = self._appearance.rungs if self._appearance else None
        plan = plan_offer(rungs, audio_slots=self._reception.audio_slots, video_slots=self._reception.video_slots)
        connection = MediaConnection(self._around.clock, plan, self._around.certificate)
        self.connection = connection
        tracks = [messages.OfferedTrack(track.mid, track.label) for track in plan.sends]
        answer = await self.socket.offer(connection.offer_sdp, tracks)
        await self.socket.show(dict.fromkeys(plan.video_mids, self._reception.shown_height))
        await connection.connect(read_answer(answer.sdp, plan))
        if self._appearance is not None:
            self.publisher = Publisher(connection, self._appearance, self._around.pacer, self._around.clock)
            self.publisher.start()
            self._set_microphone()

    def drop_media(self) -> None:
        """Let go of the media connection, if there is one."""
        if self.publisher is not None:
            self.publisher.stop()
            self.publisher = None
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    async def leave(self, *, bye: bool = True) -> None:
        """End it. ``bye`` False: as if the line had been cut (the seat is kept for the lease)."""
        self.drop_media()
        if self.socket is not None:
            await self.socket.close(bye=bye)

    def _media_lives(self) -> bool:
        return self.connection is not None and not self.connection.closed.is_set()

    def _on_message(self, message: messages.FromServer) -> None:
        if isinstance(message, messages.FloorChanged | messages.Welcome):
            self._set_microphone()
        if self.on_message is not None:
            self.on_message(message)

    def _set_microphone(self) -> None:
        if self.follow_floor and self.publisher is not None and self.socket is not None and self.seat_id is not None:
            self.publisher.microphone.on = self.socket.room.holds_floor(self.seat_id)
