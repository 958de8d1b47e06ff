"""Encoded loops decode to what was drawn and said."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from av import CodecContext, Packet

from server.bots.drawing import office_colour, office_picture
from server.bots.loops import LoopShelf, Rung, encode_tone, encode_video, tone_hz
from tests.support import pictures, tones

RUNG = Rung("q", 160, 90, 10, 100_000)


def test_the_picture_survives_the_encoder() -> None:
    loop = encode_video(partial(pictures.pattern_drawing, 77), RUNG)
    assert len(loop.frames) == 20
    decoder = CodecContext.create("libvpx", "r")
    seen = []
    for chunks in (*loop.frames, *loop.frames):  # twice round: the loop closes
        frames = decoder.decode(Packet(b"".join(chunks)))
        seen += [pictures.recognise(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)) for frame in frames]
    assert seen == [77] * 40


def test_only_the_first_frame_is_a_keyframe() -> None:
    loop = encode_video(office_picture(1, "Xã Tịnh Khê"), RUNG)
    assert [chunks[0][0] & 1 for chunks in loop.frames] == [0] + [1] * 19


@pytest.mark.parametrize("index", [0, 3, 159])
def test_the_tone_survives_the_encoder_and_closes(index: int) -> None:
    loop = encode_tone(tone_hz(index))
    assert len(loop.frames) == 100
    decoder = CodecContext.create("libopus", "r")
    samples = np.concatenate(
        [
            np.asarray(frame.to_ndarray(), np.float32).reshape(-1)
            for data in (*loop.frames, *loop.frames)
            for frame in decoder.decode(Packet(data))
        ]
    )
    left = np.asarray(samples[::2] / 32_768, np.float32)
    assert tones.level_dbfs(left[4_800:-4_800], 48_000, tone_hz(index)) == pytest.approx(-12.0, abs=1.0)
    assert loop.level_dbov == 15


def test_the_shelf_keeps_what_was_encoded(tmp_path: Path) -> None:
    drawn: list[int] = []

    def drawing(width: int, height: int, frame: int, frames: int):  # type: ignore[no-untyped-def]  # counts calls
        drawn.append(frame)
        return pictures.pattern_drawing(5, width, height, frame, frames)

    first = LoopShelf(tmp_path / "cache").video("five", drawing, RUNG)
    again = LoopShelf(tmp_path / "cache")
    assert again.video("five", drawing, RUNG) == first
    assert again.video("five", drawing, RUNG) is again.video("five", drawing, RUNG)
    assert len(drawn) == 20
    assert LoopShelf(tmp_path / "cache").audio(440) == again.audio(440)


def test_a_damaged_file_is_encoded_again(tmp_path: Path) -> None:
    loop = LoopShelf(tmp_path).audio(440)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"rubbish")
    assert LoopShelf(tmp_path).audio(440) == loop


def test_tones_and_colours_differ() -> None:
    assert len({tone_hz(index) for index in range(200)}) == 200
    assert len({office_colour(index) for index in range(160)}) > 150


def test_a_long_name_fits_into_the_picture() -> None:
    image = np.asarray(office_picture(2, "Ủy ban nhân dân " * 8)(320, 180, 0, 30))
    band = image[2:26, :]
    text = np.asarray(band.min(axis=2) > 128)
    assert text.any()
    assert not text[:, :2].any()
    assert not text[:, -2:].any()
