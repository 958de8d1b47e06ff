"""Packets that ffmpeg makes of a real encoder's output, one list a frame."""

import socket
from itertools import pairwise

import av
import numpy as np


def packets_of(codec: str, frames: int, gop: int, **options: str) -> list[list[bytes]]:
    """Encode a moving picture of 320x180 and packetize it as RTP, whole datagrams; every ``gop`` frames a key frame."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        url = f"rtp://127.0.0.1:{receiver.getsockname()[1]}?pkt_size=1200"
        with av.open(url, "w", format="rtp", options={"strict": "experimental"}) as output:
            stream = output.add_stream(codec, rate=30)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 180, "yuv420p", gop
            stream.bit_rate = 300_000
            stream.options = dict[str, object](options)
            for number in range(frames):
                pixels = np.roll(
                    np.arange(180 * 320 * 3, dtype=np.uint32).reshape(180, 320, 3) // 61, 9 * number, axis=1
                )
                picture = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")
                output.mux(stream.encode(picture))
            output.mux(stream.encode(None))
        receiver.setblocking(False)
        datagrams = []
        try:
            while True:
                datagrams.append(receiver.recv(2_000))
        except BlockingIOError:
            pass
    # RTCP has packet types 200 to 204 where RTP has the marker and a payload type.
    datagrams = [datagram for datagram in datagrams if not 200 <= datagram[1] <= 204]
    ends = [0, *(index + 1 for index, datagram in enumerate(datagrams) if datagram[1] & 0x80)]
    return [datagrams[begin:end] for begin, end in pairwise(ends)]
