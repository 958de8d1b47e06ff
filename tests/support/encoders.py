"""Hardware-like publishers for tests: ffmpeg's and GStreamer's own WHIP, each as a process."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

from tests.support.pictures import pattern, write_pattern_mjpeg

_SCRIPT = Path(__file__).with_name("gstreamer_whip.py")
_SYSTEM_PYTHON = "/usr/bin/python3"
_STOP_WITHIN_S = 10.0
_CONNECT_WITHIN_S = 20.0


class EncoderFailed(Exception):
    """The encoder ended or did not connect; the message carries what it wrote."""


@asynccontextmanager
async def ffmpeg_whip(
    folder: Path, url: str, token: str, pattern_index: int, tone_hz: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """imageio-ffmpeg publishes pattern and tone (H.264 constrained baseline, Opus) to ``url`` until the block ends.

    Raises EncoderFailed where it had ended by itself; its words are in FOLDER/ffmpeg.log.
    """
    picture = write_pattern_mjpeg(folder / "ffmpeg.mjpeg", pattern_index)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostats", "-loglevel", "verbose"]
    command += ["-re", "-f", "mjpeg", "-framerate", "15", "-stream_loop", "-1", "-i", str(picture)]
    command += ["-re", "-f", "lavfi", "-i", f"sine=frequency={tone_hz}:sample_rate=48000,volume=2"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline"]
    command += ["-pix_fmt", "yuv420p", "-g", "15", "-bf", "0", "-b:v", "500k", "-threads", "1"]
    command += ["-c:a", "libopus", "-ac", "2", "-ar", "48000"]
    # Without the flag ffmpeg offers setup:passive, and the server is passive itself (RFC 9725 4.4 wants actpass).
    command += ["-f", "whip", "-whip_flags", "dtls_active", "-authorization", token, url]
    async with _process(command, folder / "ffmpeg.log", stdin=subprocess.PIPE) as process:
        yield process


@asynccontextmanager
async def gstreamer_whip(
    folder: Path, url: str, token: str, pattern_index: int, tone_hz: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """GStreamer's webrtcbin (VP8, Opus, RSA certificate) publishes pattern and tone until the block ends.

    Raises EncoderFailed where it does not connect; its words are in FOLDER/gstreamer.log.
    """
    frames = folder / "frames"
    frames.mkdir()
    for number in range(30):
        Image.fromarray(pattern(pattern_index, 640, 360, number / 30)).save(frames / f"frame-{number:02d}.jpg")
    command = [_SYSTEM_PYTHON, str(_SCRIPT), url, token, str(frames), str(tone_hz)]
    log = folder / "gstreamer.log"
    async with _process(command, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                while (line := await process.stdout.readline()) != b"connected\n":
                    if not line:
                        raise EncoderFailed(f"GStreamer ended\n{_end_of(log)}")
        except TimeoutError:
            raise EncoderFailed(f"GStreamer: not connected\n{_end_of(log)}") from None
        yield process


@asynccontextmanager
async def _process(
    command: list[str], log: Path, *, stdin: int, stdout: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=stdin, stdout=file if stdout is None else stdout, stderr=file
        )
    try:
        yield process
        if process.returncode is not None:
            raise EncoderFailed(f"ended with {process.returncode}\n{_end_of(log)}")
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Both end at the end of their input (ffmpeg: at a q) and say good-bye; killed where they do not."""
    if process.returncode is None and process.stdin is not None:
        process.stdin.write(b"q")
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_WITHIN_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-3_000:]
