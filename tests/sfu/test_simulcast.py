"""Layers of one track: by the size shown, by the viewer's bandwidth, and by what the sender still sends."""

from itertools import pairwise

import pytest

from server.rtp import rtcp
from server.rtp.transport_cc import write_transport_feedback
from server.sfu.budget import PROVE_S
from server.sfu.outputs import SlotFed
from server.sfu.ports import Codec, TrackLabel, UplinkSpec
from tests.sfu.hall import Hall, assert_unbroken
from tests.sfu.packets import H264, MID, RID, VP8, Camera, Microphone, audio_slot, camera, mic, rtp, video_slot

TRACK = (1, "1")
RIDS = ("q", "h", "f")
HEIGHTS = {"q": 180, "h": 360, "f": 720}
OCTETS = {"q": 100, "h": 400, "f": 1_000}
SSRC = {"q": 51, "h": 52, "f": 53}


class Simulcast:
    """Three layers of one camera at 30 frames a second; a key frame a layer when it is asked for."""

    def __init__(self, hall: Hall, peer: int = 1) -> None:
        self.hall = hall
        self.peer = peer
        self.layers = {
            rid: Camera(
                ssrc=SSRC[rid] + 100 * peer,
                rid=rid,
                sequence=1_000 * index + 100,
                timestamp=77_777 * index + 5,
                height=HEIGHTS[rid],
                packet_octets=OCTETS[rid],
            )
            for index, rid in enumerate(RIDS)
        }
        self.sending = set(RIDS)
        self._answered = 0
        self.ntp_offset_s = 0.0

    def play(self, seconds: float, voice: Microphone | None = None) -> None:
        for _ in range(round(seconds * 30)):
            self.frame(voice)
            self.hall.advance(1 / 30)

    def frame(self, voice: Microphone | None = None) -> None:
        asked = self._asked()
        for rid, source in self.layers.items():
            if rid in self.sending:
                self.hall.send(self.peer, source.frame(self.hall.now, key=source.ssrc in asked))
            else:
                source.timestamp += 3_000
        if voice is not None:
            self.hall.send(self.peer, voice.packet())

    def report(self) -> None:
        """A sender report of each layer, all saying the same capture time for the same frame."""
        ntp = rtcp.ntp_from_unix(self.hall.now + self.ntp_offset_s)
        for source in self.layers.values():
            self.hall.report(self.peer, rtcp.sender_report(source.ssrc, ntp, source.timestamp, 1, 1))

    def _asked(self) -> set[int]:
        """The SSRCs a key frame was asked of since the last frame."""
        fresh = self.hall.feedback[self.peer][self._answered :]
        self._answered += len(fresh)
        packets = [packet for _, packet in fresh if isinstance(packet, rtcp.RtcpPsfbPacket)]
        return {ssrc for packet in packets for ssrc in rtcp.keyframe_ssrcs(packet)}


PLAIN_VP8 = Codec(96, "vp8", 90_000, nack=True, pli=True, remb=True)


def hall_with_simulcast(*slots: int, audio: bool = False, codec: Codec = VP8) -> tuple[Hall, Simulcast]:
    hall = Hall()
    hall.join(1, [mic(), camera(codecs=(VP8,), rids=RIDS)])
    pictures = [video_slot(index, codecs=(codec,)) for index in slots or (0,)]
    hall.join(2, slots=[*([audio_slot()] if audio else []), *pictures])
    hall.open(TRACK, (1, "0"))
    return hall, Simulcast(hall)


def shown(hall: Hall, peer: int = 2, packets: int = 3, ssrc: int = 9_000) -> str:
    """The layer of the last packets a slot got, by their size."""
    last = [packet for packet in hall.received[peer] if packet.ssrc == ssrc][-packets:]
    sizes = {min(OCTETS, key=lambda rid: abs(OCTETS[rid] - packet.payload_length)) for packet in last}
    assert len(sizes) == 1
    return sizes.pop()


def remb(hall: Hall, bitrate_bps: int, peer: int = 2) -> None:
    hall.report(peer, rtcp.remb(1, bitrate_bps, [9_000]))


@pytest.mark.parametrize(("height", "rid"), [(100, "q"), (400, "h"), (1_080, "f"), (None, "f")])
def test_by_the_size_shown(height: int | None, rid: str) -> None:
    hall, source = hall_with_simulcast()
    if height is not None:
        hall.show(2, "v0", height)
    hall.assign(2, "v0", TRACK)
    source.play(2.0)
    assert shown(hall) == rid
    assert_unbroken(hall.received[2])
    assert [fed.track for fed in hall.fed if fed.track] == [TRACK]


