"""The sound of one piece: all who held the floor, each where the server's time puts it, mixed to one channel.

A piece is made without its neighbours and still goes on where the one before ended: decoding begins well before the
piece, limiting has no memory, and the AAC encoder is fed some frames of the past that are thrown away (measured: after
8 of them the seam differs from the sound no more than any other place does).
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from av import AudioFrame, CodecContext, Packet
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError
from numpy.typing import NDArray

from server.recording.film.reading import OpusPacket, opus_packets
from server.recording.film.settings import AAC_SAMPLES, AUDIO_BPS, SAMPLE_RATE
from server.recording.film.spans import Source

Pcm = NDArray[np.float32]
"""Mono, 48 kHz, -1..1 (a mix before limiting may be louder)."""

WARM_UP_FRAMES: Final = 8
_LOOK_AHEAD_FRAMES: Final = 2
_ROLL_IN: Final = SAMPLE_RATE // 2
"""Samples decoded before the piece: an Opus decoder has found itself after 80 ms (RFC 7845, 4.6)."""
_ROLL_OUT: Final = SAMPLE_RATE * 3 // 10
_FADE: Final = SAMPLE_RATE // 400
_ELASTIC: Final = SAMPLE_RATE // 5
_LAST_PACKET: Final = SAMPLE_RATE // 25
"""A segment's ``ends_at`` may be when its last packet begins."""
_JOINT: Final = SAMPLE_RATE // 100
"""Clocks drift: a segment that begins within 10 ms of the end of the one before is its continuation, and the last 0.2 s
before it are stretched to meet it."""
_KNEE: Final = 0.7


class AacPiece(msgspec.Struct, frozen=True):
    frames: tuple[bytes, ...]
    config: bytes


class _Take:
    """Packets of one file without a hole. ``start``: the film sample of the first."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.packets: list[OpusPacket] = []

    def append(self, packet: OpusPacket) -> None:
        self.packets.append(packet)
        self.end += packet.samples


def mix(folder: Path, sources: Iterable[Source], first: int, count: int) -> Pcm:
    """``count`` samples from film sample ``first`` on (which may be before the film), all ``mic`` sources together."""
    mixed = np.zeros(count, np.float32)
    by_seat: dict[str, list[Source]] = {}
    for source in sources:
        if source.track == "mic":
            by_seat.setdefault(source.seat_id, []).append(source)
    for seat_id in sorted(by_seat):
        for start, samples in _voices(folder, by_seat[seat_id], first - _ROLL_IN, first + count + _ROLL_OUT):
            _add(mixed, start - first, samples)
    return limit(mixed)


def limit(samples: Pcm) -> Pcm:
    """Unchanged up to the knee, then bent so that no sum of voices reaches 1."""
    loud = np.abs(samples) > _KNEE
    if not loud.any():
        return samples
    above = (np.abs(samples[loud]) - _KNEE) / (1 - _KNEE)
    samples[loud] = np.sign(samples[loud]) * (_KNEE + (1 - _KNEE) * np.tanh(above))
    return samples


def encode(folder: Path, sources: Sequence[Source], first_frame: int, frames: int) -> AacPiece:
    """``frames`` AAC-LC frames from film frame ``first_frame`` on."""
    begin = max(0, first_frame - WARM_UP_FRAMES)
    end = first_frame + frames + _LOOK_AHEAD_FRAMES
    pcm = mix(folder, sources, begin * AAC_SAMPLES, (end - begin) * AAC_SAMPLES)
    codec = CodecContext.create("aac", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = SAMPLE_RATE, "mono", "fltp"
    codec.bit_rate, codec.time_base = AUDIO_BPS, Fraction(1, SAMPLE_RATE)

    def audio_frames() -> Iterator[AudioFrame | None]:
        for index in range(end - begin):
            samples = pcm[index * AAC_SAMPLES : (index + 1) * AAC_SAMPLES]
            frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
            frame.pts = (begin + index) * AAC_SAMPLES
            yield frame
        yield None

    packets = [packet for frame in audio_frames() for packet in codec.encode(frame)]
    wanted = range(first_frame * AAC_SAMPLES, (first_frame + frames) * AAC_SAMPLES)
    kept = tuple(bytes(packet) for packet in packets if packet.pts is not None and packet.pts in wanted)
    assert len(kept) == frames
    assert codec.extradata is not None
    return AacPiece(kept, bytes(codec.extradata))


def _voices(folder: Path, sources: Sequence[Source], first: int, end: int) -> Iterator[tuple[int, Pcm]]:
    """One seat's sound between film samples ``first`` and ``end``: (where, samples), faded where it begins and ends."""
    takes: list[_Take] = []
    for source in sources:
        takes += _takes(folder, source, max(first, takes[-1].end - _JOINT) if takes else first, end)
    while takes:
        chain = [takes.pop(0)]
        while takes and abs(takes[0].start - chain[-1].end) <= _JOINT:
            chain.append(takes.pop(0))
        yield chain[0].start, _decode(chain)


