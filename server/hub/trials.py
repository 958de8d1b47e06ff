"""Trials of the media port from a device check: connections of nobody's meeting, few at a time and soon over."""

import asyncio
from collections import Counter

from server.errors import TooMany
from server.media import MediaPlane
from server.sfu.ports import PeerKey

TRIAL_S = 15.0
"""A way that has not connected by then does not count as one."""
MAX_TRIALS = 120
MAX_TRIALS_PER_ACCOUNT = 9
"""Three ways, tried again twice within TRIAL_S."""


class Trials:
    """Every trial counts for ``TRIAL_S``, whether it is still open or not: that bounds how often, too."""

    def __init__(self, media: MediaPlane) -> None:
        self._media = media
        self._held: Counter[str] = Counter()

    def open(self, account_id: str, offer: str) -> str:
        """The answer. Raises InvalidInput("bad_sdp"), TooMany("too_many_trials" | "too_many_peers")."""
        if self._held[account_id] >= MAX_TRIALS_PER_ACCOUNT or self._held.total() >= MAX_TRIALS:
            raise TooMany("too_many_trials", "The media port is being tried too often; wait a moment.")
        opened = self._media.open_trial(offer)
        self._held[account_id] += 1
        asyncio.get_running_loop().call_later(TRIAL_S, self._end, account_id, opened.peer)
        return opened.answer

    def _end(self, account_id: str, peer: PeerKey) -> None:
        self._media.close_trial(peer)
        self._held[account_id] -= 1
        if not self._held[account_id]:
            del self._held[account_id]