def test_resizing_switches_layers_without_a_seam() -> None:
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    for height, rid in ((720, "f"), (90, "q"), (360, "h"), (720, "f")):
        hall.show(2, "v0", height)
        source.play(1.0)
        assert shown(hall) == rid
    assert_unbroken(hall.received[2])
    assert len(hall.received[2]) >= 3 * 115, "the old layer shows until the new one has its key frame"


@pytest.mark.parametrize("offset_s", [0.0, -1_000_000.0, 40.0])
def test_layers_line_up_by_their_sender_reports(offset_s: float) -> None:
    """Whatever the sender's clock says, a layer switch keeps the capture times: each frame is 3000 after the last.

    Only a frame that is shown once more, by the new layer, comes one tick after itself.
    """
    hall, source = hall_with_simulcast()
    source.ntp_offset_s = offset_s
    hall.show(2, "v0", 90)
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    source.report()
    for height in (720, 90, 360):
        # Arrival times say nothing exact: the switch happens in the middle between two frames.
        hall.advance(0.012)
        hall.show(2, "v0", height)
        source.play(0.5)
    stamps = sorted({packet.timestamp for packet in hall.received[2]})
    assert {after - before for before, after in pairwise(stamps)} <= {1, 3_000}
    assert_unbroken(hall.received[2])


def test_forged_sender_reports_do_not_throw_the_timestamps() -> None:
    hall, source = hall_with_simulcast()
    hall.show(2, "v0", 90)
    hall.assign(2, "v0", TRACK)
    source.play(0.5)
    for index, layer in enumerate(source.layers.values()):
        hall.report(1, rtcp.sender_report(layer.ssrc, index << 62, 12_345, 1, 1))
    hall.show(2, "v0", 720)
    source.play(0.5)
    assert shown(hall) == "f"
    stamps = [packet.timestamp for packet in hall.received[2]]
    assert max(stamps) - min(stamps) < 1.1 * 90_000
    assert_unbroken(hall.received[2])


def test_a_layer_its_sender_switched_off_is_replaced() -> None:
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    assert shown(hall) == "f"
    source.sending = {"q", "h"}
    source.play(1.2)
    assert shown(hall) == "h"
    source.sending = {"q", "h", "f"}
    source.play(1.0)
    assert shown(hall) == "f"
    assert_unbroken(hall.received[2])


def test_a_camera_that_stops_altogether_and_comes_back() -> None:
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    source.sending = set()
    source.play(20.0)
    assert hall.router.flows.by_stream == {}
    assert [layer.bitrate_bps for layer in hall.router.track_stats(TRACK, hall.now).layers] == [0, 0, 0]
    source.sending = set(RIDS)
    source.play(1.0)
    assert shown(hall) == "f"
    assert_unbroken(hall.received[2])
    assert hall.fed == [SlotFed(2, "v0", TRACK)]


def test_by_the_viewers_bandwidth_and_back_by_trials() -> None:
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    remb(hall, 5_000_000)
    source.play(3.0)
    assert shown(hall) == "f"
    remb(hall, 400_000)
    source.play(0.5)
    assert shown(hall) == "h"
    remb(hall, 120_000)
    source.play(0.5)
    assert shown(hall) == "q"
    remb(hall, 20_000)
    before = len(hall.received[2])
    source.play(1.0)
    assert len(hall.received[2]) <= before + 3, "paused"
    for _ in range(20):
        source.play(1.0)
        remb(hall, 20_000)
    assert len(hall.received[2]) > before + 3, "a trial"
    for _ in range(60):
        source.play(0.5)
        received = hall.received[2][-15 * 3 :]
        remb(hall, int(1.4 * 8 * 2 * sum(len(packet.data) for packet in received)) + 20_000)
    assert shown(hall) == "f"
    assert_unbroken(hall.received[2])


def test_a_trial_that_hurts_ends_and_the_next_waits_longer() -> None:
    """Who cannot be sent padding is sent the step itself."""
    hall, source = hall_with_simulcast(codec=PLAIN_VP8)
    hall.assign(2, "v0", TRACK)
    source.play(3.0)
    remb(hall, 150_000)
    source.play(1.0)
    assert shown(hall) == "q"
    tried: list[float] = []
    for _ in range(90):
        source.play(0.5)
        if shown(hall) != "q":
            tried.append(hall.now)
            remb(hall, 100_000)
            source.play(0.3)
            remb(hall, 150_000)
    assert len(tried) >= 2
    assert all(later - earlier > 7.0 for earlier, later in pairwise(tried))


