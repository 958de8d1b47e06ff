"""What is sent when: loops on virtual time, and the pacer on the real loop."""

import asyncio

from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtpPacket

from server.bots import offer
from server.bots.loops import AudioLoop, VideoLoop
from server.bots.players import SILENT_OPUS, AudioPlayer, Pacer, VideoPlayer
from server.bots.streams import RtpStream
from server.clock import SystemClock

LOOP = VideoLoop(320, 180, 10, ((b"key-1", b"key-2"), (b"delta",), (b"delta",)))
TONE = AudioLoop((b"one", b"two"), 15)


def video_player(sent: list[RtpPacket]) -> VideoPlayer:
    stream = RtpStream(5, offer.VP8, 90_000, mid="1")
    return VideoPlayer(LOOP, stream, lambda data: sent.append(RtpPacket.parse(data)), 0.0)


def test_a_video_loop_goes_round_with_continuous_time_and_pictures() -> None:
    sent: list[RtpPacket] = []
    player = video_player(sent)
    due = [player.play(index * 0.1) for index in range(4)]
    assert [round(at or 0, 3) for at in due] == [0.1, 0.2, 0.3, 0.4]
    assert [packet.payload[4:] for packet in sent] == [b"key-1", b"key-2", b"delta", b"delta", b"key-1", b"key-2"]
    assert [packet.marker for packet in sent] == [0, 1, 1, 1, 0, 1]
    times = [packet.timestamp - sent[0].timestamp for packet in sent]
    assert times == [0, 0, 9_000, 18_000, 27_000, 27_000]
    pictures = [VpxPayloadDescriptor.parse(packet.payload)[0].picture_id for packet in sent]
    assert pictures == [0, 0, 1, 2, 3, 3]


def test_a_keyframe_request_is_answered_with_the_next_frame() -> None:
    sent: list[RtpPacket] = []
    player = video_player(sent)
    player.play(0.0)
    player.play(0.1)
    player.restart()
    player.play(0.2)
    assert sent[-2].payload[4:] == b"key-1"


def test_a_camera_switched_off_sends_nothing_and_comes_back_with_a_keyframe() -> None:
    sent: list[RtpPacket] = []
    player = video_player(sent)
    player.play(0.0)
    player.on = False
    player.play(0.1)
    assert len(sent) == 2
    player.on = True
    player.play(0.2)
    assert sent[2].payload[4:] == b"key-1"
    assert sent[2].timestamp - sent[0].timestamp == 18_000


def test_a_late_player_does_not_catch_up_in_a_burst() -> None:
    player = video_player([])
    player.play(0.0)
    assert player.play(100.0) == 100.1


def test_a_microphone_is_all_but_silent_until_it_is_on() -> None:
    sent: list[RtpPacket] = []
    stream = RtpStream(5, offer.OPUS, 48_000, mid="0")
    player = AudioPlayer(TONE, stream, lambda data: sent.append(RtpPacket.parse(data)), 0.0)
    for index in range(40):
        player.play(index * 0.02)
    assert [packet.payload for packet in sent] == [SILENT_OPUS, SILENT_OPUS]
    player.on = True
    for index in range(40, 44):
        player.play(index * 0.02)
    assert [packet.payload for packet in sent[2:]] == [b"one", b"two", b"one", b"two"]
    assert [packet.timestamp - sent[0].timestamp for packet in sent[2:]] == [960 * index for index in range(40, 44)]


async def test_the_pacer_plays_each_at_its_time_until_removed() -> None:
    clock = SystemClock()
    pacer = Pacer(clock)
    enough = asyncio.Event()

    class Counting:
        def __init__(self, interval_s: float) -> None:
            self.interval_s = interval_s
            self.times: list[float] = []

        def play(self, now: float) -> float | None:
            self.times.append(now)
            if len(self.times) == 20:
                enough.set()
            return now + self.interval_s

    fast, slow, once = Counting(0.005), Counting(0.05), Counting(1_000.0)
    for player in (slow, fast, once):
        pacer.add(player, clock.now())
    await asyncio.wait_for(enough.wait(), 10)
    assert len(fast.times) > len(slow.times) > 1
    assert len(once.times) == 1
    pacer.remove(fast)
    pacer.close()
    assert fast.times == sorted(fast.times)
