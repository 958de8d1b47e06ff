"""The WebSocket of a meeting: reads what one client says, checks it, and asks the hub.

The life of a connection, and every message, is specified in docs/protocol.md.
"""

import asyncio
import logging
from typing import Annotated

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_websocket import WSMessageNoDecodeText

from server.errors import DiemcauError, InvalidInput, NotAuthenticated
from server.hub import Attendance
from server.signaling.auth import account_of, fingerprint, token_of
from server.signaling.connection import Connection
from server.signaling.connections import CONNECTIONS, Connections
from server.signaling.encoding import SharedEncoder, encode
from server.signaling.messages import (
    MAX_NUMBER,
    VERSION,
    Answer,
    AnsweredSlot,
    Ask,
    Bye,
    Done,
    FromClient,
    Hello,
    IceRestarted,
    IceServers,
    Offer,
    Ping,
    Pong,
    Refusal,
    RestartIce,
    ShowSlots,
    WatchSeat,
    Welcome,
    You,
)
from server.signaling.ratelimit import TokenBucket
from server.signaling.routing import Route
from server.signaling.services import Services, services_of

logger = logging.getLogger(__name__)

ENCODER = web.AppKey("encoder", SharedEncoder)

_CLOSE_S = 2.0
_MAX_ECHO = 32


class _Envelope(msgspec.Struct):
    """What can be said of a message that is otherwise not understood."""

    type: str = ""
    id: Annotated[int, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)] | None = None


_decoder = msgspec.json.Decoder(FromClient)
_envelope_decoder = msgspec.json.Decoder(_Envelope)


class _Ended(Exception):
    """The conversation is over; the connection has been told why."""


class MeetingSocket(web.WebSocketResponse):
    """A WebSocket that says ``too_large`` before it closes on a message over the limit (RFC 6455, 1009)."""

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        if code == WSCloseCode.MESSAGE_TOO_BIG and not self.closed:
            await self.send_frame(encode(Refusal(None, "too_large", "The message is too large.")), WSMsgType.TEXT)
        return await super().close(code=code, message=message, drain=drain)


async def serve_websocket(request: web.Request) -> web.StreamResponse:
    """GET /api/meetings/{meeting_id}/ws. Refused before the upgrade: 401, 403 (origin), 429, 503."""
    services = services_of(request)
    account = account_of(request)
    connections = request.app[CONNECTIONS]
    connections.check_room_for(account.account_id)
    socket = MeetingSocket(
        timeout=_CLOSE_S,
        heartbeat=services.config.heartbeat_s,
        compress=False,
        # aiohttp refuses what is as large as this, too.
        max_msg_size=services.config.max_message_bytes + 1,
        decode_text=False,
    )
    await socket.prepare(request)
    assert request.transport is not None
    connection = Connection(
        socket, request.transport.abort, account.account_id, fingerprint(token_of(request)), request.app[ENCODER]
    )
    connections.add(connection)
    carrier = asyncio.create_task(connection.carry_out(services.config.stall_s))
    try:
        await _Conversation(request, socket, connection, services, connections).run()
    finally:
        connection.end("lost", WSCloseCode.GOING_AWAY)
        try:
            await carrier
        finally:
            connections.merged.inc(connection.outbox.merged)
            connections.remove(connection, connection.reason)
            connection.mark_closed()
    return socket


