"""Runs the rooms: the only place that interprets room effects (see ``meeting.py``)."""

from server.hub.attendance import Attendance
from server.hub.hub import Hub
from server.hub.ports import Feed, Link, Listener, MediaAnswer, MediaSession
from server.hub.recorder import RecordingHouse, RecordingShelf

__all__ = [
    "Attendance",
    "Feed",
    "Hub",
    "Link",
    "Listener",
    "MediaAnswer",
    "MediaSession",
    "RecordingHouse",
    "RecordingShelf",
]
