"""What one virtual endpoint sends: its camera at every rung, its microphone, over one media connection."""

import secrets
from collections.abc import Sequence

import msgspec

from server.bots import offer
from server.bots.connection import MediaConnection
from server.bots.drawing import Drawing
from server.bots.loops import AudioLoop, LoopShelf, Rung, VideoLoop
from server.bots.players import AudioPlayer, Pacer, Player, VideoPlayer
from server.bots.streams import RtpStream
from server.clock import Clock
from server.sfu.ports import TrackLabel

MIC_MID = "0"
CAMERA_MID = "1"
SCREEN_MID = "2"

SINGLE: tuple[Rung, ...] = (Rung("", 320, 180, 15, 150_000),)
SIMULCAST: tuple[Rung, ...] = (
    Rung("q", 320, 180, 15, 150_000),
    Rung("h", 640, 360, 15, 450_000),
    Rung("f", 1280, 720, 15, 1_200_000),
)


class Appearance(msgspec.Struct, frozen=True):
    """Encoded and ready: what the endpoint looks and sounds like."""

    rungs: tuple[Rung, ...]
    video: tuple[VideoLoop, ...]
    audio: AudioLoop


def make_appearance(
    shelf: LoopShelf, key: str, drawing: Drawing, frequency_hz: int, rungs: Sequence[Rung]
) -> Appearance:
    """Encode (or take from the shelf) the loops of one endpoint. CPU-bound: call it in a thread."""
    video = tuple(shelf.video(key, drawing, rung) for rung in rungs)
    return Appearance(tuple(rungs), video, shelf.audio(frequency_hz))


def plan_offer(
    rungs: Sequence[Rung] | None, *, audio_slots: int, video_slots: int, screen: bool = True
) -> offer.OfferPlan:
    """A session's plan with fresh SSRCs: mic, camera at ``rungs``, an empty screen, slots. ``rungs`` None: no sends."""
    sends: list[offer.SendTrack] = []
    if rungs is not None:
        sends.append(offer.SendTrack(MIC_MID, TrackLabel.MIC, (("", _ssrc(), 0),)))
        streams = tuple((rung.rid, _ssrc(), _ssrc()) for rung in rungs)
        sends.append(offer.SendTrack(CAMERA_MID, TrackLabel.CAMERA, streams))
        if screen:
            sends.append(offer.SendTrack(SCREEN_MID, TrackLabel.SCREEN))
    return offer.OfferPlan(tuple(sends), audio_slots, video_slots)


class Publisher:
    """Plays an appearance into a connection. The microphone starts silent; ``microphone.on`` is the tone."""

    def __init__(self, connection: MediaConnection, appearance: Appearance, pacer: Pacer, clock: Clock) -> None:
        self._pacer = pacer
        self._clock = clock
        begin_at = clock.now()
        sends = {track.label: track for track in connection.plan.sends}
        mic, camera = sends[TrackLabel.MIC], sends[TrackLabel.CAMERA]
        _, ssrc, _ = mic.streams[0]
        voice = RtpStream(ssrc, offer.OPUS, 48_000, mid=mic.mid)
        self.microphone = AudioPlayer(appearance.audio, voice, connection.send_rtp, begin_at)
        connection.add_stream(voice)
        self.streams: list[RtpStream] = [voice]
        self.cameras: list[VideoPlayer] = []
        for (rid, media_ssrc, rtx_ssrc), loop in zip(camera.streams, appearance.video, strict=True):
            stream = RtpStream(media_ssrc, offer.VP8, 90_000, mid=camera.mid, rid=rid, rtx=(rtx_ssrc, offer.VP8_RTX))
            player = VideoPlayer(loop, stream, connection.send_rtp, begin_at)
            connection.add_stream(stream, player.restart)
            self.streams.append(stream)
            self.cameras.append(player)

    def start(self) -> None:
        """Begin to send, at a phase of its own so that a full room does not send all at once."""
        now = self._clock.now()
        for player in self._players():
            self._pacer.add(player, now + secrets.randbelow(66) / 1_000)

    def stop(self) -> None:
        for player in self._players():
            self._pacer.remove(player)

    def _players(self) -> tuple[Player, ...]:
        return (self.microphone, *self.cameras)


def _ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFE) + 1
