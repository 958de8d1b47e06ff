"""Who asked what, of what, with what result: a log line for every change and every refusal.

Lines are JSON, so nothing that a client sent can break out of its field. What the directory and the meeting book
change they write into the store themselves; here only a known account's overstepping is stored as well.
"""

import logging

import msgspec
from aiohttp import web

from server.errors import DiemcauError, Forbidden
from server.signaling.auth import ACCOUNT
from server.signaling.services import services_of
from server.store.audit import AuditLine

logger = logging.getLogger("diemcau.audit")

_MAX_TARGET = 200


def record(request: web.Request, action: str) -> None:
    """Log an action that was carried out."""
    logger.info("%s", _encode(_line(request, action, "ok")))


async def record_refusal(request: web.Request, action: str, refusal: DiemcauError) -> None:
    """Log a refusal; store it where a signed-in account asked for what it may not have.

    Strangers' attempts are not stored: they must not be able to fill the disk.
    """
    line = _line(request, action, refusal.code)
    # A page that looks whether it is signed in is no incident.
    logger.log(logging.INFO if refusal.code == "not_signed_in" else logging.WARNING, "%s", _encode(line))
    if line.account_id is not None and isinstance(refusal, Forbidden):
        try:
            await services_of(request).audit.append(line)
        except DiemcauError as error:
            logger.error("the refusal above could not be stored: %s", error.code)


def _line(request: web.Request, action: str, result: str) -> AuditLine:
    account = request.get(ACCOUNT)
    return AuditLine(
        at=services_of(request).clock.now(),
        action=action,
        account_id=account.account_id if account is not None else None,
        remote=request.remote or "",
        target="/".join(request.match_info.values())[:_MAX_TARGET],
        detail=result,
    )


def _encode(line: AuditLine) -> str:
    return msgspec.json.encode(line).decode()
