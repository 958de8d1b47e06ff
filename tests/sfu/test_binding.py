"""Which packets are taken in as which stream, and why the rest is dropped (SCENARIOS row 25)."""

import pytest

from server.rtp.extensions import one_byte_element
from server.rtp.rtx import wrap_rtx
from server.sfu.outputs import LayerStats
from server.sfu.ports import Codec, Extensions, UplinkSpec
from tests.sfu.hall import Hall, look
from tests.sfu.packets import (
    EXTENSIONS,
    LEVEL,
    MID,
    OPUS,
    REPAIRED_RID,
    RID,
    VP8,
    Camera,
    Microphone,
    camera,
    mic,
    rtp,
    video_slot,
)

RIDS = ("q", "h", "f")
NO_MID = Extensions(audio_level=LEVEL)


def hall_with(*uplinks: UplinkSpec) -> Hall:
    hall = Hall()
    hall.join(1, uplinks)
    return hall


def layers(hall: Hall, mid: str) -> dict[str, LayerStats]:
    return {layer.rid: layer for layer in hall.router.track_stats((1, mid), hall.now).layers}


def test_by_mid_and_then_by_the_ssrc_alone() -> None:
    hall = hall_with(mic(), camera())
    hall.send(1, Microphone(ssrc=5).packet())
    hall.send(1, Microphone(ssrc=5, mid="", sequence=1_001).packet())
    assert layers(hall, "0")[""].packets == 2
    assert not hall.router.drops


def test_by_declared_ssrc() -> None:
    hall = hall_with(mic(ssrcs=(5,)), camera())
    hall.send(1, Microphone(ssrc=5, mid="").packet())
    assert layers(hall, "0")[""].ssrc == 5


def test_by_payload_type_where_nothing_else_was_negotiated() -> None:
    hall = hall_with(mic(extensions=NO_MID), camera(extensions=NO_MID))
    hall.send(1, Microphone(ssrc=5, mid="").packet())
    hall.send(1, rtp(96, 1, 1, 6, b"\x10\x11"))
    assert layers(hall, "0")[""].ssrc == 5
    assert layers(hall, "1")[""].ssrc == 6


def test_simulcast_by_rid() -> None:
    hall = hall_with(camera(rids=RIDS))
    for index, rid in enumerate(RIDS):
        hall.send(1, Camera(ssrc=50 + index, rid=rid).frame(hall.now))
    assert [(rid, layer.ssrc, layer.packets) for rid, layer in layers(hall, "1").items()] == [
        ("q", 50, 3),
        ("h", 51, 3),
        ("f", 52, 3),
    ]


def test_layers_go_from_worst_to_best_however_they_were_offered() -> None:
    hall = hall_with(camera(rids=("f", "h", "q")), camera("2", rids=("low", "high")))
    for index, rid in enumerate(RIDS):
        hall.send(1, Camera(ssrc=50 + index, rid=rid).frame(hall.now))
    for index, rid in enumerate(("high", "low")):
        hall.send(1, Camera(ssrc=60 + index, rid=rid, mid="2").frame(hall.now))
    assert list(layers(hall, "1")) == list(RIDS)
    assert list(layers(hall, "2")) == ["low", "high"]


def test_simulcast_by_the_order_of_declared_ssrcs() -> None:
    hall = hall_with(camera(rids=("f", "h", "q"), ssrcs=(52, 51, 50, 62), rtx_of={62: 52}))
    hall.send(1, Camera(ssrc=50, mid="").frame(hall.now))
    hall.send(1, Camera(ssrc=52, mid="").frame(hall.now))
    assert {rid: layer.ssrc for rid, layer in layers(hall, "1").items()} == {"q": 50, "f": 52}


