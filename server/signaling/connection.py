"""One client's end of the line: what the hub tells goes into an outbox, one task carries the outbox out."""

import asyncio
import logging
from collections.abc import Callable, Hashable

from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from server.hub.ports import Feed, Link, Section
from server.signaling.encoding import SharedEncoder, encode, section_key
from server.signaling.messages import (
    Alarm,
    FromServer,
    GoodBye,
    Layers,
    Links,
    LinkView,
    Refusal,
    Shortage,
    SlotFeed,
    Slots,
    Welcome,
)
from server.signaling.outbox import Outbox

logger = logging.getLogger(__name__)

CLOSE_CODES: dict[str, int] = {
    "ended": WSCloseCode.OK,
    "draining": WSCloseCode.GOING_AWAY,
    "signed_out": 4401,
    "moved": 4409,
}
"""Close codes of a good-bye: RFC 6455's own, or 4000 + the HTTP status that says the same. Else 4403."""


class Connection:
    """Implements ``hub.Listener``. Its methods never block; ``carry_out`` runs until the good-bye is sent."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        abort: Callable[[], None],
        account_id: str,
        token_fingerprint: str,
        encoder: SharedEncoder,
    ) -> None:
        self._socket = socket
        self._abort = abort
        self.account_id = account_id
        self.token_fingerprint = token_fingerprint
        self._encoder = encoder
        self.outbox = Outbox()
        self._unsent_feeds: dict[str, SlotFeed] = {}
        self._unsent_links: dict[str, LinkView] = {}
        self._greeted = False
        self._wake = asyncio.Event()
        self._closed = asyncio.Event()
        self._close_code = 0
        self.reason = ""

    # --- hub.Listener ----------------------------------------------------------------------------

    def tell(self, section: Section) -> None:
        # Before the welcome there is no need: its room view is newer than anything told so far.
        if self._greeted:
            self._put(self._encoder.section(section), section_key(section))

    def feeds(self, feeds: tuple[Feed, ...]) -> None:
        if "slots" not in self.outbox:
            self._unsent_feeds.clear()
        self._unsent_feeds |= {feed.mid: SlotFeed(feed.mid, feed.seat_id, feed.track) for feed in feeds}
        self._put(encode(Slots(tuple(self._unsent_feeds.values()))), "slots")

    def speaking(self, seat_ids: tuple[str, ...]) -> None:
        self._put(self._encoder.speaking(seat_ids), "speaking")

    def layers(self, mid: str, rids: tuple[str, ...]) -> None:
        self._put(encode(Layers(mid, rids)), ("layers", mid))

    def shortage(self, level: str) -> None:
        self._put(encode(Shortage(level)), "shortage")

    def links(self, links: tuple[Link, ...]) -> None:
        if not links:
            return
        if "links" not in self.outbox:
            self._unsent_links.clear()
        self._unsent_links |= {link.seat_id: _link_view(link) for link in links}
        self._put(encode(Links(tuple(self._unsent_links.values()))), "links")

    def alarm(self, code: str, detail: str, since: float, active: bool) -> None:
        self._put(encode(Alarm(code, detail, since, active)), ("alarm", code))

    def close(self, code: str, detail: str) -> None:
        self.end(code, CLOSE_CODES.get(code, 4403), GoodBye(code, detail))

    # --- the conversation ------------------------------------------------------------------------

    def greet(self, welcome: Welcome) -> None:
        """Send the welcome, then what the hub had to say before it."""
        self._greeted = True
        self.outbox.put_first(encode(welcome))
        self._wake.set()

    def send(self, message: FromServer) -> None:
        """Queue an answer."""
        self._put(encode(message), None)

    def fail(self, code: str, detail: str, status: int) -> None:
        """Say what went wrong, then close with 4000 + ``status``."""
        if not self._greeted:
            self.outbox.clear()
        self.end(code, 4000 + status, Refusal(None, code, detail))

    def end(self, reason: str, close_code: int, message: FromServer | None = None) -> None:
        """Send what waits, then ``message``, then close. The first reason counts."""
        if self.reason:
            return
        if message is not None:
            self.outbox.put(encode(message))
        self.reason = reason
        self._close_code = close_code
        self._wake.set()

    @property
    def is_greeted(self) -> bool:
        return self._greeted

    @property
    def is_ending(self) -> bool:
        return bool(self.reason)

    async def carry_out(self, stall_s: float) -> None:
        """Send until ended. A client that takes nothing for ``stall_s`` is cut off."""
        try:
            while True:
                data = self.outbox.take()
                if data is not None:
                    async with asyncio.timeout(stall_s):
                        await self._socket.send_frame(data, WSMsgType.TEXT)
                elif self.is_ending:
                    await self._socket.close(code=self._close_code, message=self.reason.encode())
                    return
                else:
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            self.reason = "stalled"
            self._abort()
        except ClientConnectionResetError:
            self.reason = self.reason or "lost"

    def mark_closed(self) -> None:
        self._closed.set()

    async def wait_closed(self) -> None:
        """Return when the connection has been wound up."""
        await self._closed.wait()

    def _put(self, data: bytes, section: Hashable | None) -> None:
        if self.is_ending:
            return
        if not self.outbox.put(data, section):
            self.outbox.clear()
            self.fail("too_slow", "This client does not take what it is sent.", 429)
        elif self._greeted:
            self._wake.set()


def _link_view(link: Link) -> LinkView:
    return LinkView(
        link.seat_id,
        link.up_bps,
        link.down_bps,
        link.up_loss_percent,
        link.down_loss_percent,
        link.rtt_ms,
        link.media,
        link.freezes,
    )
