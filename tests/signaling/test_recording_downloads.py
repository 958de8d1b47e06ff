"""Octets by range, resumed downloads, names in Vietnamese, captions."""

import asyncio
import io
import shutil
import tarfile
from pathlib import Path

import aiohttp
import pytest

from server.signaling.ranges import attachment
from tests.archive.recorded import write_film
from tests.signaling.house import House
from tests.signaling.test_routes_recordings import ONE, RID, record

FILM = bytes(range(256)) * 4_000
SIZE = len(FILM)
VTT = "WEBVTT\n\n1\n00:00:01.000 --> 00:00:04.000\nKính thưa các đồng chí\n"


@pytest.fixture
async def ready(house: House) -> House:
    await record(house, film=True)
    return house


async def test_the_whole_film(ready: House) -> None:
    async with ready.ask("GET", f"{ONE}/film.mp4", "archivist") as response:
        assert (response.status, response.content_type) == (200, "video/mp4")
        assert response.headers["Accept-Ranges"] == "bytes"
        assert "Content-Disposition" not in response.headers
        assert await response.read() == FILM


RANGES = {
    "bytes=0-0": (0, 1),
    "bytes=10-19": (10, 20),
    "bytes=1000000-": (1_000_000, SIZE),
    "bytes=-5": (SIZE - 5, SIZE),
    f"bytes=-{SIZE + 5}": (0, SIZE),
    f"bytes=5-{SIZE * 10}": (5, SIZE),
    f"bytes={SIZE - 1}-": (SIZE - 1, SIZE),
}


async def test_ranges(ready: House) -> None:
    for asked, (start, end) in RANGES.items():
        async with ready.ask("GET", f"{ONE}/film.mp4", "archivist", headers={"Range": asked}) as response:
            assert response.status == 206, asked
            assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
            assert await response.read() == FILM[start:end]


async def test_ranges_that_are_not_there(ready: House) -> None:
    for asked in (f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"):
        async with ready.ask("GET", f"{ONE}/film.mp4", "archivist", headers={"Range": asked}) as response:
            assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{SIZE}"), asked
            assert await response.read() == b""


async def test_what_is_no_range_is_answered_whole(ready: House) -> None:
    for asked in ("bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=", "bytes=0-1,5-6", ""):
        async with ready.ask("GET", f"{ONE}/film.mp4", "archivist", headers={"Range": asked}) as response:
            assert (response.status, response.content_length) == (200, SIZE), asked


async def test_tags(ready: House) -> None:
    path = f"{ONE}/film.mp4"
    async with ready.ask("HEAD", path, "archivist") as response:
        tag = response.headers["ETag"]
        assert (response.status, response.content_length, await response.read()) == (200, SIZE, b"")
    async with ready.ask("GET", path, "archivist", headers={"If-None-Match": f'"x", {tag}'}) as response:
        assert response.status == 304
    for if_range, status in [(tag, 206), ('"other"', 200), (f"W/{tag}", 200), ("Tue, 24 Nov 2026 03:00:00 GMT", 200)]:
        headers = {"Range": "bytes=0-9", "If-Range": if_range}
        async with ready.ask("GET", path, "archivist", headers=headers) as response:
            assert response.status == status, if_range
    write_film(ready.recordings_dir / RID, ready.key, FILM[::-1])
    async with ready.ask("GET", path, "archivist", headers={"Range": "bytes=0-9", "If-Range": tag}) as response:
        assert (response.status, await response.read()) == (200, FILM[::-1])


async def test_a_film_that_is_not_there_yet(house: House) -> None:
    await record(house)
    assert await house.problem("GET", f"{ONE}/film.mp4", "archivist") == (409, "not_rendered")
    async with house.ask("GET", ONE, "archivist") as response:
        assert (await response.json())["film"] == {"state": "none", "progress": 0.0, "detail": ""}


async def test_the_package_is_a_tar_with_a_name_in_vietnamese(ready: House) -> None:
    async with ready.ask("GET", f"{ONE}/package.tar", "archivist") as response:
        body = await response.read()
        named = response.headers["Content-Disposition"]
    assert named.endswith("filename*=UTF-8''H%E1%BB%8Dp%20giao%20ban%20th%C3%A1ng%209%2015-06-2025.tar")
    assert 'filename="H_p giao ban th_ng 9 15-06-2025.tar"' in named
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        names = tar.getnames()
        assert names[0] == f"{RID}/manifest.json"
        assert f"{RID}/film.mp4" in names
    async with ready.ask("GET", f"{ONE}/package.tar", "archivist", headers={"Range": "bytes=700-"}) as response:
        assert (response.status, await response.read()) == (206, body[700:])


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.mp4", "attachment; filename=\"a.mp4\"; filename*=UTF-8''a.mp4"),
        ('a"b\\c/d\r\nSet-Cookie: x.mp4', 'filename="a b c d Set-Cookie  x.mp4"'),
        ("\u202egnp.exe", 'filename="gnp.exe"'),
        ("...", 'filename="download"'),
        ("Họp 🌧.mp4", "UTF-8''H%E1%BB%8Dp%20%F0%9F%8C%A7.mp4"),
    ],
)
def test_names_are_safe(name: str, header: str) -> None:
    said = attachment(name)
    assert header in said
    assert said.isascii()
    assert "\r" not in said
    assert "\n" not in said
    assert said.count('"') == 2


