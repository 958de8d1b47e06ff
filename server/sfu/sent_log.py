"""What one viewer was sent lately, by transport-wide number: written by whoever sends, read when its feedback comes.

Plain arrays, so that a C fan-out writes them in place (by the buffer protocol) while the router reads them here.
Source: draft-holmer-rmcat-transport-wide-cc-extensions-01.
"""

from array import array

from server.rtp.sequence import unwrap16

SENT_LOG_PACKETS = 2_048
"""A power of two. A second of 20 Mbit/s; feedback comes ten times a second or more."""


class SentLog:
    """One per destination, shared by all its flows. Entry ``number % SENT_LOG_PACKETS`` is that packet's.

    ``next_number[0]`` is the number the next packet gets, counted in 32 bits; the packet bears the low 16. ``sent_at``
    has Unix seconds, ``octets`` the incoming packet's length (a copy's own differs by a few).
    """

    __slots__ = ("next_number", "octets", "sent_at")

    def __init__(self) -> None:
        self.next_number = array("I", [0])
        self.sent_at = array("d", bytes(8 * SENT_LOG_PACKETS))
        self.octets = array("I", bytes(4 * SENT_LOG_PACKETS))

    def take(self, octets: int, now: float) -> int:
        """Number a packet of ``octets`` that goes out now, and remember it. Returns the 16 bits it bears."""
        number = self.next_number[0]
        self.next_number[0] = number + 1 & 0xFFFFFFFF
        place = number & SENT_LOG_PACKETS - 1
        self.sent_at[place] = now
        self.octets[place] = octets
        return number & 0xFFFF

    def find(self, number: int) -> tuple[int, float, int] | None:
        """(extended number, when, octets) of the packet that bears ``number``; None where it is not known."""
        coming = self.next_number[0]
        extended = unwrap16(number, coming - 1)
        if not 0 <= coming - 1 - extended < min(coming, SENT_LOG_PACKETS):
            return None
        place = extended & SENT_LOG_PACKETS - 1
        return extended, self.sent_at[place], self.octets[place]
