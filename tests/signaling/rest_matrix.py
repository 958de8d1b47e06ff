"""One cell of the table of rights in docs/protocol.md: a well-formed request in the state that makes it sensible."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSServerHandshakeError

from server.archive.reading import CAPTIONS_FILE
from server.ids import new_id
from server.room.commands import GrantFloor, RequestFloor, StartRecording
from server.signaling.routing import Route
from server.store.meetings import MeetingState
from tests.archive.recorded import write_recording
from tests.signaling.house import Client, House
from tests.signaling.test_meetings_rest import plan
from tests.signaling.test_whip import FRAGMENT, PUBLISH, SDP, TRICKLE, VIEW, open_session

ROLES = ("nobody", "administrator", "operator", "chair", "deputy", "endpoint", "archivist", "observer")

Prepared = tuple[str, dict[str, Any]]


@asynccontextmanager
async def company(house: House) -> AsyncIterator[dict[str, Client]]:
    """The chair and the endpoint, connected."""
    async with house.join("chair") as chair, house.join("endpoint1") as endpoint:
        yield {"chair": chair, "endpoint": endpoint}


async def cell(house: House, clients: dict[str, Client], route: Route, role: str) -> int:
    """The status that ``role`` gets from ``route``."""
    who = {"nobody": None, "endpoint": "endpoint1"}.get(role, role)
    if "floor/requests" in route.path and route.method == "DELETE":
        await clients["endpoint"].command(RequestFloor())
    if "floor/{endpoint_id}" in route.path and route.method == "DELETE":
        await clients["chair"].command(GrantFloor(house.seat(1)))
    if route.path.endswith("/recording") and route.method != "POST":
        await clients["chair"].command(StartRecording())
    path, options = await _prepare(house, route)
    if route.path.endswith("/ws"):
        return await _handshake(house, who)
    async with house.ask(route.method, path, who, **options) as response:
        return response.status


async def _prepare(house: House, route: Route) -> Prepared:
    path = route.path.replace("{endpoint_id}", house.seat(1))
    options: dict[str, Any] = {}
    if "{session_id}" in path:
        session, tag = await open_session(house, "whip" if "/whip" in path else "whep")
        path = session
        if route.method == "PATCH":
            options = {"data": TRICKLE, "headers": FRAGMENT | {"If-Match": tag}}
    elif path.endswith(("/whip", "/whep")):
        options = {"data": PUBLISH if path.endswith("whip") else VIEW, "headers": SDP}
    elif path.endswith("/line-test/media") and route.method == "POST":
        options = {"data": VIEW, "headers": SDP}
    elif path.endswith("/open"):
        path = path.replace("{meeting_id}", await _planned(house))
    elif path.endswith("/endpoints") and route.method == "POST":
        options = {"json": {"endpoint_ids": [house.seat(2)]}}
    elif "{recording_id}" in path:
        path, options = await _recording(house, route)
    elif path == "/api/meetings" and route.method == "POST":
        options = {"json": await plan(house)}
    return path.replace("{meeting_id}", house.demo.meeting), options


async def _recording(house: House, route: Route) -> Prepared:
    """Of the open meeting: closed, with a film and captions; destroyed where its certificate is asked for."""
    folder = write_recording(
        house.recordings_dir, house.key, recording_id=new_id("rec"), meeting_id=house.demo.meeting, film=True
    )
    (folder / CAPTIONS_FILE).write_text("WEBVTT\n")
    await house.archive.closed(folder.name, "stopped")
    path = (
        route.path.replace("{recording_id}", folder.name)
        .replace("{file}", "ep_main-mic-0000.mkv")
        .replace("{piece}", "00000.m4s")
    )
    options: dict[str, Any] = {}
    if path.endswith("/certificate"):
        async with house.ask("DELETE", f"/api/recordings/{folder.name}", "archivist", json={"reason": "hết hạn"}):
            pass
    elif route.method == "DELETE" and path.endswith(folder.name):
        options = {"json": {"reason": "hết hạn"}}
    elif path.endswith("/keeping"):
        options = {"json": {"retention_class": "permanent", "legal_hold": True, "reason": "thanh tra"}}
    elif route.method == "PUT":
        options = {"data": b"WEBVTT\n", "headers": {"Content-Type": "text/vtt"}}
    return path, options


async def _planned(house: House) -> str:
    now = house.clock.now()
    operator = await house.services.accounts.account_for(house.demo.operator.token, now)
    known = await house.services.book.list_for(operator, now - 86_400, now + 86_400)
    return next(one.meeting_id for one in known if one.state is MeetingState.SCHEDULED)


async def _handshake(house: House, who: str | None) -> int:
    headers = {"Authorization": f"Bearer {house.token(who)}"} if who is not None else {}
    try:
        async with house.http.ws_connect(house.base / house.meeting.lstrip("/") / "ws", headers=headers):
            return 101
    except WSServerHandshakeError as refused:
        return refused.status