async def test_a_track_and_the_log(ready: House) -> None:
    folder = ready.recordings_dir / RID
    for path in ("tracks/ep_main-mic-0000.mkv", "events.jsonl"):
        async with ready.ask("GET", f"{ONE}/{path}", "archivist") as response:
            assert await response.read() == (folder / path).read_bytes()


async def test_too_many_downloads_of_one_account(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.archive.downloads.MOST_OF_AN_ACCOUNT", 0)
    assert await ready.problem("GET", f"{ONE}/film.mp4", "archivist") == (429, "too_many_downloads")


async def test_a_file_that_becomes_shorter_ends_the_connection(ready: House) -> None:
    """A client must not take a cut file for a whole one."""
    folder = ready.recordings_dir / RID
    write_film(folder, ready.key, bytes(64 << 20))  # more than the sockets between them take in
    async with ready.ask("GET", f"{ONE}/film.mp4", "archivist") as response:
        with (folder / "film.mp4").open("r+b") as film:
            film.truncate(1 << 20)
        with pytest.raises(aiohttp.ClientError):
            await response.read()


# --- captions ---------------------------------------------------------------------------------------


async def test_captions_come_and_go(ready: House) -> None:
    path = f"{ONE}/captions.vtt"
    assert await ready.problem("GET", path, "archivist") == (404, "no_such_file")
    sent = ("\ufeff" + VTT.replace("\n", "\r\n")).encode()
    async with ready.ask("PUT", path, "archivist", data=sent, headers={"Content-Type": "text/vtt"}) as response:
        assert response.status == 204
    async with ready.ask("GET", path, "chair") as response:
        assert (response.content_type, await response.text()) == ("text/vtt", VTT)
    async with ready.ask("GET", ONE, "chair") as response:
        assert (await response.json())["captions"] is True
    for _ in range(2):
        async with ready.ask("DELETE", path, "archivist") as response:
            assert response.status == 204
    assert await ready.problem("GET", path, "archivist") == (404, "no_such_file")
    assert {entry.name for entry in (ready.recordings_dir / RID).iterdir()} == {
        "events.jsonl",
        "signing-key.pub",
        "tracks",
        "film.mp4",
        "film.json",
    }


NO_CAPTIONS = {
    "empty": b"",
    "SubRip": b"1\n00:00:01,000 --> 00:00:02,000\nSRT\n",
    "another word": b"WEBVTTX\n",
    "UTF-16": "WEBVTT\n\n00:01.000 --> 00:02.000\nđồng chí".encode("utf-16"),
    "cut letter": b"WEBVTT\n\n00:01.000 --> 00:02.000\n\xe1\xbb",
    "ends first": b"WEBVTT\n\n00:02.000 --> 00:01.000\nx",
    "no times": b"WEBVTT\n\n0:01 -> 0:02\n1 --> 2\n",
    "NUL": b"WEBVTT\n\0",
}


async def test_what_is_no_webvtt(ready: House) -> None:
    path = f"{ONE}/captions.vtt"
    for what, octets in NO_CAPTIONS.items():
        assert await ready.problem("PUT", path, "archivist", data=octets) == (400, "bad_captions"), what
    large = io.BytesIO(b"WEBVTT\n" + b"x" * (2 << 20))
    assert await ready.problem("PUT", path, "archivist", data=large) == (413, "too_large")
    assert not (ready.recordings_dir / RID / "captions.vi.vtt").exists()


# --- from outside -----------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_resumes_a_broken_download(ready: House, tmp_path: Path) -> None:
    half = tmp_path / "film.mp4"
    half.write_bytes(FILM[:500_000])
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "--fail", "-C", "-", "-o", str(half)),
        *("-H", f"Authorization: Bearer {ready.token('archivist')}", str(ready.base.with_path(f"{ONE}/film.mp4"))),
    )
    assert await process.wait() == 0
    assert half.read_bytes() == FILM
