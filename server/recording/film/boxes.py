"""Fragmented MP4 (ISO/IEC 14496-12, 14496-14, 14496-15): one H.264 and one AAC track, one fragment a piece.

Written here, because a piece must bear its place in the film (``tfdt``) whoever makes it and in whatever order, and be
the same octets each time. Video is track 1 at 90,000 ticks a second, audio track 2 at 48,000.
"""

import struct
from typing import Final

import msgspec

from server.errors import InvalidInput
from server.recording.film.settings import AAC_SAMPLES, HEIGHT, PICTURES_PER_S, SAMPLE_RATE, WIDTH

VIDEO_TICKS: Final = 90_000
_VIDEO, _AUDIO = 1, 2
_KEY_FLAGS, _OTHER_FLAGS = 0x0200_0000, 0x0101_0000
"""8.8.3.1: depends on nothing; depends on others and is no sync sample."""
_RUN_AT = 8 + 24 + 20
"""From the start of a traf as we write it: behind its header, tfhd and tfdt."""
_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)


class Codecs(msgspec.Struct, frozen=True):
    """``sps``, ``pps``: one each, without start codes. ``aac``: the AudioSpecificConfig (ISO/IEC 14496-3, 1.6)."""

    sps: bytes
    pps: bytes
    aac: bytes


class Samples(msgspec.Struct, frozen=True):
    """What one piece carries, in order: pictures (length-prefixed NAL units) and AAC frames. ``keys``: which pictures
    are key frames."""

    pictures: tuple[bytes, ...]
    keys: tuple[int, ...]
    frames: tuple[bytes, ...]


def init_segment(codecs: Codecs) -> bytes:
    """``ftyp`` and ``moov``: the same for all films, and what HLS calls the map."""
    header = _full("mvhd", 0, 0, struct.pack(">4I", 0, 0, 1_000, 0), _PLAY_NORMALLY, struct.pack(">I", 3))
    extends = _box("mvex", *(_full("trex", 0, 0, struct.pack(">5I", track, 1, 0, 0, 0)) for track in (_VIDEO, _AUDIO)))
    brands = b"iso6" + struct.pack(">I", 0) + b"iso6mp41"
    return _box("ftyp", brands) + _box("moov", header, _video_track(codecs), _audio_track(codecs), extends)


def media_segment(number: int, first_picture: int, first_frame: int, samples: Samples) -> bytes:
    """``moof`` and ``mdat`` of piece ``number`` (from 0). ``first_picture``, ``first_frame``: its place in the film."""
    ticks = VIDEO_TICKS // PICTURES_PER_S
    flags = [_KEY_FLAGS if index in samples.keys else _OTHER_FLAGS for index in range(len(samples.pictures))]
    head_size = 8 + 16 + 2 * (_RUN_AT + 20) + 8 * len(samples.pictures) + 4 * len(samples.frames)
    video_at = head_size + 8
    audio_at = video_at + sum(map(len, samples.pictures))
    head = _box(
        "moof",
        _full("mfhd", 0, 0, struct.pack(">I", number + 1)),
        _track_run(_VIDEO, ticks, first_picture * ticks, samples.pictures, video_at, flags),
        _track_run(_AUDIO, AAC_SAMPLES, first_frame * AAC_SAMPLES, samples.frames, audio_at, None),
    )
    assert len(head) == head_size
    return head + _box("mdat", *samples.pictures, *samples.frames)


def read_media_segment(segment: bytes) -> Samples:
    """What ``media_segment`` wrote. Raises InvalidInput where it is cut or something else."""
    try:
        head_size = _expect(segment, 0, b"moof")
        video_at = 8 + _expect(segment, 8, b"mfhd")
        audio_at = video_at + _expect(segment, video_at, b"traf")
        table = _run_table(segment, video_at, 2)
        sizes, flags = table[::2], table[1::2]
        frame_sizes = _run_table(segment, audio_at, 1)
        if head_size + _expect(segment, head_size, b"mdat") != len(segment):
            raise ValueError("cut")
        at = head_size + 8
        samples: list[bytes] = []
        for size in (*sizes, *frame_sizes):
            samples.append(segment[at : at + size])
            at += size
        if at != len(segment):
            raise ValueError("sizes that do not add up")
    except (ValueError, struct.error) as error:
        raise InvalidInput("bad_piece", f"not a film's piece: {error}") from error
    keys = tuple(index for index, each in enumerate(flags) if each == _KEY_FLAGS)
    return Samples(tuple(samples[: len(sizes)]), keys, tuple(samples[len(sizes) :]))


_PLAY_NORMALLY = struct.pack(">IH", 0x10000, 0x100) + bytes(10) + _UNITY_MATRIX + bytes(24)


