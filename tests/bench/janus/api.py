"""Janus's API over its WebSocket, as far as a bench needs it: one session, many handles of the VideoRoom plugin."""

import asyncio
import itertools
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

import aiohttp

ANSWER_WITHIN_S = 20.0
KEEPALIVE_S = 20.0
PLUGIN = "janus.plugin.videoroom"
Json = dict[str, Any]


class JanusRefused(Exception):
    """Janus said no, or nothing."""


class JanusApi:
    """``async with JanusApi(url)``: a session that is kept alive."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._up: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._session = 0

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        try:
            self._socket = await self._http.ws_connect(self._url, protocols=("janus-protocol",), max_msg_size=0)
        except BaseException:
            await self._http.close()
            raise
        self._tasks = [asyncio.create_task(self._read())]
        created = await self._ask({"janus": "create"}, "success")
        self._session = created["data"]["id"]
        self._tasks.append(asyncio.create_task(self._keep_alive()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()
        await self._http.close()

    async def attach(self) -> int:
        """A new handle of the VideoRoom. Raises JanusRefused."""
        attached = await self._ask({"janus": "attach", "plugin": PLUGIN}, "success")
        handle: int = attached["data"]["id"]
        return handle

    async def detach(self, handle: int) -> None:
        await self._ask({"janus": "detach", "handle_id": handle}, "success")

    async def request(self, handle: int, body: Json) -> Json:
        """A request that is answered at once (create). Raises JanusRefused."""
        return _data(await self._ask({"janus": "message", "handle_id": handle, "body": body}, "success"))

    async def message(self, handle: int, body: Json, jsep: Json | None = None) -> tuple[Json, str]:
        """A request that is answered by an event; the event and its SDP ("" without one). Raises JanusRefused."""
        asked: Json = {"janus": "message", "handle_id": handle, "body": body}
        if jsep is not None:
            asked["jsep"] = jsep
        event = await self._ask(asked, "event")
        return _data(event), event.get("jsep", {}).get("sdp", "")

    async def trickle(self, handle: int, address: tuple[str, int]) -> None:
        """Our only candidate, and that there are no more."""
        text = f"candidate:1 1 udp 2130706431 {address[0]} {address[1]} typ host"
        candidate = {"candidate": text, "sdpMLineIndex": 0, "sdpMid": "0"}
        for each in (candidate, {"completed": True}):
            await self._ask({"janus": "trickle", "handle_id": handle, "candidate": each}, "ack")

    async def until_up(self, handle: int) -> None:
        """Wait until Janus says that the handle's connection is up: only then is its publisher there for others."""
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await self._up[handle].wait()

    async def _ask(self, message: Json, wanted: str) -> Json:
        transaction = str(next(self._numbers))
        message |= {"transaction": transaction}
        if self._session:
            message["session_id"] = self._session
        key = f"{wanted}/{transaction}"
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[key] = future
        try:
            await self._socket.send_json(message)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await future
        except TimeoutError:
            raise JanusRefused(f"no {wanted} within {ANSWER_WITHIN_S} s of {message}") from None
        finally:
            del self._answers[key]

    async def _read(self) -> None:
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            message = frame.json()
            kind, transaction = message.get("janus"), message.get("transaction")
            if kind == "webrtcup":
                self._up[message["sender"]].set()
            elif kind == "error":
                refusal = JanusRefused(str(message["error"]))
                for wanted in ("success", "event", "ack"):
                    self._settle(f"{wanted}/{transaction}", refusal)
            else:
                self._settle(f"{kind}/{transaction}", message)

    def _settle(self, key: str, answer: Json | JanusRefused) -> None:
        future = self._answers.get(key)
        if future is None or future.done():
            return
        if isinstance(answer, JanusRefused):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_S)
            await self._ask({"janus": "keepalive"}, "ack")


def _data(answer: Json) -> Json:
    data: Json = answer["plugindata"]["data"]
    if "error" in data:
        raise JanusRefused(f"{data['error_code']}: {data['error']}")
    return data