@pytest.mark.parametrize(
    ("reason", "uplinks", "packet"),
    [
        ("undeclared_payload_type", (mic(),), rtp(99, 1, 1, 5, b"x", extensions=((MID, b"0"),))),
        ("undeclared_payload_type", (mic(extensions=NO_MID),), rtp(99, 1, 1, 5, b"x")),
        ("undeclared_payload_type", (mic(), camera()), rtp(111, 1, 1, 5, b"x", extensions=((MID, b"1"),))),
        ("undeclared_payload_type", (mic(), camera()), rtp(96, 1, 1, 5, b"x", extensions=((MID, b"0"),))),
        ("undeclared_payload_type", (mic(), camera(ssrcs=(5,))), rtp(111, 1, 1, 5, b"x")),
        ("undeclared_payload_type", (), rtp(111, 1, 1, 5, b"x")),
        ("undeclared_mid", (mic(),), rtp(111, 1, 1, 5, b"x", extensions=((MID, b"7"),))),
        ("undeclared_mid", (mic(),), rtp(111, 1, 1, 5, b"x", extensions=((MID, b"\xff\xfe"),))),
        ("undeclared_mid", (mic(), mic("2", ssrcs=(5,))), rtp(111, 1, 1, 5, b"x", extensions=((MID, b"0"),))),
        ("undeclared_ssrc", (mic(),), rtp(111, 1, 1, 5, b"x")),
        ("undeclared_ssrc", (mic(extensions=NO_MID, ssrcs=(6,)),), rtp(111, 1, 1, 5, b"x")),
        (
            "undeclared_ssrc",
            (mic(extensions=NO_MID), mic("2", extensions=NO_MID)),
            rtp(111, 1, 1, 5, b"x"),
        ),
        ("undeclared_ssrc", (camera(rids=RIDS),), rtp(96, 1, 1, 5, b"x", extensions=((MID, b"1"),))),
        ("undeclared_ssrc", (camera(rids=RIDS, ssrcs=(5, 6)),), rtp(96, 1, 1, 5, b"x")),
        ("undeclared_ssrc", (camera(rids=RIDS, extensions=NO_MID),), rtp(96, 1, 1, 5, b"x")),
        ("undeclared_rid", (camera(rids=RIDS),), rtp(96, 1, 1, 5, b"x", extensions=((MID, b"1"), (RID, b"z")))),
        ("undeclared_ssrc", (camera(),), rtp(97, 1, 1, 5, b"xyz", extensions=((MID, b"1"),))),
        ("undeclared_ssrc", (camera(ssrcs=(5,), rtx_of={6: 5}),), rtp(97, 1, 1, 6, b"xyz")),
        (
            "undeclared_ssrc",
            (camera(rids=RIDS),),
            rtp(97, 1, 1, 5, b"xyz", extensions=((MID, b"1"), (REPAIRED_RID, b"q"))),
        ),
        (
            "undeclared_rid",
            (camera(rids=RIDS),),
            rtp(97, 1, 1, 5, b"xyz", extensions=((MID, b"1"), (REPAIRED_RID, b"z"))),
        ),
        ("malformed_rtp", (mic(),), b"\x80\x6f"),
        ("malformed_rtp", (mic(extensions=NO_MID),), rtp(111, 1, 1, 5, bytes(1_500))),
    ],
)
def test_dropped_and_counted(reason: str, uplinks: tuple[UplinkSpec, ...], packet: bytes) -> None:
    hall = hall_with(*uplinks)
    assert hall.send(1, packet) == [None]
    assert hall.router.drops == {reason: 1}


def test_a_bound_ssrc_stays_on_its_uplink_whatever_mid_it_claims() -> None:
    hall = hall_with(mic(), mic("2"))
    hall.open((1, "2"))
    hall.send(1, Microphone(ssrc=5).packet())
    hall.send(1, rtp(111, 1_002, 51_920, 5, b"x", extensions=((MID, b"2"),)))
    assert layers(hall, "0")[""].packets == 2
    assert layers(hall, "2") == {}


def test_an_undeclared_payload_type_on_a_bound_ssrc() -> None:
    hall = hall_with(mic(), camera())
    hall.send(1, Microphone(ssrc=5).packet())
    hall.send(1, rtp(96, 1_002, 51_920, 5, b"x", extensions=((MID, b"1"),)))
    assert hall.router.drops == {"undeclared_payload_type": 1}


def test_an_encoder_restart_takes_over_its_layer_and_the_old_ssrc_is_gone() -> None:
    hall = hall_with(camera(rids=RIDS, codecs=(VP8,)))
    hall.send(1, Camera(ssrc=50, rid="q").frame(hall.now))
    rtx = wrap_rtx(look(Camera(ssrc=50, sequence=2_003).frame(0.0)[0]), 97, 1, 60)
    hall.send(1, with_repaired_rid(rtx, b"q"))
    hall.advance(1.5)
    hall.send(1, Camera(ssrc=51, rid="q").frame(hall.now))
    assert layers(hall, "1")["q"].ssrc == 51
    hall.send(1, Camera(ssrc=50, rid="q", sequence=2_100).frame(hall.now)[0])
    hall.send(1, with_repaired_rid(rtx, b"q"))
    hall.advance(1.5)
    hall.send(1, Camera(ssrc=50, rid="q", sequence=2_200).frame(hall.now)[0])
    assert hall.router.drops == {"duplicate": 1, "retired_ssrc": 3}


def test_a_layer_does_not_change_hands_all_the_time() -> None:
    hall = hall_with(mic())
    hall.send(1, Microphone(ssrc=5).packet())
    hall.send(1, Microphone(ssrc=6).packet())
    assert hall.router.drops == {"ssrc_conflict": 1}
    assert layers(hall, "0")[""].ssrc == 5


def with_repaired_rid(rtx: bytes, rid: bytes) -> bytes:
    view = look(rtx)
    return rtp(
        97, view.sequence, view.timestamp, view.ssrc, view.payload, extensions=((MID, b"1"), (REPAIRED_RID, rid))
    )


