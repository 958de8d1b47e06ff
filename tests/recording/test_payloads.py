"""Payload formats: what encoders send is put together again; what is broken makes no frame and no error."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.recording.depacketize import CODECS, Depacketizer, Frame
from server.recording.frames import Bits, Built, PayloadFormat
from server.recording.payload_av1 import Av1
from server.recording.payload_h264 import H264
from server.recording.payload_opus import Opus, duration_s
from server.recording.payload_vp8 import Vp8
from server.recording.payload_vp9 import Vp9
from server.recording.reorder import Arrival, Ordered
from server.rtp.packet import parse
from tests.recording.sources import VIDEO, Camera, rtp

FORMATS: dict[str, type[PayloadFormat]] = {"opus": Opus, "vp8": Vp8, "h264": H264, "vp9": Vp9, "av1": Av1}


def payloads_of(camera: Camera, *, key: bool) -> list[bytes]:
    payloads = []
    for sent in camera.frame(0.0, key=key):
        packet = parse(sent.data)
        assert packet is not None
        payloads.append(packet.payload)
    return payloads


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[list[bytes]]]:
    """Three frames of each codec, the first a key frame of several packets."""
    found = {}
    for name, codec in VIDEO.items():
        camera = Camera(codec, 1_278, 718, mtu=120)
        found[name] = [payloads_of(camera, key=not number) for number in range(3)]
    found["opus"] = [[b"\xfc" + bytes(40)]]
    return found


@pytest.mark.parametrize("codec", VIDEO)
def test_key_frames_tell_their_format(recorded: dict[str, list[list[bytes]]], codec: str) -> None:
    built = [FORMATS[codec]().build(payloads) for payloads in recorded[codec]]
    first = built[0]
    assert first is not None
    assert first.format is not None
    assert (first.format.codec, first.format.width, first.format.height) == (codec, 1_278, 718)
    assert [frame.format for frame in built[1:] if frame is not None] == [None, None]
    assert FORMATS[codec]().starts_frame(recorded[codec][0][0])
    assert len(recorded[codec][0]) > 1
    assert codec == "av1" or not FORMATS[codec]().starts_frame(recorded[codec][0][-1])


def test_av1_begins_with_any_whole_unit() -> None:
    """No packet of AV1 says that it is not the first one, unless it goes on with what was cut."""
    assert Av1().starts_frame(b"\x10\x30")
    assert not Av1().starts_frame(b"\x90\x30")


@pytest.mark.parametrize("codec", ["h264", "vp9", "av1"])
def test_a_frame_without_its_beginning_or_end_is_no_frame_to_begin_with(
    recorded: dict[str, list[list[bytes]]], codec: str
) -> None:
    payloads = recorded[codec][0]
    for part in (payloads[1:], payloads[:-1]):
        built = FORMATS[codec]().build(part)
        assert built is None or built.format is None


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_broken_payload_is_no_error(recorded: dict[str, list[list[bytes]]], codec: str, data: st.DataObject) -> None:
    """Octets changed, cut, left out, doubled: any number of times."""
    format_ = FORMATS[codec]()
    for payloads in recorded[codec]:
        broken = [bytearray(payload[:300]) for payload in payloads]
        for _ in range(data.draw(st.integers(1, 6))):
            target = broken[data.draw(st.integers(0, len(broken) - 1))]
            action = data.draw(st.sampled_from(["change", "cut", "insert"]))
            at = data.draw(st.integers(0, max(0, min(20, len(target) - 1))))
            if action == "change" and target:
                target[at] = data.draw(st.integers(0, 255))
            elif action == "cut":
                del target[at:]
            else:
                target[at:at] = data.draw(st.binary(max_size=8))
        pieces = [bytes(payload) for payload in broken]
        for piece in pieces:
            format_.starts_frame(piece)
        built = format_.build(pieces)
        assert built is None or isinstance(built, Built)


@pytest.mark.parametrize("codec", CODECS)
@given(payloads=st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_noise_is_no_error(codec: str, payloads: list[bytes]) -> None:
    format_ = FORMATS[codec]()
    built = format_.build(payloads)
    assert built is None or isinstance(built, Built)
    for payload in payloads:
        format_.starts_frame(payload)


@pytest.mark.parametrize(
    ("packet", "seconds"),
    [
        (b"", 0.0),
        (b"\xfc", 0.02),
        (b"\x00", 0.01),
        (b"\x18", 0.06),
        (b"\xe0", 0.0025),
        (b"\xfd", 0.04),
        (b"\xfe", 0.04),
        (b"\xff", 0.0),
        (b"\xff\x03", 0.06),
        (b"\xff\x3f", 0.0),
    ],
)
def test_opus_says_how_long_it_sounds(packet: bytes, seconds: float) -> None:
    assert duration_s(packet) == seconds
    assert (Opus().build([packet]) is not None) == (seconds > 0)


def test_h264_keeps_parameter_sets_that_were_sent_once(recorded: dict[str, list[list[bytes]]]) -> None:
    first = H264()
    whole = first.build(recorded["h264"][0])
    assert whole is not None
    assert whole.format is not None
    slices = [payload for payload in recorded["h264"][0] if payload[0] & 0x1F != 24]
    again = first.build(slices)
    assert again is not None
    assert again.format == whole.format
    after_restart = H264(whole.format.private).build(slices)
    assert after_restart is not None
    assert after_restart.format == whole.format
    alone = H264().build(slices)
    assert alone is not None
    assert alone.format is None


def test_h264_keeps_a_set_that_changes_between_key_frames(recorded: dict[str, list[list[bytes]]]) -> None:
    format_ = H264()
    format_.build(recorded["h264"][0])
    new_pps = b"\x68\xee\x3c\x80"
    built = format_.build([new_pps, *recorded["h264"][1]])
    assert built is not None
    assert new_pps in built.data
    built = format_.build([new_pps, *recorded["h264"][1]])
    assert built is not None
    assert new_pps not in built.data


def test_h264_parameter_sets_alone_are_nothing_to_store(recorded: dict[str, list[list[bytes]]]) -> None:
    whole = H264().build(recorded["h264"][0])
    assert whole is not None
    assert whole.format is not None
    private = whole.format.private
    sps = private[8 : 8 + int.from_bytes(private[6:8], "big")]
    assert H264().build([sps, b"\x09\x10"]) == Built(b"", None)


def test_vp9_layers_become_a_superframe() -> None:
    first, second = bytes((0x8C, 0x01)) + b"\x82" + bytes(5), bytes((0xCC, 0x01)) + b"\x86" + bytes(300)
    built = Vp9().build([first, second])
    assert built is not None
    assert built.data[:6] == b"\x82" + bytes(5)
    marker = built.data[-1]
    assert marker >> 5 == 6
    assert (marker & 7) + 1 == 2
    octets = (marker >> 3 & 3) + 1
    sizes = built.data[-1 - 2 * octets : -1]
    assert [int.from_bytes(sizes[at : at + octets], "little") for at in (0, octets)] == [6, 301]


def test_bits_end_where_the_data_does() -> None:
    bits = Bits(b"\xa6\x42")
    assert [bits.read(1), bits.read_golomb(), bits.read_golomb(), bits.read_signed_golomb()] == [1, 1, 2, 2]
    with pytest.raises(ValueError, match="past the end"):
        bits.read(9)
    with pytest.raises(ValueError, match="not a number"):
        Bits(bytes(8)).read_golomb()


def ordered(number: int, timestamp: int, payload: bytes, *, marker: bool = False, missing: int = 0) -> Ordered:
    packet = parse(rtp(VIDEO["vp8"], 1, number, timestamp, payload, marker))
    assert packet is not None
    return Ordered(Arrival(packet, float(number), number), missing, False)


START, MORE = b"\x10\x01", b"\x00"


def push_all(depacketizer: Depacketizer, packets: list[Ordered]) -> list[Frame]:
    return list(itertools.chain.from_iterable(map(depacketizer.push, packets)))


def test_frames_end_with_the_marker_or_the_next_timestamp() -> None:
    frames = push_all(
        Depacketizer("vp8"),
        [
            ordered(1, 0, START + b"a"),
            ordered(2, 0, MORE + b"b", marker=True),
            ordered(3, 3_000, START + b"c"),
            ordered(4, 3_000, MORE + b"d"),
            ordered(5, 6_000, START + b"e", marker=True),
        ],
    )
    assert [frame.data for frame in frames] == [b"\x01ab", b"\x01cd", b"\x01e"]
    assert [(frame.index, frame.sequence, frame.packets) for frame in frames] == [(1, 2, 2), (3, 4, 2), (5, 5, 1)]
    assert not any(frame.after_loss for frame in frames)


def test_a_frame_with_a_missing_packet_is_left_out_and_the_next_says_so() -> None:
    depacketizer = Depacketizer("vp8")
    frames = push_all(
        depacketizer,
        [
            ordered(1, 0, START + b"a"),
            ordered(3, 0, MORE + b"b", marker=True, missing=1),
            ordered(4, 3_000, START + b"c", marker=True),
            ordered(5, 6_000, START + b"d", marker=True),
        ],
    )
    assert [(frame.data, frame.after_loss) for frame in frames] == [(b"\x01c", True), (b"\x01d", False)]
    assert depacketizer.broken == 1


def test_empty_packets_keep_the_numbering() -> None:
    depacketizer = Depacketizer("vp8")
    frames = push_all(depacketizer, [ordered(1, 0, b""), ordered(2, 0, START + b"a", marker=True), ordered(3, 0, b"")])
    assert [frame.after_loss for frame in frames] == [False]
    assert depacketizer.oldest_index() is None


def test_a_frame_that_never_ends_is_given_up() -> None:
    depacketizer = Depacketizer("vp8")
    packets = [ordered(1, 0, START), *(ordered(number & 0xFFFF, 0, MORE + b"x") for number in range(2, 8_400))]
    assert push_all(depacketizer, packets) == []
    assert depacketizer.broken == 1
    assert depacketizer.oldest_index() is None
