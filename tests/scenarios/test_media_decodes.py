"""A real encoder before the router and a real decoder behind it: a slot gives the right picture."""

from fractions import Fraction

import numpy as np
import pytest
from aiortc.codecs import depayload
from aiortc.codecs.base import Decoder, Encoder
from aiortc.codecs.h264 import H264Decoder, H264Encoder
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import VideoFrame

from server.rtp.packet import RtpView
from server.sfu.ports import Codec
from tests.sfu.hall import Hall
from tests.sfu.packets import H264, MID, VP8, camera, rtp, video_slot


class RealCamera:
    """Grey pictures of one brightness, encoded for real."""

    def __init__(self, peer: int, encoder: Encoder, codec: Codec, brightness: int) -> None:
        self.peer, self.encoder, self.codec, self.brightness = peer, encoder, codec, brightness
        self.sequence = 65_500
        self.count = 0

    def frame(self, key: bool) -> list[bytes]:
        picture = VideoFrame.from_ndarray(np.full((240, 320, 3), self.brightness, np.uint8), format="rgb24")
        picture.pts, picture.time_base = self.count * 3_000, Fraction(1, 90_000)
        self.count += 1
        payloads, timestamp = self.encoder.encode(picture, force_keyframe=key)
        packets = []
        for payload in payloads:
            self.sequence += 1
            last = payload is payloads[-1]
            extensions = ((MID, b"1"),)
            packets.append(rtp(self.codec.payload_type, self.sequence, timestamp, self.peer, payload, last, extensions))
        return packets


def decode(decoder: Decoder, codec: Codec, packets: list[RtpView]) -> list[int]:
    """The brightness of every picture that comes out, in order."""
    parameters = RTCRtpCodecParameters(f"video/{codec.name.upper()}", 90_000, payloadType=codec.payload_type)
    shown, data = [], b""
    for packet in packets:
        data += depayload(parameters, packet.payload)
        if packet.marker:
            frames = decoder.decode(JitterFrame(data, packet.timestamp))
            pictures = [frame.to_ndarray(format="gray") for frame in frames if isinstance(frame, VideoFrame)]
            shown += [int(np.median(picture)) for picture in pictures]
            data = b""
    return shown


@pytest.mark.parametrize(
    ("codec", "encoder", "decoder"), [(VP8, Vp8Encoder, Vp8Decoder), (H264, H264Encoder, H264Decoder)]
)
def test_pictures_come_out_across_switches(codec: Codec, encoder: type[Encoder], decoder: type[Decoder]) -> None:
    hall = Hall()
    cameras = [RealCamera(peer, encoder(), codec, brightness) for peer, brightness in ((1, 60), (2, 200))]
    for source in cameras:
        hall.join(source.peer, [camera(codecs=(codec,))])
        hall.open((source.peer, "1"))
    hall.join(9, slots=[video_slot(codecs=(codec,))])
    for target in (1, 2, 1):
        hall.assign(9, "v0", (target, "1"))
        for _ in range(8):
            for source in cameras:
                asked = hall.keyframe_requests(source.peer, source.peer)
                hall.feedback[source.peer].clear()
                hall.send(source.peer, source.frame(key=bool(asked)))
            hall.advance(1 / 30)
    shown = decode(decoder(), codec, hall.received[9])
    nearest = [min((60, 200), key=lambda brightness: abs(brightness - value)) for value in shown]
    first, second = nearest.index(200), len(nearest) - nearest[::-1].index(200)
    assert nearest == [60] * first + [200] * (second - first) + [60] * (len(nearest) - second)
    assert first >= 6
    assert second - first >= 6
    assert len(nearest) - second >= 6
    assert all(abs(value - wanted) < 25 for value, wanted in zip(shown, nearest, strict=True))
