"""Listens to the audio levels of open gates and says who is speaking when that changes (RFC 6464)."""

from server.rtp.packet import RtpView
from server.sfu.outputs import ActiveSpeakers, TrackId
from server.sfu.speakers import WINDOW_S, SpeakerDetector
from server.sfu.switchboard import Switchboard
from server.sfu.uplink import Stream


class Listening:
    """Works on the switchboard beside Feeding. Costs nothing while nobody speaks: its timer runs only then."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._detector: SpeakerDetector[TrackId] = SpeakerDetector()
        self._heard: dict[int, Stream] = {}

    def hear(self, stream: Stream, packet: RtpView, now: float) -> None:
        """Add a packet's level to this window. Only called for open gates."""
        level = packet.extension(stream.level_id)
        if not level:
            return
        if not stream.level_count:
            self._heard[stream.key] = stream
            self._board.schedule.bring_forward("speakers", now + WINDOW_S, self._close_window)
        stream.level_sum += 127 - (level[0] & 0x7F)
        stream.level_count += 1

    def silence(self, stream: Stream) -> None:
        """The stream's gate closed or its peer left: it is struck out at once."""
        self._heard.pop(stream.key, None)
        stream.level_sum = stream.level_count = 0
        if self._detector.forget(stream.uplink.track):
            self._board.outputs.append(ActiveSpeakers(self._detector.active))

    def _close_window(self, now: float) -> None:
        loudness: dict[TrackId, float] = {}
        for stream in self._heard.values():
            loudness[stream.uplink.track] = stream.level_sum / stream.level_count
            stream.level_sum = stream.level_count = 0
        self._heard.clear()
        if self._detector.window(loudness):
            self._board.outputs.append(ActiveSpeakers(self._detector.active))
        if self._detector.active:
            self._board.schedule.bring_forward("speakers", now + WINDOW_S, self._close_window)
