"""SDP: a client's one offer in, our one answer out (RFC 8866, 8829, 9429), never renegotiated."""

from enum import StrEnum


class Purpose(StrEnum):
    """What a peer connection is for: SESSION (a browser), PUBLISH (WHIP: sends only), VIEW (WHEP: receives only)."""

    SESSION = "session"
    PUBLISH = "publish"
    VIEW = "view"
