"""Pieces are fragments that read back as they were written, and that players read."""

from io import BytesIO
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.recording.film.boxes import Samples, media_segment, read_media_segment
from server.recording.film.film import Film
from tests.recording.film.making import MAIN, RecordingMaker, moving, tone

SAMPLES = st.builds(
    lambda pictures, keys, frames: Samples(
        tuple(pictures), tuple(sorted(key for key in keys if key < len(pictures))), tuple(frames)
    ),
    st.lists(st.binary(max_size=40), min_size=1, max_size=20),
    st.sets(st.integers(0, 19)),
    st.lists(st.binary(max_size=10), max_size=20),
)


@given(SAMPLES, st.integers(0, 20_000))
def test_what_was_written_is_read(samples: Samples, number: int) -> None:
    segment = media_segment(number, number * 200, number * 375, samples)
    assert read_media_segment(segment) == samples


@given(SAMPLES, st.data())
def test_what_was_cut_is_refused(samples: Samples, data: st.DataObject) -> None:
    segment = media_segment(0, 0, 0, samples)
    cut = data.draw(st.integers(0, len(segment) - 1))
    with pytest.raises(InvalidInput):
        read_media_segment(segment[:cut])


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_media_segment(data)


def test_a_player_finds_each_piece_at_its_place(tmp_path: Path) -> None:
    maker = RecordingMaker(tmp_path / "rec_1")
    maker.camera(MAIN, 0, 9, moving(3))
    maker.mic(MAIN, 0, 9, tone(500))
    film = Film(maker.close(9))
    init = film.init().read_bytes()
    for number, (pictures, keys, frames) in enumerate([(200, [0, 50, 100, 150], 375), (25, [0], 47)]):
        piece = init + film.piece(number).read_bytes()
        video, audio = _packets(piece, 0), _packets(piece, 1)
        assert [at_s for at_s, _ in video] == pytest.approx([8 * number + index / 25 for index in range(pictures)])
        assert set(keys) <= {index for index, (_, is_key) in enumerate(video) if is_key}
        assert [at_s for at_s, _ in audio][:2] == pytest.approx([8 * number, 8 * number + 1_024 / 48_000])
        assert len(audio) == frames
    film.close()


def _packets(piece: bytes, stream: int) -> list[tuple[float, bool]]:
    """(seconds, is it a key frame)"""
    with av.open(BytesIO(piece), "r") as container:
        return [
            (float(packet.pts * packet.time_base), packet.is_keyframe)
            for packet in container.demux(container.streams[stream])
            if packet.pts is not None and packet.time_base is not None
        ]