def _takes(folder: Path, source: Source, first: int, end: int) -> Iterator[_Take]:
    """What of a segment begins between film samples ``first`` and ``end``."""
    if source.ends_s * SAMPLE_RATE < first or source.starts_s * SAMPLE_RATE > end:
        return
    zero = round(source.zero_s * SAMPLE_RATE)
    begins, ends = source.starts_s * SAMPLE_RATE, source.ends_s * SAMPLE_RATE + _LAST_PACKET
    take: _Take | None = None
    for packet in opus_packets(folder / source.file):
        start = zero + packet.position
        if start < first or start > end or not begins <= start + packet.samples / 2 < ends:
            continue
        if take is None or start != take.end:
            if take is not None:
                yield take
            take = _Take(start)
        take.append(packet)
    if take is not None:
        yield take


def _decode(chain: Sequence[_Take]) -> Pcm:
    """The takes as one sound: each but the last ends where the next begins."""
    decoder = CodecContext.create("libopus", "r")
    assert isinstance(decoder, AudioCodecContext)
    parts: list[Pcm] = []
    for index, take in enumerate(chain):
        samples = np.concatenate([_decode_packet(decoder, packet) for packet in take.packets])
        if index + 1 < len(chain):
            samples = _stretch_end(samples, chain[index + 1].start - take.end)
        parts.append(samples)
    sound = np.concatenate(parts)
    fade = min(_FADE, len(sound) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    sound[:fade] *= ramp
    sound[len(sound) - fade :] *= ramp[::-1]
    return sound


def _decode_packet(decoder: AudioCodecContext, packet: OpusPacket) -> Pcm:
    """Exactly ``packet.samples`` samples: silence where it cannot be decoded."""
    sound = np.zeros(packet.samples, np.float32)
    try:
        decoded = [np.asarray(frame.to_ndarray(), np.float32) for frame in decoder.decode(Packet(packet.data))]
    except FFmpegError:
        return sound
    interleaved = np.concatenate([each.reshape(-1) for each in decoded]) if decoded else np.zeros(0, np.float32)
    mono = interleaved.reshape(-1, 2).mean(axis=1)[: packet.samples] / 32_768  # the decoder gives stereo, 16 bits
    sound[: len(mono)] = mono
    return sound


def _stretch_end(samples: Pcm, by: int) -> Pcm:
    """``by`` samples more (or less): the last 0.2 s are played that much slower (or faster)."""
    tail = min(_ELASTIC, len(samples))
    if not by or tail + by < 2:
        return samples
    places = np.linspace(0, tail - 1, tail + by)
    stretched = np.interp(places, np.arange(tail), samples[len(samples) - tail :]).astype(np.float32)
    return np.concatenate([samples[: len(samples) - tail], stretched])


def _add(mixed: Pcm, at: int, samples: Pcm) -> None:
    begin, end = max(0, at), min(len(mixed), at + len(samples))
    if begin < end:
        mixed[begin:end] += samples[begin - at : end - at]
