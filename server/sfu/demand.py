"""Which layers of a picture anybody needs: what nobody watches, or only small, its sender may switch off."""

from server.sfu.outputs import LayersWanted
from server.sfu.ports import Kind
from server.sfu.switchboard import Switchboard
from server.sfu.uplink import Uplink

LOWER_AFTER_S = 3.0
"""So long must a layer be unwatched before its sender hears of it; that one is watched it hears at once."""


class Demand:
    """Works on the switchboard for Feeding. Every uplink's sender begins with all its layers on."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def review(self, uplink: Uplink, now: float) -> None:
        """Look whether the sender should be told something else. Cheap; called whenever a slot may have changed."""
        if uplink.spec.kind is not Kind.VIDEO:
            return
        wanted = uplink.watched_rids()
        if not set(wanted) <= set(uplink.told_rids):
            # What is still on stays so for now, whether it is watched or not.
            self._tell(uplink, tuple(rid for rid in uplink.rids if rid in {*wanted, *uplink.told_rids}), now)
        if len(wanted) < len(uplink.told_rids):
            self._board.schedule.bring_forward(
                ("demand", uplink.track),
                now + LOWER_AFTER_S,
                lambda now: self._tell(uplink, uplink.watched_rids(), now),
            )
        else:
            self._board.schedule.cancel(("demand", uplink.track))

    def _tell(self, uplink: Uplink, rids: tuple[str, ...], now: float) -> None:
        for stream in uplink.streams:
            if stream.rid not in rids:
                stream.is_paused = stream.is_paused or stream.live
            elif stream.is_paused:
                stream.is_paused = False
                stream.resumed_at = now
        uplink.told_rids = rids
        self._board.outputs.append(LayersWanted(uplink.track, rids))
