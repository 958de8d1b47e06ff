"""When a publisher's numbered packets came, for its transport-wide feedback: the sender works out what fits itself."""

from server.rtp.packet import RtpView
from server.rtp.sequence import unwrap16
from server.rtp.transport_cc import MAX_NUMBERS, TICKS_A_SECOND, write_transport_feedback

FEEDBACK_INTERVAL_S = 0.1
"""libwebrtc's usual; a feedback of 20 packets takes about 60 octets."""
_REMEMBERED = 512
_MEMORY_TICKS = 4 * TICKS_A_SECOND


class ArrivalLog:
    """One per peer: the numbers run through all its streams. Bounded by MAX_NUMBERS a feedback."""

    __slots__ = ("_arrived", "_fresh", "_highest", "_number", "_origin_s", "_unreported")

    def __init__(self, now: float) -> None:
        self._origin_s = now
        self._fresh: list[tuple[bytes, float]] = []
        self._arrived: dict[int, int] = {}
        self._highest: int | None = None
        self._unreported = 0
        """All below have been reported, as come or as lost."""
        self._number = 0

    def arrived(self, packet: RtpView, extension_id: int, now: float) -> bool:
        """Note a packet that bears its number in ``extension_id``. True: it is the first since the last feedback."""
        value = packet.extension(extension_id)
        if value is None or len(value) != 2 or len(self._fresh) >= MAX_NUMBERS:
            return False
        self._fresh.append((value, now))
        return len(self._fresh) == 1

    def take(self, local_ssrc: int, media_ssrc: int) -> bytes:
        """The feedback about what came since the last; b"" where nothing did that is worth one."""
        numbers = [number for value, at in self._fresh if (number := self._note(value, at)) is not None]
        self._fresh.clear()
        if not numbers or self._highest is None:
            return b""
        first = max(min(self._unreported, *numbers), self._highest - MAX_NUMBERS + 1)
        newest = self._arrived[numbers[-1]]
        ticks = [self._arrived.get(number) for number in range(first, self._highest + 1)]
        feedback = write_transport_feedback(
            local_ssrc,
            media_ssrc,
            first,
            self._number,
            [None if tick is None or abs(tick - newest) > _MEMORY_TICKS else tick for tick in ticks],
        )
        self._number += 1
        self._unreported = self._highest + 1
        if len(self._arrived) > 2 * _REMEMBERED:
            kept = self._highest - _REMEMBERED
            self._arrived = {number: tick for number, tick in self._arrived.items() if number > kept}
        return feedback

    def _note(self, value: bytes, at: float) -> int | None:
        """Unwrap and keep one. None: too old, or seen before."""
        bare = value[0] << 8 | value[1]
        if self._highest is None:
            self._highest = self._unreported = 0x10000 + bare
        number = unwrap16(bare, self._highest)
        if number - self._highest > _REMEMBERED:
            # The sender jumped ahead: what lies between was never sent.
            self._unreported = number
            self._arrived.clear()
        elif number <= self._highest - _REMEMBERED or number in self._arrived:
            return None
        self._highest = max(number, self._highest)
        self._arrived[number] = round((at - self._origin_s) * TICKS_A_SECOND)
        return number
