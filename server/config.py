"""Configuration as frozen Structs: read once, passed in, never patched."""

from pathlib import Path
from typing import Literal

import msgspec

from server.errors import InvalidInput

FanoutChoice = Literal["auto", "python", "c"]


class MediaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Media plane settings. ``announce`` are extra host candidate addresses (NAT).

    ``fanout``: what copies packets to viewers. ``auto`` takes C where it was built, ``c`` insists on it.
    """

    announce: tuple[str, ...] = ()
    max_bitrate_bps: int = 2_500_000
    start_bitrate_bps: int = 1_200_000
    max_peers: int = 2_000
    max_peers_per_account: int = 256
    video_slots: int = 16
    audio_slots: int = 3
    fanout: FanoutChoice = "auto"


class FloorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Meeting rule defaults. Times in seconds."""

    lease_s: float = 30.0
    chair_grace_s: float = 10.0
    max_queue: int = 200
    max_grant_s: float = 7_200.0


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signalling limits. Sizes in bytes, rates per second, times in seconds.

    ``heartbeat_s``: a WebSocket that answers no ping for one and a half of these is lost. ``stall_s``: one that takes
    nothing for so long is closed. ``session_check_s``: how often a live WebSocket's sign-in is looked at again.
    ``utc_offset_minutes``: where a day starts in ``GET /api/meetings?day=``.
    """

    max_body_bytes: int = 262_144
    max_message_bytes: int = 131_072
    messages_per_s: float = 30.0
    message_burst: int = 120
    requests_per_s: float = 100.0
    request_burst: int = 1_000
    max_connections: int = 4_000
    max_connections_per_account: int = 32
    hello_timeout_s: float = 10.0
    heartbeat_s: float = 10.0
    stall_s: float = 15.0
    session_check_s: float = 60.0
    body_timeout_s: float = 15.0
    utc_offset_minutes: int = 420
    session_idle_s: float = 12 * 3600.0
    session_absolute_s: float = 7 * 24 * 3600.0
    login_failures: int = 5
    login_window_s: float = 900.0
    allowed_origins: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a server is told at start, apart from its addresses and data folder."""

    media: MediaConfig = MediaConfig()
    floor: FloorConfig = FloorConfig()
    http: HttpConfig = HttpConfig()
    database_url: str | None = None


def load_config(path: Path | None) -> Config:
    """Read a TOML file into a Config. Raises InvalidInput with the offending key in its detail."""
    if path is None:
        return Config()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise InvalidInput("config_unreadable", f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise InvalidInput("config_invalid", f"{path}: {error}") from error
