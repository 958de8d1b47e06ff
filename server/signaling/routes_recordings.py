"""The archive over REST: finding recordings, knowing one, keeping and destroying it."""

from datetime import UTC, datetime, timedelta

from aiohttp import web

from server.archive.desk import Visitor
from server.archive.search import Query
from server.archive.views import (
    Certificate,
    FilmStatus,
    RecordingDetail,
    Recordings,
    RecordingSpace,
    RetentionClasses,
    VerifyReport,
)
from server.errors import InvalidInput
from server.signaling.auth import account_of
from server.signaling.bodies import DestroyBody, KeepingBody
from server.signaling.body_io import answer, read_struct
from server.signaling.routing import Route
from server.signaling.services import services_of

_PAGE = 50
_LARGEST_PAGE = 200
_LONGEST_QUERY = 300


def visitor_of(request: web.Request) -> Visitor:
    """Who looks into the archive, for its audit log."""
    return Visitor(account_of(request), request.remote or "")


async def list_recordings(request: web.Request) -> web.Response:
    """A page of what was found among the recordings that the account may know of."""
    return answer(await services_of(request).archive.finder.search(account_of(request), _read_query(request)))


async def show_recording(request: web.Request) -> web.Response:
    finder = services_of(request).archive.finder
    return answer(await finder.show(visitor_of(request), request.match_info["recording_id"]))


async def verify_recording(request: web.Request) -> web.Response:
    workshop = services_of(request).archive.workshop
    return answer(await workshop.verify(visitor_of(request), request.match_info["recording_id"]))


async def render_film(request: web.Request) -> web.Response:
    workshop = services_of(request).archive.workshop
    return answer(await workshop.render(visitor_of(request), request.match_info["recording_id"]), 202)


async def set_keeping(request: web.Request) -> web.Response:
    body = await read_struct(request, KeepingBody)
    archive, visitor = services_of(request).archive, visitor_of(request)
    recording_id = request.match_info["recording_id"]
    await archive.keeper.keep(visitor, recording_id, body.retention_class, body.legal_hold, body.reason)
    return answer(await archive.finder.describe(visitor, recording_id))


async def destroy_recording(request: web.Request) -> web.Response:
    body = await read_struct(request, DestroyBody)
    keeper = services_of(request).archive.keeper
    return answer(await keeper.destroy(visitor_of(request), request.match_info["recording_id"], body.reason))


async def show_certificate(request: web.Request) -> web.Response:
    """As it was signed: these octets, with ``signature`` empty, are what the signature is of."""
    keeper = services_of(request).archive.keeper
    document = await keeper.certificate(visitor_of(request), request.match_info["recording_id"])
    return web.Response(body=document, content_type="application/json", headers={"Cache-Control": "no-store"})


async def show_key(request: web.Request) -> web.Response:
    """The public half of the key that signs recordings, for ``verify`` elsewhere."""
    return web.Response(text=services_of(request).archive.public_key, content_type="application/x-pem-file")


async def show_space(request: web.Request) -> web.Response:
    return answer(await services_of(request).archive.finder.space(account_of(request)))


async def list_classes(request: web.Request) -> web.Response:
    return answer(await services_of(request).archive.finder.classes())


def _read_query(request: web.Request) -> Query:
    """Raises InvalidInput("invalid_day" | "invalid_query")."""
    asked = request.query
    for name in ("q", "agency", "endpoint", "person"):
        if len(asked.get(name, "")) > _LONGEST_QUERY:
            raise InvalidInput("invalid_query", f"{name}: at most {_LONGEST_QUERY} characters.")
    until = _day(request, "to")
    return Query(
        text=asked.get("q", ""),
        meeting_id=asked.get("meeting", ""),
        agency=asked.get("agency", ""),
        endpoint=asked.get("endpoint", ""),
        person=asked.get("person", ""),
        starts_at=_day(request, "from"),
        ends_at=None if until is None else until + timedelta(days=1).total_seconds(),
        state=asked.get("state", ""),
        sort=asked.get("sort", "newest"),
        cursor=asked.get("cursor", ""),
        limit=_limit(asked.get("limit", str(_PAGE))),
    )


def _day(request: web.Request, name: str) -> float | None:
    """Unix time at which ``YYYY-MM-DD`` starts at the configured place."""
    text = request.query.get(name, "")
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return (day - timedelta(minutes=services_of(request).config.utc_offset_minutes)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput("invalid_day", f"{name} is YYYY-MM-DD.") from None


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= _LARGEST_PAGE):
        raise InvalidInput("invalid_query", f"limit is 1 to {_LARGEST_PAGE}.")
    return int(text)


_ONE = "/api/recordings/{recording_id}"

ROUTES = (
    Route(
        method="GET",
        path="/api/recordings",
        handler=list_recordings,
        summary="Find recordings",
        response=Recordings,
        query={
            "q": "words, whatever their case and diacritics; all must be found; of the last the start is enough",
            "meeting": "of this meeting",
            "agency": "words of the host agency's name",
            "endpoint": "words of an endpoint's name",
            "person": "words of a person's name",
            "from": "YYYY-MM-DD, the first day",
            "to": "YYYY-MM-DD, the last day",
            "state": "recording, paused, closed, rendering, ready, damaged, destroyed, or expired",
            "sort": "newest (without it), oldest, title or longest",
            "cursor": "next of the page before",
            "limit": f"1 to {_LARGEST_PAGE}; {_PAGE} without it",
        },
        statuses={400: "invalid_query, invalid_day"},
    ),
    Route(
        method="GET",
        path="/api/recordings/key",
        handler=show_key,
        summary="The public key that recordings are signed with",
        response="application/x-pem-file",
    ),
    Route(
        method="GET",
        path="/api/recordings/space",
        handler=show_space,
        summary="How much can still be recorded",
        response=RecordingSpace,
    ),
    Route(
        method="GET",
        path="/api/recordings/classes",
        handler=list_classes,
        summary="The retention classes",
        response=RetentionClasses,
    ),
    Route(
        method="GET",
        path=_ONE,
        handler=show_recording,
        summary="One recording: chapters, who spoke when, gaps, chat, tracks",
        response=RecordingDetail,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        handler=destroy_recording,
        summary="Destroy it and certify that",
        request=DestroyBody,
        response=Certificate,
        statuses={409: "legal_hold, still_recording"},
    ),
    Route(
        method="GET",
        path=_ONE + "/certificate",
        handler=show_certificate,
        summary="The certificate of its destruction",
        response=Certificate,
        statuses={409: "not_destroyed"},
    ),
    Route(
        method="PUT",
        path=_ONE + "/keeping",
        handler=set_keeping,
        summary="How long it is kept; legal hold",
        request=KeepingBody,
        response=RecordingDetail,
        statuses={400: "retention_class_unknown, reason_missing", 409: "recording_destroyed"},
    ),
    Route(
        method="POST",
        path=_ONE + "/verify",
        handler=verify_recording,
        summary="Check every hash, the chain and the signature",
        response=VerifyReport,
        statuses={409: "still_recording, recording_destroyed", 429: "too_many_verifications"},
    ),
    Route(
        method="POST",
        path=_ONE + "/render",
        handler=render_film,
        summary="Render the film (again)",
        status=202,
        response=FilmStatus,
        statuses={409: "still_recording, recording_destroyed"},
    ),
)