def _track_run(
    track: int, duration: int, decode_time: int, samples: tuple[bytes, ...], data_at: int, flags: list[int] | None
) -> bytes:
    """``traf``: tfhd with the default duration and flags, based on the moof; tfdt; one trun with sizes (and flags)."""
    sizes = [len(sample) for sample in samples]
    table = sizes if flags is None else [number for row in zip(sizes, flags, strict=True) for number in row]
    head = struct.pack(">Ii", len(samples), data_at)
    return _box(
        "traf",
        _full("tfhd", 0, 0x02_0028, struct.pack(">III", track, duration, _KEY_FLAGS)),
        _full("tfdt", 1, 0, struct.pack(">Q", decode_time)),
        _full("trun", 0, 0x201 if flags is None else 0x601, head, struct.pack(f">{len(table)}I", *table)),
    )


def _run_table(segment: bytes, traf_at: int, columns: int) -> tuple[int, ...]:
    run_at = traf_at + _RUN_AT
    size = _expect(segment, run_at, b"trun")
    (count,) = struct.unpack_from(">I", segment, run_at + 12)
    if size != 20 + 4 * columns * count:
        raise ValueError("a run of another size")
    return struct.unpack_from(f">{columns * count}I", segment, run_at + 20)


def _video_track(codecs: Codecs) -> bytes:
    avc = bytes((1, *codecs.sps[1:4], 0xFF, 0xE1)) + struct.pack(">H", len(codecs.sps)) + codecs.sps
    avc += bytes((1,)) + struct.pack(">H", len(codecs.pps)) + codecs.pps
    if codecs.sps[1] in (100, 110, 122, 144):
        avc += bytes((0xFD, 0xF8, 0xF8, 0))  # 14496-15, 5.3.3.1.2: 4:2:0, 8 bits, no SPS extensions
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HHIII", WIDTH, HEIGHT, 0x480000, 0x480000, 0)
    entry += struct.pack(">H", 1) + bytes(32) + struct.pack(">Hh", 24, -1)
    described = _box("avc1", entry, _box("avcC", avc))
    size = struct.pack(">II", WIDTH << 16, HEIGHT << 16)
    return _track(_VIDEO, 0, size, VIDEO_TICKS, b"vide", _full("vmhd", 0, 1, bytes(8)), described)


def _audio_track(codecs: Codecs) -> bytes:
    config = _descriptor(5, codecs.aac)
    decoder = _descriptor(4, bytes((0x40, 0x15)) + bytes(3) + struct.pack(">II", 0, 0) + config)
    stream = _descriptor(3, bytes(3) + decoder + _descriptor(6, bytes((2,))))
    entry = bytes(6) + struct.pack(">H", 1) + bytes(8) + struct.pack(">HHII", 1, 16, 0, SAMPLE_RATE << 16)
    described = _box("mp4a", entry, _full("esds", 0, 0, stream))
    return _track(_AUDIO, 0x100, bytes(8), SAMPLE_RATE, b"soun", _full("smhd", 0, 0, bytes(4)), described)


def _track(track: int, volume: int, size: bytes, ticks: int, kind: bytes, media: bytes, described: bytes) -> bytes:
    head = struct.pack(">5I", 0, 0, track, 0, 0) + bytes(8) + struct.pack(">HHHH", 0, 0, volume, 0)
    place = _box("dinf", _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1)))
    table = _box(
        "stbl",
        _full("stsd", 0, 0, struct.pack(">I", 1), described),
        *(_full(name, 0, 0, bytes(4)) for name in ("stts", "stsc")),
        _full("stsz", 0, 0, bytes(8)),
        _full("stco", 0, 0, bytes(4)),
    )
    undetermined = 0x55C4  # "und" in 5-bit letters, 8.4.2.3
    return _box(
        "trak",
        _full("tkhd", 0, 3, head, _UNITY_MATRIX, size),
        _box(
            "mdia",
            _full("mdhd", 0, 0, struct.pack(">4I", 0, 0, ticks, 0), struct.pack(">HH", undetermined, 0)),
            _full("hdlr", 0, 0, bytes(4), kind, bytes(13)),
            _box("minf", media, place, table),
        ),
    )


def _descriptor(tag: int, payload: bytes) -> bytes:
    assert len(payload) < 128
    return bytes((tag, len(payload))) + payload


def _full(name: str, version: int, flags: int, *payload: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *payload)


def _box(name: str, *payload: bytes) -> bytes:
    return struct.pack(">I", 8 + sum(map(len, payload))) + name.encode() + b"".join(payload)


def _expect(data: bytes, at: int, name: bytes) -> int:
    """The size of the box that must be here."""
    size, found = struct.unpack_from(">I4s", data, at)
    if found != name or size < 8:
        raise ValueError(f"{found!r} where {name!r} must be")
    return int(size)
