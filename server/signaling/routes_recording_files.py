"""What a recording is made of, over REST: film, tracks, log, package, captions."""

import re
from datetime import UTC, datetime, timedelta

from aiohttp import web

from server.archive.captions import MAX_OCTETS
from server.archive.lending import Loan
from server.errors import NotFound
from server.signaling.body_io import read_body
from server.signaling.ranges import send_octets
from server.signaling.routes_recordings import visitor_of
from server.signaling.routing import Route
from server.signaling.services import services_of

_PIECE = re.compile(r"(\d{5,7})\.m4s", re.ASCII)
_MATROSKA = "video/x-matroska"
_MP4 = "video/mp4"
_TAR = "application/x-tar"
_JSON_LINES = "application/jsonl"
_VTT = "text/vtt"
_M3U8 = "application/vnd.apple.mpegurl"


async def send_film(request: web.Request) -> web.StreamResponse:
    taken = request.query.get("download") == "1"
    lending = services_of(request).archive.lending
    async with lending.open_film(visitor_of(request), request.match_info["recording_id"], taken=taken) as loan:
        return await send_octets(request, loan[1], _MP4, file_name=_name(request, loan, ".mp4") if taken else "")


async def send_playlist(request: web.Request) -> web.StreamResponse:
    lending = services_of(request).archive.lending
    text = await lending.playlist(visitor_of(request), request.match_info["recording_id"])
    return web.Response(text=text, content_type=_M3U8)


async def send_init(request: web.Request) -> web.StreamResponse:
    return await _send_piece(request, None)


async def send_piece(request: web.Request) -> web.StreamResponse:
    return await _send_piece(request, _piece_number(request.match_info["piece"]))


async def _send_piece(request: web.Request, number: int | None) -> web.StreamResponse:
    lending = services_of(request).archive.lending
    async with lending.open_piece(visitor_of(request), request.match_info["recording_id"], number) as loan:
        return await send_octets(request, loan[1], _MP4)


async def send_track(request: web.Request) -> web.StreamResponse:
    file = request.match_info["file"]
    lending = services_of(request).archive.lending
    async with lending.open_track(visitor_of(request), request.match_info["recording_id"], file) as loan:
        return await send_octets(request, loan[1], _MATROSKA, file_name=file)


async def send_log(request: web.Request) -> web.StreamResponse:
    lending = services_of(request).archive.lending
    async with lending.open_log(visitor_of(request), request.match_info["recording_id"]) as loan:
        return await send_octets(request, loan[1], _JSON_LINES)


async def send_package(request: web.Request) -> web.StreamResponse:
    lending = services_of(request).archive.lending
    async with lending.open_package(visitor_of(request), request.match_info["recording_id"]) as loan:
        return await send_octets(request, loan[1], _TAR, file_name=_name(request, loan, ".tar"))


async def send_captions(request: web.Request) -> web.StreamResponse:
    lending = services_of(request).archive.lending
    async with lending.open_captions(visitor_of(request), request.match_info["recording_id"]) as loan:
        return await send_octets(request, loan[1], _VTT)


async def set_captions(request: web.Request) -> web.StreamResponse:
    octets = await read_body(request, MAX_OCTETS)
    lending = services_of(request).archive.lending
    await lending.set_captions(visitor_of(request), request.match_info["recording_id"], octets)
    return web.Response(status=204)


async def remove_captions(request: web.Request) -> web.StreamResponse:
    lending = services_of(request).archive.lending
    await lending.remove_captions(visitor_of(request), request.match_info["recording_id"])
    return web.Response(status=204)


def _piece_number(name: str) -> int:
    found = _PIECE.fullmatch(name)
    if found is None:
        raise NotFound("no_such_file", "The recording has no such file.")
    return int(found[1])


def _name(request: web.Request, loan: Loan, ending: str) -> str:
    """What a saved file is called: title and day, as people say them here."""
    row = loan[0].row
    offset = timedelta(minutes=services_of(request).config.utc_offset_minutes)
    day = (datetime.fromtimestamp(row.started_at, UTC) + offset).strftime("%d-%m-%Y")
    return f"{row.title[:100]} {day}{ending}"


_ONE = "/api/recordings/{recording_id}"
_RANGES = {206: "the range asked for", 304: "not changed", 416: "no such range"}
_DESTROYED = {409: "recording_destroyed"}
_PIECES = {429: "too_many_pieces", 503: "film_failed"}

ROUTES = (
    Route(
        method="GET",
        path=_ONE + "/film.mp4",
        handler=send_film,
        summary="The film",
        response=_MP4,
        head=True,
        query={"download": "1: as a file to keep"},
        statuses=_RANGES | {409: "not_rendered, recording_destroyed"},
    ),
    Route(
        method="GET",
        path=_ONE + "/hls/index.m3u8",
        handler=send_playlist,
        summary="The film in pieces (HLS), before it is rendered as well",
        response=_M3U8,
        statuses=_DESTROYED | _PIECES,
    ),
    Route(
        method="GET",
        path=_ONE + "/hls/init.mp4",
        handler=send_init,
        summary="What players need before any piece",
        response=_MP4,
        statuses=_RANGES | _DESTROYED | _PIECES,
    ),
    Route(
        method="GET",
        path=_ONE + "/hls/{piece}",
        handler=send_piece,
        summary="A piece of 8 s, NNNNN.m4s, rendered when it is asked for",
        response=_MP4,
        statuses=_RANGES | _DESTROYED | _PIECES,
    ),
    Route(
        method="GET",
        path=_ONE + "/tracks/{file}",
        handler=send_track,
        summary="A segment of one track as it was written",
        response=_MATROSKA,
        head=True,
        statuses=_RANGES | _DESTROYED,
    ),
    Route(
        method="GET",
        path=_ONE + "/events.jsonl",
        handler=send_log,
        summary="The log",
        response=_JSON_LINES,
        head=True,
        statuses=_RANGES | _DESTROYED,
    ),
    Route(
        method="GET",
        path=_ONE + "/package.tar",
        handler=send_package,
        summary="Everything with a manifest, to take away",
        response=_TAR,
        head=True,
        statuses=_RANGES | {409: "still_recording, recording_destroyed"},
    ),
    Route(
        method="GET",
        path=_ONE + "/captions.vtt",
        handler=send_captions,
        summary="The captions",
        response=_VTT,
        head=True,
        statuses=_RANGES | _DESTROYED,
    ),
    Route(
        method="PUT",
        path=_ONE + "/captions.vtt",
        handler=set_captions,
        summary="Set the captions",
        status=204,
        request=_VTT,
        statuses={400: "bad_captions", 409: "still_recording, recording_destroyed", 413: "too_large"},
    ),
    Route(
        method="DELETE",
        path=_ONE + "/captions.vtt",
        handler=remove_captions,
        summary="Remove the captions",
        status=204,
        statuses=_DESTROYED,
    ),
)