class _Conversation:
    """One client's messages, in the order in which they came."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        connection: Connection,
        services: Services,
        connections: Connections,
    ) -> None:
        self._meeting_id = request.match_info["meeting_id"]
        self._token = token_of(request)
        self._account = account_of(request)
        self._socket = socket
        self._connection = connection
        self._services = services
        self._connections = connections
        now = services.clock.now()
        self._bucket = TokenBucket(services.config.messages_per_s, services.config.message_burst, now)
        self._check_at = now + services.config.session_check_s
        self._renew_at = float("inf")

    async def run(self) -> None:
        """Greet, then serve until either side ends it."""
        attendance: Attendance | None = None
        try:
            attendance = await self._greet()
            while True:
                await self._serve(attendance, await self._receive())
        except _Ended:
            pass
        finally:
            if attendance is not None:
                await self._part(attendance)

    async def _part(self, attendance: Attendance) -> None:
        if self._connection.reason == "bye":
            await attendance.leave()
        else:
            await attendance.lost()

    # --- the greeting ----------------------------------------------------------------------------

    async def _greet(self) -> Attendance:
        try:
            async with asyncio.timeout(self._services.config.hello_timeout_s):
                hello = await self._receive()
        except TimeoutError:
            raise self._fail("hello_timeout", "No hello came.", 408) from None
        if not isinstance(hello, Hello):
            raise self._fail("hello_expected", "The first message is hello.", 400)
        if hello.version != VERSION:
            raise self._fail("version_unsupported", f"This server speaks version {VERSION}.", 400)
        try:
            actor = await self._services.book.actor(self._account, self._meeting_id)
            attendance = await self._services.hub.attend(
                self._meeting_id, actor, self._connection, resume=hello.resume, take_over=hello.take_over
            )
        except DiemcauError as refusal:
            logger.info("%s may not join %s: %s", self._account.account_id, self._meeting_id, refusal.code)
            raise self._fail(refusal.code, refusal.detail, refusal.status) from None
        self._connection.greet(self._welcome(attendance))
        return attendance

    def _welcome(self, attendance: Attendance) -> Welcome:
        actor = attendance.actor
        now = self._services.clock.now()
        self._renew_at = self._services.relay.renew_at(now)
        return Welcome(
            version=VERSION,
            session=attendance.session,
            resume=attendance.resume,
            resumed=attendance.resumed,
            server_time=now,
            you=You(actor.account_id, actor.name, actor.role.value, actor.seat_id, attendance.may()),
            room=attendance.view(),
            ice_servers=self._services.relay.servers_for(actor.account_id, now),
            video_slots=self._services.media.video_slots,
        )

    # --- receiving -------------------------------------------------------------------------------

    async def _receive(self) -> FromClient:
        """The next valid message. Raises _Ended when there is none to come."""
        while True:
            await self._check_sign_in()
            self._renew_relay()
            try:
                async with asyncio.timeout(max(0.0, self._check_at - self._services.clock.now())):
                    frame = await self._socket.receive()
            except TimeoutError:
                continue
            message = self._parse(frame)
            if message is not None:
                self._connections.received.labels(type(message).__struct_config__.tag).inc()
                return message

    def _parse(self, frame: WSMessageNoDecodeText) -> FromClient | None:
        """One frame to a message; None: it was refused, and the next may come."""
        if frame.type is WSMsgType.ERROR and getattr(frame.data, "code", None) == WSCloseCode.MESSAGE_TOO_BIG:
            raise self._ended("too_large")
        if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            raise self._ended("lost")
        if not self._bucket.take(self._services.clock.now()):
            raise self._fail("too_many_messages", "Messages come faster than they may.", 429)
        if frame.type is WSMsgType.BINARY:
            raise self._fail("text_only", "Messages are JSON text frames.", 400)
        try:
            message: FromClient = _decoder.decode(frame.data)
        except msgspec.ValidationError as error:
            self._refuse_invalid(frame.data, str(error))
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._fail("malformed_json", "The message is not JSON as it may be.", 400) from None
        return message

    def _refuse_invalid(self, data: bytes, detail: str) -> None:
        try:
            envelope = _envelope_decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            envelope = _Envelope()
        if not self._connection.is_greeted:
            raise self._fail("invalid_message", detail, 400)
        self._connection.send(Refusal(envelope.id, "invalid_message", detail, envelope.type[:_MAX_ECHO]))

    async def _check_sign_in(self) -> None:
        """A sign-in that ended (signed out, disabled, expired) ends its WebSocket too."""
        now = self._services.clock.now()
        if now < self._check_at:
            return
        self._check_at = now + self._services.config.session_check_s
        try:
            await self._services.accounts.account_for(self._token, now)
        except NotAuthenticated:
            self._connection.close("signed_out", "The sign-in has ended.")
            raise _Ended from None
        except DiemcauError as error:
            # The store does not answer: nobody is sent out of a meeting for that.
            logger.warning("sign-in of %s could not be checked: %s", self._account.account_id, error.code)

    def _renew_relay(self) -> None:
        """Looked at as often as the sign-in; a session that goes on for days keeps a way round a firewall."""
        now = self._services.clock.now()
        if now >= self._renew_at:
            self._renew_at = self._services.relay.renew_at(now)
            self._connection.send(IceServers(self._services.relay.servers_for(self._account.account_id, now)))

    # --- serving ---------------------------------------------------------------------------------

    async def _serve(self, attendance: Attendance, message: FromClient) -> None:
        kind = str(type(message).__struct_config__.tag)
        command_id = message.id if isinstance(message, Ask) else None
        try:
            await self._act(attendance, message)
        except DiemcauError as refusal:
            self._connection.send(Refusal(command_id, refusal.code, refusal.detail, kind))
        except _Ended:
            raise
        except Exception:
            logger.exception("%s from %s in %s failed", kind, self._account.account_id, self._meeting_id)
            self._connection.send(Refusal(command_id, "internal_error", "The server failed at this.", kind))

    async def _act(self, attendance: Attendance, message: FromClient) -> None:
        match message:
            case Ask(id=command_id, command=command):
                await attendance.command(command)
                self._connection.send(Done(command_id))
            case Ping():
                attendance.line(message.rtt_ms, message.loss_percent, message.freezes)
                self._connection.send(Pong(message.sent_at, self._services.clock.now()))
            case Offer():
                await self._answer(attendance, message)
            case RestartIce(fragment=fragment):
                self._connection.send(IceRestarted(attendance.restart_ice(fragment)))
            case ShowSlots(sizes=sizes):
                attendance.show({size.mid: size.height for size in sizes})
            case WatchSeat(mid=mid, seat_id=seat_id):
                attendance.watch(mid, seat_id)
            case Bye():
                self._connection.end("bye", WSCloseCode.OK)
                raise _Ended
            case _:
                raise self._fail("hello_again", "hello is said once.", 400)

    async def _answer(self, attendance: Attendance, offer: Offer) -> None:
        labels = {track.mid: track.label for track in offer.tracks}
        if len(labels) != len(offer.tracks):
            raise InvalidInput("invalid_message", "Two tracks have the same mid.")
        answer = await attendance.offer(offer.sdp, labels)
        slots = tuple(AnsweredSlot(slot.mid, slot.kind, slot.index, slot.ssrc) for slot in answer.slots)
        self._connection.send(Answer(answer.sdp, slots))

    def _fail(self, code: str, detail: str, status: int) -> _Ended:
        self._connection.fail(code, detail, status)
        return _Ended()

    def _ended(self, reason: str) -> _Ended:
        self._connection.end(reason, WSCloseCode.OK)
        return _Ended()


ROUTES = (
    Route(
        method="GET",
        path="/api/meetings/{meeting_id}/ws",
        handler=serve_websocket,
        summary="The meeting's WebSocket: see docs/protocol.md",
        status=101,
    ),
)