def test_rtx_finds_its_layer_and_fills_the_gap() -> None:
    hall = hall_with(camera(rids=RIDS, codecs=(VP8,)))
    first, lost, third = Camera(ssrc=50, rid="h").frame(hall.now)
    hall.send(1, [first, third])
    hall.send(1, with_repaired_rid(wrap_rtx(look(lost), 97, 1, 60), b"h"))
    hall.send(1, wrap_rtx(look(lost), 97, 2, 60))
    assert hall.router.drops == {"duplicate": 1}
    hall.send(1, with_repaired_rid(wrap_rtx(look(lost), 97, 3, 61), b"h"))
    assert hall.router.drops == {"duplicate": 1, "ssrc_conflict": 1}


def test_rtx_by_declared_group_and_its_padding_is_no_drop() -> None:
    hall = hall_with(camera(codecs=(VP8,), ssrcs=(50, 60), rtx_of={60: 50}))
    first, lost, third = Camera(ssrc=50, mid="").frame(hall.now)
    hall.send(1, [first, third])
    hall.send(1, wrap_rtx(look(lost), 97, 1, 60))
    hall.send(1, rtp(97, 2, 1, 60, b""))
    assert not hall.router.drops
    assert layers(hall, "1")[""].lost == 1


def test_padding_of_an_unmeasured_uplink_is_no_drop_either() -> None:
    hall = hall_with(camera(codecs=(VP8,), extensions=Extensions(mid=MID)))
    hall.send(1, Camera(ssrc=50).frame(hall.now))
    hall.send(1, rtp(97, 2, 1, 60, b"", extensions=((MID, b"1"),)))
    assert not hall.router.drops
    assert hall.rembs(1) == []


@pytest.mark.parametrize("payload_type", [96, 103, 99])
def test_rtx_with_another_payload_type(payload_type: int) -> None:
    hall = hall_with(camera(ssrcs=(50, 60), rtx_of={60: 50}))
    first, lost, third = Camera(ssrc=50, mid="").frame(hall.now)
    hall.send(1, [first, third, wrap_rtx(look(lost), 97, 1, 60)])
    hall.send(1, wrap_rtx(look(lost), payload_type, 2, 60))
    assert hall.router.drops == {"undeclared_payload_type": 1}


def test_rtx_of_another_uplinks_ssrc() -> None:
    hall = hall_with(camera(codecs=(VP8,)), camera("2", codecs=(VP8,), ssrcs=(60,), rtx_of={60: 50}))
    hall.send(1, Camera(ssrc=50).frame(hall.now))
    hall.send(1, rtp(97, 1, 1, 60, b"\x07\xd1xyz", extensions=((MID, b"2"),)))
    assert hall.router.drops == {"undeclared_ssrc": 1}


def test_a_change_of_codec_within_the_ssrc() -> None:
    hall = hall_with(camera())
    hall.join(2, slots=[video_slot(codecs=(VP8,))])
    hall.open((1, "1"))
    hall.assign(2, "v0", (1, "1"))
    source = Camera(ssrc=50)
    hall.send(1, source.frame(hall.now, key=True))
    assert len(hall.received[2]) == 3
    h264 = rtp(102, source.sequence + 1, source.timestamp + 3_000, 50, b"\x67sps")
    hall.send(1, h264)
    assert layers(hall, "1")[""].codec == "h264"
    assert hall.fed[-1].track is None
    assert hall.fed[-1].reason == "codec_not_negotiated"
    source.sequence += 1
    source.timestamp += 3_000
    hall.send(1, source.frame(hall.now))
    hall.send(1, source.frame(hall.now, key=True))
    assert len(hall.received[2]) == 6
    assert hall.fed[-1].track == (1, "1")


def test_an_audio_codec_change_within_the_ssrc() -> None:
    g722 = Codec(9, "g722", 8_000)
    hall = hall_with(mic(codecs=(OPUS, g722), extensions=EXTENSIONS))
    source = Microphone(ssrc=5)
    hall.send(1, source.packet())
    source.payload_type = 9
    hall.send(1, source.packet())
    assert layers(hall, "0")[""].codec == "g722"


def test_unknown_peers_are_ignored() -> None:
    hall = Hall()
    assert hall.send(9, Microphone().packet()) == [None]
    hall.report(9, b"\x80\xc9\x00\x01\0\0\0\x01")
    hall.router.set_gate((9, "0"), True, hall.now)
    hall.router.set_gate((9, "9"), True, hall.now)
    hall.router.assign(9, "v0", None, hall.now)
    hall.router.show(9, "v0", 100, hall.now)
    hall.router.remove_peer(9, hall.now)
    assert hall.router.take_output() == []
    assert hall.router.next_deadline() is None
    with pytest.raises(KeyError):
        hall.router.link(9, hall.now)
    with pytest.raises(KeyError):
        hall.router.track_stats((9, "0"), hall.now)


def test_a_truncated_mid_is_none() -> None:
    hall = hall_with(mic())
    element = one_byte_element(MID, b"0")[:1] + b""
    packet = bytearray(rtp(111, 1, 1, 5, b"\xbe\xde\x00\x01" + bytes((MID << 4 | 7,)) + element + b"\0\0"))
    packet[0] |= 0x10
    hall.send(1, bytes(packet))
    assert hall.router.drops == {"undeclared_ssrc": 1}
