"""What the handlers are given: the parts of the server below them, and what HTTP itself keeps."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from server.archive.archive import Archive
from server.clock import Clock
from server.config import HttpConfig, MediaConfig
from server.directory.accounts import Accounts
from server.directory.endpoints import Endpoints
from server.directory.units import Units
from server.hub import Hub
from server.meetings.book import MeetingBook
from server.signaling.turn import NO_RELAY, Relay
from server.store.audit import AuditLog


@dataclass(frozen=True, slots=True)
class Services:
    """The real parts, built by ``app.py`` (or by a test). ``static_dir`` holds the built web client."""

    hub: Hub
    accounts: Accounts
    book: MeetingBook
    units: Units
    endpoints: Endpoints
    audit: AuditLog
    archive: Archive
    clock: Clock
    config: HttpConfig
    media: MediaConfig
    registry: CollectorRegistry
    static_dir: Path
    relay: Relay = NO_RELAY


SERVICES = web.AppKey("services", Services)


def services_of(request: web.Request) -> Services:
    """The services of the application that serves ``request``."""
    return request.app[SERVICES]
