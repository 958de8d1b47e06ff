"""Bodies in and out: read within a limit and a time, parsed once into frozen objects."""

import asyncio
from typing import TypeVar

import msgspec
from aiohttp import web

from server.errors import InvalidInput, TooLarge
from server.signaling.problems import HttpRefusal
from server.signaling.services import services_of

Body = TypeVar("Body", bound=msgspec.Struct)


async def read_body(request: web.Request, max_octets: int) -> bytes:
    """The whole body. Raises TooLarge, or HttpRefusal(408) for one that does not arrive in time."""
    if request.content_length is not None and request.content_length > max_octets:
        raise TooLarge("too_large", f"The body may have {max_octets} octets.")
    parts: list[bytes] = []
    octets = 0
    try:
        async with asyncio.timeout(services_of(request).config.body_timeout_s):
            async for part in request.content.iter_any():
                octets += len(part)
                if octets > max_octets:
                    raise TooLarge("too_large", f"The body may have {max_octets} octets.")
                parts.append(part)
    except TimeoutError:
        raise HttpRefusal(408, "body_timeout", "The body did not arrive in time.", {"Connection": "close"}) from None
    return b"".join(parts)


async def read_struct(request: web.Request, kind: type[Body], *, empty: Body | None = None) -> Body:
    """Parse a JSON body. ``empty`` stands for no body at all, where that is allowed.

    Raises InvalidInput("malformed_json" | "invalid_body") with the path of the fault, TooLarge,
    HttpRefusal(415) for another content type (which also keeps plain cross-site forms out).
    """
    data = await read_body(request, services_of(request).config.max_body_bytes)
    if not data and empty is not None:
        return empty
    if request.content_type != "application/json":
        raise HttpRefusal(415, "unsupported_media_type", "Send application/json.", {"Accept-Post": "application/json"})
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidInput("invalid_body", str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput("malformed_json", str(error)) from error


def answer(body: msgspec.Struct, status: int = 200) -> web.Response:
    """A JSON response; never cached."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
