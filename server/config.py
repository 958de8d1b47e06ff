"""Configuration as frozen Structs: read once, passed in, never patched."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from server.errors import InvalidInput

MIN_TURN_LIFETIME_S = 600.0
"""Renewal is looked at once a session check, and a connection is not set up in no time either."""
TURN_SECRET_VARIABLE = "DIEMCAU_TURN_SECRET"  # noqa: S105 - the variable's name
FanoutChoice = Literal["auto", "python", "c"]


class MediaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Media plane settings. ``announce`` are extra host candidate addresses (NAT).

    ``fanout``: what copies packets to viewers. ``auto`` takes C where it was built, ``c`` insists on it.
    ``tcp``: the media port listens to TCP too, for networks that block UDP.
    """

    announce: tuple[str, ...] = ()
    max_bitrate_bps: int = 2_500_000
    start_bitrate_bps: int = 1_200_000
    max_peers: int = 2_000
    max_peers_per_account: int = 256
    video_slots: int = 16
    audio_slots: int = 3
    fanout: FanoutChoice = "auto"
    tcp: bool = True


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


class ArchiveConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How recordings are kept and rendered. Times in seconds.

    ``default_class``: the retention class of a meeting's first recording. ``destroy_expired``: whether recordings whose
    time is over are destroyed without being asked for. ``download_wait_s``: how long a destruction waits for downloads
    that have begun. ``render_workers`` render at a time, each killed when it says nothing for ``render_stall_s``.
    """

    default_class: str = "years_10"
    destroy_expired: bool = False
    download_wait_s: float = 3_600.0
    render: bool = True
    render_workers: int = 1
    render_while_recording: bool = True
    render_stall_s: float = 300.0
    look_again_s: float = 60.0


class RecordingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recording. ``usual_bps``: bits a second that the expected hours left count with, at the least. With less than
    ``low_hours`` left there is a warning; at ``full_octets`` free nothing is written, from ``resume_octets`` on again.
    """

    usual_bps: float = 3_000_000
    low_hours: float = 10.0
    full_octets: int = 64 << 20
    resume_octets: int = 256 << 20


class TurnConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The relay for endpoints that cannot reach the media port (RFC 8656), a coturn with ``use-auth-secret``.

    ``urls`` as browsers take them (RFC 7065): ``turn:HOST:3478?transport=udp``, ``turns:HOST:5349?transport=tcp``;
    empty: no relay. ``secret_file`` holds coturn's ``static-auth-secret``; without one it is the environment's
    ``DIEMCAU_TURN_SECRET``. A session's credentials are good for ``lifetime_s`` seconds and renewed before.
    """

    urls: tuple[str, ...] = ()
    secret_file: str | None = None
    lifetime_s: float = 86_400.0

    def __post_init__(self) -> None:
        for url in self.urls:
            if not re.fullmatch(r"(stun|turn)s?:[^\s\"<>?]+(\?transport=(udp|tcp))?", url):
                raise ValueError(f"{url!r} is not turn:HOST[:PORT][?transport=udp|tcp], turns: or stun:")
        if self.lifetime_s < MIN_TURN_LIFETIME_S:
            raise ValueError(f"lifetime_s is at least {MIN_TURN_LIFETIME_S:.0f}")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a server is told at start, apart from its addresses and data folder. ``recordings_dir``: where
    recordings lie, if not in the data folder's ``recordings``."""

    media: MediaConfig = MediaConfig()
    floor: FloorConfig = FloorConfig()
    http: HttpConfig = HttpConfig()
    archive: ArchiveConfig = ArchiveConfig()
    recording: RecordingConfig = RecordingConfig()
    turn: TurnConfig = TurnConfig()
    database_url: str | None = None
    recordings_dir: str | None = None


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


def read_turn_secret(config: TurnConfig, environment: Mapping[str, str]) -> bytes:
    """What we share with the relay. Raises InvalidInput("turn_secret_unreadable" | "turn_secret_missing")."""
    if config.secret_file is None:
        secret = environment.get(TURN_SECRET_VARIABLE, "")
    else:
        try:
            secret = Path(config.secret_file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            # A UnicodeDecodeError carries what is in the file, which is no business of the log.
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise InvalidInput("turn_secret_unreadable", f"turn.secret_file {config.secret_file}: {reason}") from None
    if not secret.strip():
        detail = f"turn.urls needs the relay's secret: turn.secret_file or {TURN_SECRET_VARIABLE}."
        raise InvalidInput("turn_secret_missing", detail)
    return secret.strip().encode()
