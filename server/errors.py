"""Two error families (see STYLE: "the peer broke the protocol" is not "we misused it").

``DiemcauError`` and its children are the *user's* or *peer's* fault or the world's: each has a stable
``code`` that travels in problem+json (RFC 9457) or a signalling error. Anything else that is raised
(AssertionError, KeyError, ...) is our own bug and fails loudly.
"""


class DiemcauError(Exception):
    """A documented refusal. ``code`` is stable and machine-readable, ``detail`` is for people."""

    status = 400

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail or code


class InvalidInput(DiemcauError):
    """Malformed or out-of-range input (400)."""

    status = 400


class NotAuthenticated(DiemcauError):
    """No valid credentials (401)."""

    status = 401


class Forbidden(DiemcauError):
    """Credentials are fine, the right is missing (403)."""

    status = 403


class NotFound(DiemcauError):
    """No such thing, or none that the caller may know of (404)."""

    status = 404


class Conflict(DiemcauError):
    """The state does not allow it now (409)."""

    status = 409


class TooLarge(DiemcauError):
    """A body, message or offer over its limit (413)."""

    status = 413


class TooMany(DiemcauError):
    """A rate or capacity limit was reached (429)."""

    status = 429


class Unavailable(DiemcauError):
    """The server cannot do it now, for a reason of its own (503)."""

    status = 503
