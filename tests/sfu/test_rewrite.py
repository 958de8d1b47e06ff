"""The reference rewrite: every field, and against aiortc's own packets and descriptors."""

from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from server.rtp.extensions import one_byte_element
from server.rtp.packet import RtpView
from server.sfu.flows import Flow
from server.sfu.rewrite import rewrite
from tests.sfu.hall import look
from tests.sfu.packets import Camera, rtp


def test_header_is_the_slots_and_payload_the_sources() -> None:
    view = look(rtp(96, 65_535, 0xFFFFFFFF, 1, b"payload", marker=True, extensions=((9, b"secret"),)))
    out = rewrite(view, Flow(0, 77, 120, seq_delta=2, timestamp_delta=5), 0)
    assert out == rtp(120, 1, 4, 77, b"payload", marker=True)


def test_extensions_in_their_order() -> None:
    view = look(rtp(96, 1, 2, 3, b"payload", extensions=((5, b"\x92"),)))
    flow = Flow(0, 77, 120, mid_id=1, mid=b"v0", level_id=6, level_from_id=5, abs_send_time_id=4)
    out = look(rewrite(view, flow, 0x123456))
    block = out.data[12 : out.payload_offset]
    expected = one_byte_element(1, b"v0") + one_byte_element(6, b"\x92") + one_byte_element(4, b"\x12\x34\x56")
    assert block == b"\xbe\xde\x00\x03" + expected + b"\0\0\0"
    assert out.payload == b"payload"


def test_the_transport_wide_number_comes_last() -> None:
    view = look(rtp(96, 1, 2, 3, b"payload"))
    out = look(rewrite(view, Flow(0, 77, 120, abs_send_time_id=4, transport_cc_id=7), 0x123456, 0xABCD))
    block = out.data[16 : out.payload_offset]
    assert block == one_byte_element(4, b"\x12\x34\x56") + one_byte_element(7, b"\xab\xcd") + b"\0"


def test_no_level_without_one_coming_in() -> None:
    view = look(rtp(96, 1, 2, 3, b"payload"))
    assert rewrite(view, Flow(0, 77, 120, level_id=6, level_from_id=5), 0) == rtp(120, 1, 2, 77, b"payload")


def test_csrcs_go_and_padding_stays() -> None:
    packet = bytearray(rtp(96, 1, 2, 3, b"csrc" + b"payload" + b"\0\0\x03"))
    packet[0] = 0xA1
    out = look(rewrite(look(bytes(packet)), Flow(0, 77, 120), 0))
    assert (out.data[0], out.payload, out.padded) == (0xA0, b"payload", True)


def test_picture_ids_wrap_at_their_width() -> None:
    wide = look(Camera(picture_id=0x7FFD, tl0=253).frame(0.0)[0])
    out = look(rewrite(wide, Flow(0, 77, 120, vp8=True, pid_delta=5, tl0_delta=4), 0)).vp8()
    assert out is not None
    assert (out.picture_id, out.tl0_picture_index) == (3, 2)
    short = look(Camera(picture_id=125, picture_id_bits=7).frame(0.0)[0])
    out = look(rewrite(short, Flow(0, 77, 120, vp8=True, pid_delta=5, tl0_delta=4), 0)).vp8()
    assert out is not None
    assert (out.picture_id, out.wide_picture_id, out.tl0_picture_index) == (3, False, -1)


def test_pictures_without_ids_and_broken_descriptors_pass_unchanged() -> None:
    for payload in (b"\x10\x00frame", b"\x90", b"", b"\x90\x80\xff"):
        view = look(rtp(96, 1, 2, 3, payload))
        assert look(rewrite(view, Flow(0, 77, 120, vp8=True, pid_delta=9, tl0_delta=9), 0)).payload == payload


@given(
    st.binary(max_size=60), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0x7FFF), st.booleans()
)
def test_as_aiortc_reads_it(payload: bytes, seq_delta: int, timestamp_delta: int, pid_delta: int, vp8: bool) -> None:
    view = look(rtp(96, 40_000, 3_000_000_000, 3, payload))
    flow = Flow(0, 77, 120, seq_delta, timestamp_delta, vp8, pid_delta, pid_delta & 0xFF, mid_id=1, mid=b"v0")
    before = bytes(view.data)
    out = look(rewrite(view, flow, 0))
    assert view.data == before
    assert out.sequence == (40_000 + seq_delta) % 65_536
    assert out.timestamp == (3_000_000_000 + timestamp_delta) % 2**32
    assert out.payload_length == len(payload)
    if vp8:
        _compare_descriptors(view, out, flow)
    else:
        assert out.payload == payload


def _compare_descriptors(before: RtpView, after: RtpView, flow: Flow) -> None:
    try:
        old, old_rest = VpxPayloadDescriptor.parse(before.payload)
    except ValueError:
        assert after.payload == before.payload
        return
    new, new_rest = VpxPayloadDescriptor.parse(after.payload)
    assert new_rest == old_rest
    assert (new.partition_start, new.tid, new.keyidx) == (old.partition_start, old.tid, old.keyidx)
    descriptor = before.vp8()
    assert descriptor is not None
    modulus = 1 << 15 if descriptor.wide_picture_id else 1 << 7
    assert new.picture_id == (None if old.picture_id is None else (old.picture_id + flow.pid_delta) % modulus)
    assert new.tl0picidx == (None if old.tl0picidx is None else (old.tl0picidx + flow.tl0_delta) % 256)