def test_a_trial_that_loses_packets_ends() -> None:
    hall, source = hall_with_simulcast(codec=PLAIN_VP8)
    hall.assign(2, "v0", TRACK)
    source.play(3.0)
    remb(hall, 150_000)
    lost(hall, highest=100, packets=0)
    while shown(hall) != "h":
        source.play(0.5)
    lost(hall, highest=200, packets=40)
    source.play(0.5)
    assert shown(hall) == "q"


def lost(hall: Hall, highest: int, packets: int) -> None:
    block = rtcp.RtcpReceiverInfo(9_000, 60, packets, highest, 0, 0, 0)
    hall.report(2, rtcp.receiver_report(1, [block]))


def test_before_a_layer_is_raised_padding_proves_the_room() -> None:
    """The padding is RTX of what was sent, nothing is seen of it, and the raise comes only after it stood."""
    hall, source = hall_with_simulcast()
    hall.assign(2, "v0", TRACK)
    source.play(3.0)
    remb(hall, 150_000)
    source.play(1.0)
    assert (shown(hall), hall.resent[2]) == ("q", [])
    began = 0.0
    while shown(hall) == "q":
        source.play(0.1)
        began = began or (hall.now if hall.resent[2] else 0.0)
    assert PROVE_S - 0.1 <= hall.now - began < PROVE_S + 1.0
    sent = {packet.sequence: packet.payload for packet in hall.received[2]}
    for packet in hall.resent[2]:
        assert packet.ssrc == 9_500
        original = int.from_bytes(packet.payload[:2], "big")
        assert sent[original] == packet.payload[2:]
    sequences = [packet.sequence for packet in hall.resent[2]]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    assert_unbroken(hall.received[2])


def test_a_probe_ends_with_congestion_or_with_the_picture_it_fills_up() -> None:
    for end in (lambda hall: remb(hall, 120_000), lambda hall: hall.show(2, "v0", 0)):
        hall, source = hall_with_simulcast()
        hall.assign(2, "v0", TRACK)
        source.play(3.0)
        remb(hall, 150_000)
        while len(hall.resent[2]) < 20:
            source.play(0.1)
        end(hall)
        source.play(0.1)
        count = len(hall.resent[2])
        source.play(1.0)
        assert len(hall.resent[2]) == count


def test_a_camera_that_grows_keeps_its_picture_while_the_line_says_nothing() -> None:
    """As Chromium does: its first estimates are those of a line that carried little, and creep after what is sent."""
    hall = Hall()
    hall.join(1, [mic(), camera(codecs=(VP8,))])
    hall.join(2, slots=[audio_slot(), video_slot()])
    hall.open(TRACK, (1, "0"))
    hall.assign(2, "v0", TRACK)
    hall.assign(2, "a0", (1, "0"))
    source, voice, estimate_bps = Camera(packets_per_frame=1), Microphone(), 45_000.0
    for second in range(25):
        source.packet_octets = int(min(700, 150 * 1.15**second))
        for frame in range(30):
            hall.send(1, source.frame(hall.now, key=second == frame == 0))
            hall.send(1, voice.packet())
            hall.advance(1 / 30)
        remb(hall, int(estimate_bps))
        estimate_bps = min(110_000, 1.08 * estimate_bps)
    assert len([packet for packet in hall.received[2] if packet.ssrc == 9_000]) == 25 * 30


def test_a_viewers_transport_wide_feedback_counts_where_it_is_wanted() -> None:
    numbered = Codec(96, "vp8", 90_000, rtx_payload_type=97, nack=True, pli=True, transport_cc=True)
    for codec, expected in ((numbered, "q"), (VP8, "f")):
        hall, source = hall_with_simulcast(codec=codec)
        hall.assign(2, "v0", TRACK)
        source.play(1.0)
        # Ever later than sent: a queue that builds up.
        for step in range(40):
            ticks = [1_000_000 + 480 * step + index for index in range(3)]
            for _ in range(2):
                hall.report(2, write_transport_feedback(1, 9_000, 3 * step, step, ticks))
            source.play(0.05)
        assert shown(hall) == expected


