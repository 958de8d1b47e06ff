"""The client's half of ICE towards an ICE-lite server with one candidate (RFC 8445, RFC 7675), told the time."""

import struct

from aioice import stun

FIRST_CHECKS_S = (0.0, 0.05, 0.15, 0.35, 0.75, 1.5, 3.0, 5.0, 8.0)
CONSENT_INTERVAL_S = 5.0
CONSENT_TIMEOUT_S = 30.0
_HOST_PRIORITY = 126 << 24 | 65_535 << 8 | 255
_MAX_PENDING = 16


class IceClient:
    """Controlling agent with a single pair. ``connected`` after the first valid answer; consent is renewed for ever.

    ``expired`` turns true where no valid answer came for CONSENT_TIMEOUT_S (or all first checks went unanswered).
    """

    def __init__(
        self, *, local_ufrag: str, local_pwd: str, remote_ufrag: str, remote_pwd: str, tie_breaker: int, now: float
    ) -> None:
        self.connected = False
        self._username = f"{remote_ufrag}:{local_ufrag}"
        self._local_pwd = local_pwd.encode()
        self._remote_pwd = remote_pwd.encode()
        self._tie_breaker = tie_breaker
        self._began_at = now
        self._checks = 0
        self._due = now
        self._answered_at = now
        self._pending: dict[bytes, float] = {}
        self.rtt_s: float | None = None

    def next_deadline(self) -> float:
        return self._due

    def expired(self, now: float) -> bool:
        return now - self._answered_at > CONSENT_TIMEOUT_S

    def tick(self, now: float) -> bytes | None:
        """The connectivity or consent check to send now, None where none is due."""
        if now < self._due:
            return None
        self._checks += 1
        if self.connected or self._checks >= len(FIRST_CHECKS_S):
            self._due = now + CONSENT_INTERVAL_S
        else:
            self._due = self._began_at + FIRST_CHECKS_S[self._checks]
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = self._username
        request.attributes["PRIORITY"] = _HOST_PRIORITY
        request.attributes["ICE-CONTROLLING"] = self._tie_breaker
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._remote_pwd)
        while len(self._pending) >= _MAX_PENDING:
            self._pending.pop(next(iter(self._pending)))
        self._pending[request.transaction_id] = now
        return bytes(request)

    def receive(self, datagram: bytes, source: tuple[str, int], now: float) -> bytes | None:
        """Take in a STUN message; the answer to send where it is a valid check of the other side's."""
        try:
            message = stun.parse_message(datagram)
        except (ValueError, struct.error):
            return None
        if message.message_class == stun.Class.RESPONSE:
            self._on_response(message, now)
            return None
        if message.message_class != stun.Class.REQUEST or not message.check_message_integrity(self._local_pwd):
            return None
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=message.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = source
        response.add_message_integrity(self._local_pwd)
        return bytes(response)

    def _on_response(self, message: stun.Message, now: float) -> None:
        sent_at = self._pending.pop(message.transaction_id, None)
        if sent_at is None or not message.check_message_integrity(self._remote_pwd):
            return
        self.rtt_s = now - sent_at
        self._answered_at = now
        if not self.connected:
            self.connected = True
            self._due = now + CONSENT_INTERVAL_S
