"""The built web client: files of one folder, and ``index.html`` for every path of the client's own router."""

import re
from pathlib import Path

from aiohttp import hdrs, web

from server.errors import NotFound
from server.signaling.auth import is_https
from server.signaling.services import services_of

OTHER_PATHS = r"/{path:(?!(?:api|healthz|metrics)(?:/|$)).*}"

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?")
_HASHED = re.compile(r"-[A-Za-z0-9_-]{8,}\.\w+$")
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"

_PERMISSIONS = (
    "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), speaker-selection=(self), "
    "geolocation=(), payment=(), usb=()"
)
_NOT_BUILT = """<!doctype html>
<html lang="vi">
<meta charset="utf-8">
<title>Diemcau</title>
<h1>Diemcau</h1>
<p>Giao diện chưa được dựng. Chạy <code>make web</code> rồi tải lại trang này.</p>
<p lang="en">The web client has not been built. Run <code>make web</code>, then reload this page.</p>
</html>
"""


async def serve_client(request: web.Request) -> web.StreamResponse:
    """A file of the client, or its page. Raises NotFound for a file that is not there."""
    root = services_of(request).static_dir.resolve()
    path = request.match_info["path"]
    file = _inside(root, path)
    if file is not None:
        return _file(file, _FOREVER if path.startswith("assets/") and _HASHED.search(path) else _ASK_AGAIN)
    if not is_page(path):
        raise NotFound("no_such_resource", "There is no such file.")
    page = _inside(root, "index.html")
    if page is None:
        return web.Response(text=_NOT_BUILT, content_type="text/html", status=503)
    return _file(page, _ASK_AGAIN)


def is_page(path: str) -> bool:
    """Whether the client's router may know the path: no file name, no empty or dot segment."""
    segments = path.split("/")
    return "." not in path and segments[0] != "assets" and (path == "" or all(segments))


def _inside(root: Path, path: str) -> Path | None:
    """The file at ``path`` if it lies in ``root``, links followed; None otherwise (SCENARIOS row 35)."""
    try:
        file = (root / path).resolve()
        return file if path and file.is_file() and file.is_relative_to(root) else None
    except (OSError, ValueError):
        # Too long a name, or a NUL in it.
        return None


def _file(file: Path, cache_control: str) -> web.FileResponse:
    return web.FileResponse(file, headers={hdrs.CACHE_CONTROL: cache_control})


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """An ``on_response_prepare`` handler: what every answer tells the browser to keep to."""
    headers = response.headers
    headers["Server"] = "Diemcau"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = _PERMISSIONS
    headers["Content-Security-Policy"] = _policy(request)
    if is_https(request):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.path.startswith("/api/"):
        headers.setdefault(hdrs.CACHE_CONTROL, "no-store")


def _policy(request: web.Request) -> str:
    """Own scripts and styles only, nothing inline, no frames around us (CSP 3)."""
    # Older Safari does not take 'self' to cover the WebSocket of the same host.
    sockets = f" ws://{request.host} wss://{request.host}" if _HOST.fullmatch(request.host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        f"media-src 'self' blob:; connect-src 'self'{sockets}; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