def test_sound_first_then_slot_0_then_the_rest() -> None:
    hall, source = hall_with_simulcast(0, 1, 2, audio=True)
    hall.assign(2, "a0", (1, "0"))
    for mid in ("v2", "v1", "v0"):
        hall.assign(2, mid, TRACK)
    voice = Microphone(ssrc=99)
    source.play(3.0, voice)
    remb(hall, 550_000)
    source.play(1.0, voice)
    hall.received[2].clear()
    source.play(1.0, voice)
    got = [sum(1 for packet in hall.received[2] if packet.ssrc == 9_000 + index) for index in range(3)]
    assert shown(hall, ssrc=9_000) == "h"
    assert shown(hall, ssrc=9_001) == "q"
    assert shown(hall, ssrc=9_002) == "q"
    assert got == [90, 90, 90]
    remb(hall, 60_000)
    source.play(0.5, voice)
    hall.received[2].clear()
    source.play(1.0, voice)
    assert {packet.ssrc for packet in hall.received[2]} == {8_000}
    assert len(hall.received[2]) == 30


def test_watching_layers_ends_with_the_gate() -> None:
    hall, source = hall_with_simulcast()
    source.play(1.0)
    hall.close(TRACK)
    source.play(2.0)
    source.sending = {"q"}
    hall.open(TRACK)
    source.play(2.0)
    hall.assign(2, "v0", TRACK)
    source.play(1.0)
    assert shown(hall) == "q"


def test_a_layer_in_another_codec_is_not_for_a_viewer_who_cannot_take_it() -> None:
    hall = Hall()
    hall.join(1, [camera(rids=("q", "f"))])
    hall.join(2, slots=[video_slot(codecs=(VP8,))])
    hall.join(3, slots=[video_slot(codecs=(H264,), ssrc=7_000)])
    hall.open(TRACK)
    hall.assign(2, "v0", TRACK)
    hall.assign(3, "v0", TRACK)
    hall.send(1, rtp(102, 7, 1, 53, b"\x67sps", extensions=((MID, b"1"), (RID, b"f"))))
    hall.send(1, Camera(ssrc=51, rid="q").frame(hall.now, key=True))
    assert {packet.payload_type for packet in hall.received[2]} == {96}
    assert {packet.payload_type for packet in hall.received[3]} == {102}


def test_a_key_frame_too_short_to_tell_its_size() -> None:
    hall = Hall()
    hall.join(1, [camera(codecs=(VP8,))])
    hall.open(TRACK)
    hall.send(1, rtp(96, 7, 1, 53, b"\x10\x10\x00", extensions=((MID, b"1"),)))
    assert hall.router.track_stats(TRACK, hall.now).layers[0].height == 0


def test_a_change_of_source_keeps_the_room_that_is_there() -> None:
    hall, source = hall_with_simulcast()
    hall.join(3, [camera(codecs=(VP8,), rids=RIDS)])
    other = Simulcast(hall, 3)
    hall.open((3, "1"))

    def play(seconds: float) -> None:
        for _ in range(round(30 * seconds)):
            source.frame()
            other.play(1 / 30)

    hall.assign(2, "v0", TRACK)
    play(3.0)
    remb(hall, 300_000)
    play(1.0)
    assert shown(hall) == "h"
    hall.assign(2, "v0", (3, "1"))
    play(1.0)
    assert shown(hall) == "h"
    assert hall.fed[-1].track == (3, "1")


def test_a_screen_is_sharp_before_the_small_pictures_are_seen() -> None:
    """It lies in the last slot, and its text comes before the faces in the slots between."""
    hall = Hall()
    screen = camera("2", codecs=(VP8,))
    hall.join(1, [camera(codecs=(VP8,), rids=RIDS)])
    hall.join(4, [UplinkSpec("2", screen.kind, TrackLabel.SCREEN, screen.codecs, screen.extensions)])
    hall.join(2, slots=[video_slot(index) for index in range(3)])
    hall.open(TRACK, (4, "2"))
    source, text = Simulcast(hall), Camera(ssrc=900, mid="2", packet_octets=1_000)
    for mid, track in (("v0", TRACK), ("v1", TRACK), ("v2", (4, "2"))):
        hall.assign(2, mid, track)
    hall.show(2, "v0", 180)
    for frame in range(120):
        hall.send(4, text.frame(hall.now, key=frame % 30 == 0))
        source.play(1 / 30)
        if frame in (50, 60):
            remb(hall, {50: 2_000_000, 60: 800_000}[frame])
    hall.received[2].clear()
    hall.send(4, text.frame(hall.now))
    source.play(0.5)
    assert any(packet.ssrc == 9_002 for packet in hall.received[2])
    assert shown(hall, ssrc=9_000) == "q"
    assert not any(packet.ssrc == 9_001 for packet in hall.received[2])
