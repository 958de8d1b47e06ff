"""What the control centre is told beside the room itself: every line's figures and the server's own alarms."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from server.clock import Clock
from server.hub.people import People, may_moderate
from server.hub.ports import LineReport, Link, Listener
from server.hub.roads import Roads

_EVERY_S = 2.0
_RECORDER_ALARMS = {
    "stalled": "recording_stalled",
    "restarting": "recorder_restarted",
    "paused": "recording_paused",
}


class Bulletin:
    """Moderators and operators get all links that changed, an endpoint its own, every two seconds."""

    def __init__(self, people: People, roads: Roads, clock: Clock, hours_low: Callable[[], float | None]) -> None:
        """``hours_low``: the hours left on the recordings' disk where that is too few, else None."""
        self._people = people
        self._roads = roads
        self._clock = clock
        self._hours_low = hours_low
        self._links: dict[str, Link] = {}
        self._alarms: dict[str, tuple[str, str, float, bool]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin telling; it stops by itself when nobody attends any more."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._tell_links)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def raise_alarm(self, code: str, detail: str, since: float, active: bool) -> None:
        """Tell an alarm now, and later to whoever comes while it is active."""
        if active:
            self._alarms[code] = (code, detail, since, active)
        else:
            self._alarms.pop(code, None)
        for attendance, listener in self._people.listening():
            if may_moderate(attendance.actor):
                listener.alarm(code, detail, since, active)

    def follow_recorder(self, state: str, detail: str, now: float) -> None:
        """Raise the alarm of the recorder's state and end those of others; ``ok`` ends all."""
        for about, code in _RECORDER_ALARMS.items():
            if about == state:
                self.raise_alarm(code, detail, now, True)
            elif code in self._alarms:
                self.raise_alarm(code, "", now, False)

    def _watch_disk(self) -> None:
        hours, now = self._hours_low(), self._clock.now()
        if hours is not None and "disk_low" not in self._alarms:
            self.raise_alarm("disk_low", f"{hours:.1f}", now, True)
        elif hours is None and "disk_low" in self._alarms:
            self.raise_alarm("disk_low", "", now, False)

    def greet(self, listener: Listener) -> None:
        """Tell a moderator who just came what is known already."""
        for alarm in self._alarms.values():
            listener.alarm(*alarm)
        if self._links:
            listener.links(tuple(self._links.values()))

    def _tell_links(self) -> None:
        self._timer = None
        if not self._people:
            return
        self._watch_disk()
        reports = {each.actor.seat_id: each.line_report for each in self._people if each.actor.seat_id is not None}
        links = {
            seat_id: _complete(self._roads.link(seat_id), reports.get(seat_id))
            for seat_id in self._roads.seats() | self._links.keys()
        }
        changed = {seat_id: link for seat_id, link in links.items() if self._links.get(seat_id) != link}
        for attendance, listener in self._people.listening():
            if may_moderate(attendance.actor):
                listener.links(tuple(changed.values()))
            elif attendance.actor.seat_id in changed:
                listener.links((changed[attendance.actor.seat_id],))
        self._links = {seat_id: link for seat_id, link in links.items() if link.media != "none"}
        self.start()


def _complete(link: Link, report: LineReport | None) -> Link:
    """The server's figures, with what only the client sees."""
    if report is None:
        return link
    return replace(
        link,
        rtt_ms=link.rtt_ms if link.rtt_ms is not None else report.rtt_ms,
        down_loss_percent=max(link.down_loss_percent, report.loss_percent or 0.0),
        freezes=report.freezes,
    )
