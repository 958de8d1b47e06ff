"""WHIP and WHEP from the client's side (RFC 9725): one POST, one answer, one DELETE."""

import aiohttp
import msgspec
from yarl import URL

from server.bots.meeting_socket import Refused
from server.errors import Unavailable


class MediaSession:
    """An open WHIP or WHEP session: where it is and what was answered."""

    def __init__(self, http: aiohttp.ClientSession, location: str, token: str, answer_sdp: str) -> None:
        self.location = location
        self.answer_sdp = answer_sdp
        self._http = http
        self._token = token

    async def delete(self) -> int:
        """End it; the status code."""
        async with self._http.delete(self.location, headers=_bearer(self._token)) as response:
            return response.status


async def open_media_session(
    http: aiohttp.ClientSession, url: str, meeting_id: str, token: str, kind: str, offer_sdp: str
) -> MediaSession:
    """POST an offer to ``whip`` or ``whep`` (``kind``). Raises Refused with the problem's code, Unavailable."""
    target = f"{url}/api/meetings/{meeting_id}/{kind}"
    headers = {**_bearer(token), "Content-Type": "application/sdp"}
    try:
        async with http.post(target, data=offer_sdp.encode(), headers=headers) as response:
            text = await response.text()
            if response.status != 201:
                raise Refused(_code_of(text) or f"http_{response.status}", f"{target}: {response.status} {text[:300]}")
            location = response.headers.get("Location", "")
            return MediaSession(http, str(response.url.join(URL(location))), token, text)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unavailable("server_unreachable", f"{target}: {error or type(error).__name__}") from error


class _Problem(msgspec.Struct):
    code: str = ""


def _code_of(problem_json: str) -> str:
    try:
        return msgspec.json.decode(problem_json, type=_Problem).code
    except msgspec.DecodeError:
        return ""


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
