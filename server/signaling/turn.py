"""The relay's addresses and short-lived credentials for it, as coturn's ``use-auth-secret`` checks them.

The scheme is draft-uberti-behave-turn-rest-00: the user name says until when, and an HMAC over it with the secret that
we share with the relay is the password. The relay asks nobody, and we keep nothing.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping

from server.config import TurnConfig, read_turn_secret
from server.signaling.messages import IceServer

_RENEW_AFTER = 0.5
"""Share of the life time after which new credentials are handed out."""


class Relay:
    """What an ICE agent is told of the ways round a firewall. Its ``repr`` does not show the secret."""

    def __init__(self, urls: tuple[str, ...] = (), secret: bytes = b"", lifetime_s: float = 0.0) -> None:
        self._stun = tuple(url for url in urls if url.startswith("stun"))
        self._turn = tuple(url for url in urls if not url.startswith("stun"))
        self._secret = secret
        self._lifetime_s = lifetime_s

    def servers_for(self, account_id: str, now: float) -> tuple[IceServer, ...]:
        """For a peer connection's configuration; empty where there is no relay."""
        servers = [IceServer(self._stun)] if self._stun else []
        if self._turn:
            username = f"{int(now + self._lifetime_s)}:{account_id}"
            digest = hmac.digest(self._secret, username.encode(), hashlib.sha1)
            servers.append(IceServer(self._turn, username, base64.b64encode(digest).decode("ascii")))
        return tuple(servers)

    def renew_at(self, now: float) -> float:
        """When what ``servers_for`` gave at ``now`` is to be renewed; never where nothing of it expires."""
        return now + self._lifetime_s * _RENEW_AFTER if self._turn else float("inf")


NO_RELAY = Relay()


def open_relay(config: TurnConfig, environment: Mapping[str, str]) -> Relay:
    """Read the secret and be ready. Raises InvalidInput("turn_secret_unreadable" | "turn_secret_missing")."""
    if not any(url.startswith("turn") for url in config.urls):
        return Relay(config.urls)
    return Relay(config.urls, read_turn_secret(config, environment), config.lifetime_s)


def link_values(servers: Iterable[IceServer]) -> Iterator[str]:
    """Values of ``Link`` headers, one a URL (RFC 9725 4.6)."""
    for server in servers:
        for url in server.urls:
            parameters = 'rel="ice-server"'
            if server.username is not None:
                parameters += f'; username="{server.username}"; credential="{server.credential}"'
                parameters += '; credential-type="password"'
            yield f"<{url}>; {parameters}"
