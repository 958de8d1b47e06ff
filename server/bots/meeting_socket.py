"""The client's side of the signalling WebSocket (docs/protocol.md), signed in by bearer token."""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence

import aiohttp
import msgspec

from server.bots.room_mirror import RoomMirror
from server.errors import DiemcauError, Unavailable
from server.room.commands import PersonCommand
from server.signaling import messages

ANSWER_WITHIN_S = 10.0
PING_INTERVAL_S = 5.0
_MAX_MESSAGE_OCTETS = 4 << 20
_FROM_SERVER = msgspec.json.Decoder(messages.FromServer)
_ENCODER = msgspec.json.Encoder()


class Refused(DiemcauError):
    """The server said no; ``code`` is its code."""


class MeetingSocket:
    """One session. ``room`` mirrors the room; ``until`` waits for it to become as wanted.

    ``closed`` is set when the socket is gone; ``good_bye`` then holds the server's words, None where there were none.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, meeting_id: str, token: str) -> None:
        """``url`` is the server's base, ``http://host:port``."""
        self.room = RoomMirror()
        self.welcome: messages.Welcome | None = None
        self.good_bye: messages.GoodBye | None = None
        self.closed = asyncio.Event()
        self.on_message: Callable[[messages.FromServer], None] | None = None
        self._http = http
        self._url = f"{url}/api/meetings/{meeting_id}/ws"
        self._token = token
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._numbers = itertools.count(1)
        self._answers: dict[int | str, asyncio.Future[messages.FromServer]] = {}
        self._changed = asyncio.Event()

    async def open(self, *, resume: str | None = None, take_over: bool = False) -> messages.Welcome:
        """Connect and say hello. Raises Unavailable("server_unreachable") or Refused with the server's code."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            self._socket = await self._http.ws_connect(
                self._url, headers=headers, max_msg_size=_MAX_MESSAGE_OCTETS, heartbeat=30.0
            )
        except aiohttp.WSServerHandshakeError as error:
            raise Refused(f"http_{error.status}", f"{self._url}: {error.status} {error.message}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable("server_unreachable", f"{self._url}: {error or type(error).__name__}") from error
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._ping())]
        hello = messages.Hello(messages.VERSION, "diemcau bots", resume, take_over)
        answer = await self._ask("welcome", hello)
        assert isinstance(answer, messages.Welcome)
        self.welcome = answer
        return answer

    async def offer(self, sdp: str, tracks: Sequence[messages.OfferedTrack]) -> messages.Answer:
        """Send the one offer. Raises Refused (``bad_sdp``, ``in_lobby``, ...)."""
        answer = await self._ask("answer", messages.Offer(sdp, list(tracks)))
        assert isinstance(answer, messages.Answer)
        return answer

    async def command(self, body: PersonCommand) -> None:
        """Carry out a room command. Raises Refused with the room's code."""
        number = next(self._numbers)
        await self._ask(number, messages.Ask(number, body))

    async def show(self, heights: Mapping[str, int]) -> None:
        """Say how tall video slots are shown, in device pixels by mid; 0: hidden."""
        await self.send(messages.ShowSlots([messages.SlotSize(mid, height) for mid, height in heights.items()]))

    async def watch(self, mid: str, seat_id: str | None) -> None:
        """Moderators: preview a seat's camera in an own slot."""
        await self.send(messages.WatchSeat(mid, seat_id))

    async def until(self, wanted: Callable[[RoomMirror], bool], timeout_s: float = ANSWER_WITHIN_S) -> None:
        """Wait until the room is as ``wanted``. Raises TimeoutError, Refused where the socket ended before."""
        async with asyncio.timeout(timeout_s):
            while not wanted(self.room):
                if self.closed.is_set():
                    raise self._over()
                self._changed.clear()
                await self._changed.wait()

    async def send(self, message: messages.FromClient) -> None:
        """Send without waiting for an answer. Nothing where the socket is gone."""
        if self._socket is not None and not self._socket.closed:
            try:
                await self._socket.send_str(_ENCODER.encode(message).decode())
            except (ConnectionError, aiohttp.ClientError):
                self._end()

    async def close(self, *, bye: bool = True) -> None:
        """Leave: with a good-bye the seat is free at once, without one it is kept for the lease (as a lost line)."""
        if bye and not self.closed.is_set():
            await self.send(messages.Bye())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        self._end()

    async def _ask(self, key: int | str, message: messages.FromClient) -> messages.FromServer:
        future: asyncio.Future[messages.FromServer] = asyncio.get_running_loop().create_future()
        self._answers[key] = future
        try:
            await self.send(message)
            if self.closed.is_set():
                raise self._over()
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await future
        except TimeoutError:
            raise Unavailable("no_answer", f"no answer to {type(message).__name__} in {ANSWER_WITHIN_S} s") from None
        finally:
            self._answers.pop(key, None)
        if isinstance(answer, messages.Refusal):
            raise Refused(answer.code, answer.detail)
        return answer

    async def _read(self) -> None:
        assert self._socket is not None
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            message: messages.FromServer = _FROM_SERVER.decode(frame.data)
            self._take(message)
        self._end()

    def _take(self, message: messages.FromServer) -> None:
        self.room.take(message)
        match message:
            case messages.Welcome():
                self._answer("welcome", message)
            case messages.Answer():
                self._answer("answer", message)
            case messages.Done(id=number):
                self._answer(number, message)
            case messages.Refusal(id=None, about=about):
                self._answer("answer" if about == "offer" else "welcome", message)
            case messages.Refusal(id=number) if number is not None:
                self._answer(number, message)
            case messages.GoodBye():
                self.good_bye = message
        self._changed.set()
        if self.on_message is not None:
            self.on_message(message)

    def _answer(self, key: int | str, message: messages.FromServer) -> None:
        future = self._answers.get(key)
        if future is not None and not future.done():
            future.set_result(message)

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PING_INTERVAL_S)
            await self.send(messages.Ping(sent_at=loop.time()))

    def _end(self) -> None:
        if self.closed.is_set():
            return
        self.closed.set()
        self._changed.set()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(self._over())

    def _over(self) -> Refused:
        if self.good_bye is not None:
            return Refused(self.good_bye.code, self.good_bye.detail)
        return Refused("socket_closed", "the server closed the WebSocket")
