"""Who did what, on what, with what result: a log line always, and a row in the store for what changes the house.

Lines are JSON, so nothing that a client sent can break out of its field.
"""

import logging

import msgspec
from aiohttp import web

from server.errors import DiemcauError
from server.signaling.auth import ACCOUNT
from server.signaling.services import services_of
from server.store.audit import AuditLine

logger = logging.getLogger("diemcau.audit")

_MAX_TARGET = 200


async def record(request: web.Request, action: str, result: str, *, keep: bool) -> None:
    """Write down one action. ``result`` is ok or the code of the refusal; ``keep`` also stores it.

    A store that cannot take the line does not undo the action; the log line says so.
    """
    account = request.get(ACCOUNT)
    target = "/".join(request.match_info.values())[:_MAX_TARGET]
    line = AuditLine(
        at=services_of(request).clock.now(),
        action=action,
        account_id=account.account_id if account is not None else None,
        remote=request.remote or "",
        target=target,
        detail=result,
    )
    level = logging.INFO if result == "ok" else logging.WARNING
    logger.log(level, "%s", msgspec.json.encode(line).decode())
    if keep:
        try:
            await services_of(request).audit.append(line)
        except DiemcauError as error:
            logger.error("the line above could not be stored: %s", error.code)
