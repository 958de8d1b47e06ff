"""Octets out, whole or a range of them (RFC 9110, 13 and 14), so that players seek and broken downloads go on."""

import asyncio
import logging
import re
from typing import Protocol
from urllib.parse import quote

from aiohttp import hdrs, web

from server.errors import DiemcauError

logger = logging.getLogger(__name__)

PIECE_OCTETS = 256 << 10

_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")
_TAG = re.compile(r'(?:W/)?"[^"]*"')
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]+')


class Octets(Protocol):
    """Something of a known size that is read in pieces, blocking. ``etag``: strong, in quotes."""

    @property
    def size(self) -> int: ...

    @property
    def etag(self) -> str: ...

    def read(self, offset: int, length: int) -> bytes: ...


async def send_octets(
    request: web.Request, octets: Octets, media_type: str, *, file_name: str = ""
) -> web.StreamResponse:
    """200, 206, 304 or 416. ``file_name``: as a file to keep, named so. Several ranges at once are answered whole.

    It may be asked for its head only. What fails on the way ends the connection: the client knows that octets are
    missing, and asks for them again.
    """
    headers = {hdrs.ETAG: octets.etag, hdrs.ACCEPT_RANGES: "bytes", hdrs.CACHE_CONTROL: "private, no-cache"}
    if file_name:
        headers[hdrs.CONTENT_DISPOSITION] = attachment(file_name)
    if octets.etag in _TAG.findall(request.headers.get(hdrs.IF_NONE_MATCH, "")):
        return web.Response(status=304, headers=headers)
    found = _read_range(request, octets)
    if found is not None and found[0] >= found[1]:
        return web.Response(status=416, headers=headers | {hdrs.CONTENT_RANGE: f"bytes */{octets.size}"})
    start, end = found or (0, octets.size)
    if found is not None:
        headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{octets.size}"
    response = web.StreamResponse(status=200 if found is None else 206, headers=headers)
    response.content_type = media_type
    response.content_length = end - start
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        await _send(request, response, octets, start, end)
    return response


async def _send(request: web.Request, response: web.StreamResponse, octets: Octets, start: int, end: int) -> None:
    try:
        while start < end:
            piece = await asyncio.to_thread(octets.read, start, min(PIECE_OCTETS, end - start))
            if not piece:
                raise EOFError
            await response.write(piece)
            start += len(piece)
    except (OSError, EOFError, DiemcauError) as error:
        if isinstance(error, ConnectionError):
            raise  # the client is gone, not the file
        logger.error("%s broke off at octet %d: %r", request.path, start, error)
        if request.transport is not None:
            request.transport.abort()


def _read_range(request: web.Request, octets: Octets) -> tuple[int, int] | None:
    """[start, end), empty for a range that cannot be satisfied; None: the whole. What is malformed is ignored
    (RFC 9110, 14.2), and so is a range of what ``If-Range`` says was something else."""
    found = _RANGE.fullmatch(request.headers.get(hdrs.RANGE, "").strip())
    if found is None or request.headers.get(hdrs.IF_RANGE, octets.etag).strip() != octets.etag:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return max(0, octets.size - int(suffix)), octets.size
    end = min(octets.size, int(last) + 1) if last else octets.size
    if last and int(last) < int(first):
        return None
    return int(first), end


def attachment(name: str) -> str:
    """``Content-Disposition`` with a name in any script (RFC 6266, 4.3), and one in ASCII for what is old."""
    safe = _NOT_IN_A_NAME.sub(" ", name).strip(" .")[:150] or "download"
    plain = re.sub(r"[^A-Za-z0-9._ -]+", "_", safe)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(safe.encode('utf-8', 'replace'), safe='')}"
