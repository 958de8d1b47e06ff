"""A client that breaks the rules: it has a seat, it never gets the floor, and it sends its tone in every way it knows.

Each ``Trick`` makes one forged RTP packet of 20 ms of sound. What the packets are protected with is genuine: this is
an endpoint with an account, not a stranger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.bots import offer
from server.bots.connection import MediaConnection
from server.bots.loops import AudioLoop
from server.bots.streams import RtpStream, vp8_descriptor
from server.clock import Clock
from server.sfu.ports import TrackLabel

UNDECLARED_SSRC = 0x0BADF00D
LEVEL_DBOV = 5
"""Loud, so that a dominant-speaker choice would prefer it."""


@dataclass(frozen=True)
class Trick:
    """``prefix`` goes before the Opus frame (a payload descriptor, an original sequence number)."""

    name: str
    ssrc: int
    payload_type: int
    mid: str
    rid: str = ""
    prefix: Callable[[int], bytes] = lambda number: b""
    level: bool = True


def tricks(
    connection: MediaConnection, claims: offer.OfferPlan | None = None, victim_ssrcs: tuple[int, ...] = ()
) -> list[Trick]:
    """Every way to smuggle sound over one connection that has slots.

    ``claims``: the sends to pretend to have (the connection's own). ``victim_ssrcs``: SSRCs of who may speak.
    """
    sends = {track.label: track for track in (claims or connection.plan).sends}
    mic, camera, screen = sends[TrackLabel.MIC], sends[TrackLabel.CAMERA], sends[TrackLabel.SCREEN]
    (_, mic_ssrc, _), (_, camera_ssrc, camera_rtx) = mic.streams[0], camera.streams[0]
    slot = connection.plan.audio_mids[0]
    slot_ssrc = connection.reception.by_mid[slot].ssrc
    chosen = [
        Trick("the microphone without the floor", mic_ssrc, offer.OPUS, mic.mid),
        *(
            Trick(f"payload type {number} on the microphone", mic_ssrc, number, mic.mid)
            for number in (0, 8, 9, 63, offer.VP8, offer.VP8_RTX, 110, 127)
        ),
        Trick("Opus on the camera's SSRC", camera_ssrc, offer.OPUS, camera.mid),
        Trick("Opus on the camera's SSRC with the microphone's MID", camera_ssrc, offer.OPUS, mic.mid),
        Trick("sound dressed as VP8 on the camera", camera_ssrc, offer.VP8, camera.mid, prefix=_as_vp8, level=False),
        Trick("bare sound as VP8 on the camera", camera_ssrc, offer.VP8, camera.mid),
        Trick("Opus on the camera's retransmission SSRC", camera_rtx, offer.OPUS, camera.mid),
        Trick("sound as a retransmission", camera_rtx, offer.VP8_RTX, camera.mid, prefix=_as_retransmission),
        Trick("an undeclared SSRC with the microphone's MID", UNDECLARED_SSRC, offer.OPUS, mic.mid),
        Trick("an undeclared SSRC with the camera's MID", UNDECLARED_SSRC + 1, offer.OPUS, camera.mid),
        Trick("an undeclared SSRC with the screen's MID", UNDECLARED_SSRC + 2, offer.OPUS, screen.mid),
        Trick("an undeclared SSRC with a slot's MID", UNDECLARED_SSRC + 3, offer.OPUS, slot),
        Trick("an undeclared SSRC with nobody's MID", UNDECLARED_SSRC + 4, offer.OPUS, "99"),
        Trick("an undeclared SSRC without any MID", UNDECLARED_SSRC + 6, offer.OPUS, ""),
        Trick("an undeclared SSRC with a forged RID", UNDECLARED_SSRC + 5, offer.OPUS, mic.mid, rid="q"),
        Trick("the microphone with a slot's MID", mic_ssrc, offer.OPUS, slot),
        Trick("the microphone with the camera's MID", mic_ssrc, offer.OPUS, camera.mid),
        Trick("the SSRC of the own slot", slot_ssrc, offer.OPUS, slot),
    ]
    chosen += [Trick(f"the SSRC {ssrc} of who may speak", ssrc, offer.OPUS, mic.mid) for ssrc in victim_ssrcs]
    return chosen


class ModifiedClient:
    """Plays tricks over a connection. ``real`` are the streams it sent on before (stop their players first)."""

    def __init__(
        self, connection: MediaConnection, tone: AudioLoop, clock: Clock, real: Sequence[RtpStream] = ()
    ) -> None:
        self._connection = connection
        self._tone = tone
        self._clock = clock
        # One count an SSRC: SRTP's replay window would take anything else for a repetition.
        self._sequences = {stream.ssrc: stream.sequence for stream in real}
        self.sent = 0

    def send(self, trick: Trick, number: int) -> None:
        """The ``number``-th 20 ms of the tone by ``trick``, as one packet."""
        stream = RtpStream(trick.ssrc, trick.payload_type, 48_000, mid=trick.mid, rid=trick.rid)
        stream.sequence = self._sequences.get(trick.ssrc, 0)
        payload = trick.prefix(number) + self._tone.frames[number % len(self._tone.frames)]
        level = LEVEL_DBOV if trick.level else None
        self._connection.send_rtp(stream.packet(payload, 960 * number, False, self._clock.now(), level))
        self._sequences[trick.ssrc] = stream.sequence
        self.sent += 1


def _as_vp8(number: int) -> bytes:
    return vp8_descriptor(True, number & 0x7FFF) + b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xb4\x00"


def _as_retransmission(number: int) -> bytes:
    return (number & 0xFFFF).to_bytes(2, "big")
