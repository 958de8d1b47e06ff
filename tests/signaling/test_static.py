"""The web client's files (SCENARIOS row 35 for paths)."""

import asyncio
import re
from pathlib import Path

import pytest
from yarl import URL

from tests.signaling.house import House


@pytest.fixture
def built(house: House) -> House:
    root = house.static_dir
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><title>Diemcau</title>", encoding="utf-8")
    (root / "favicon.svg").write_text("<svg/>", encoding="utf-8")
    (root / "assets" / "index-B1ab_cd9.js").write_text("export {}", encoding="utf-8")
    (root / "assets" / "logo.svg").write_text("<svg/>", encoding="utf-8")
    (root.parent / "secret.txt").write_text("secret", encoding="utf-8")
    (root.parent / "static-of-others").mkdir()
    (root.parent / "static-of-others" / "secret.txt").write_text("secret", encoding="utf-8")
    return house


@pytest.mark.parametrize("path", ["/", "/meetings/mtg_1", "/sign-in?next=/x", "/index.html", "/điểm-cầu"])
async def test_the_page_is_served_for_every_path_of_its_router(built: House, path: str) -> None:
    async with built.http.get(built.base.join(URL(path))) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert response.headers["Cache-Control"] == "no-cache"
        assert "Diemcau" in await response.text()


async def test_hashed_files_are_kept_forever_and_others_asked_for_again(built: House) -> None:
    async with built.ask("GET", "/assets/index-B1ab_cd9.js") as response:
        assert response.content_type.endswith("/javascript")
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for path in ("/assets/logo.svg", "/favicon.svg"):
        async with built.ask("GET", path) as response:
            assert response.content_type == "image/svg+xml"
            assert response.headers["Cache-Control"] == "no-cache"
            tag = response.headers["ETag"]
        async with built.ask("GET", path, headers={"If-None-Match": tag}) as response:
            assert response.status == 304


async def test_every_answer_is_protected(built: House) -> None:
    for path in ("/", "/favicon.svg", "/api/session", "/healthz", "/assets/none.js"):
        async with built.ask("GET", path) as response:
            policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == "'self'"
            assert policy["frame-ancestors"] == "'none'"
            assert "unsafe" not in response.headers["Content-Security-Policy"]
            assert policy["connect-src"].split() == [
                "'self'",
                f"ws://{built.base.authority}",
                f"wss://{built.base.authority}",
            ]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "camera=(self), microphone=(self), display-capture=(self)" in response.headers["Permissions-Policy"]
            assert "aiohttp" not in response.headers["Server"]


async def test_a_host_header_cannot_widen_the_policy(built: House) -> None:
    async with built.ask("GET", "/", headers={"Host": "x; script-src *"}) as response:
        assert "*" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/../static-of-others/secret.txt",
        "/..%2fstatic-of-others%2fsecret.txt",
        "/link.txt",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/assets/%00.js",
        "/secret.txt%00.js",
        "/" + "a" * 5000 + ".js",
        "/%c0%ae%c0%ae/secret.txt",
        "/assets",
        "/assets/",
        "/assets/none.js",
    ],
)
async def test_path_tricks(built: House, path: str) -> None:
    (built.static_dir / "link.txt").symlink_to(built.static_dir.parent / "secret.txt")
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await raw(built, request.encode())
    assert re.match(rb"HTTP/1.1 4(00|04) ", answer), answer[:200]
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2].replace(b"secret.txt", b"")


async def raw(house: House, request: bytes) -> bytes:
    """Send octets that no client library would, and read the answer to its end."""
    assert house.base.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", house.base.port)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_before_the_client_is_built(house: House) -> None:
    async with house.ask("GET", "/") as response:
        assert response.status == 503
        assert "make web" in await response.text()
    assert await house.problem("GET", "/favicon.svg") == (404, "no_such_resource")


async def test_a_head_request(built: House) -> None:
    async with built.ask("HEAD", "/") as response:
        assert response.status == 200
        assert await response.read() == b""


def test_the_real_client_needs_nothing_inline() -> None:
    """What Vite built (where it has) keeps to the policy: no inline script or style."""
    page = Path(__file__).parents[2] / "server" / "static" / "index.html"
    if page.exists():
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert "<style" not in text
        assert not re.search(r"\son\w+=", text)
