"""How the command line words what it found: plain text, and no name or title in it can do anything to a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from server.recording.events import Gap
from server.recording.report import Finding, Report
from server.recording.shelf import Overview

_MAX_GAPS: Final = 20
_NEVER_S: Final = 1e11


def table(found: Sequence[Overview]) -> str:
    """A line each: identifier, begin (local time), length, size, state, agency, title."""
    if not found:
        return "no recordings"
    head = ("recording", "begin", "length", "size", "state", "agency", "title")
    rows = [head, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )


def verdict(folder: Path, report: Report) -> str:
    """A recording's check: what it is, what was found, which gaps it has."""
    lines = [_plain(f"{folder}  {report.title or ''}").rstrip(), f"  {_summary(report)}"]
    lines += [f"  FOUND {_finding(finding)}" for finding in report.findings]
    lines += [f"  gap {_gap(gap, report.started_at or 0.0)}" for gap in report.gaps[:_MAX_GAPS]]
    if len(report.gaps) > _MAX_GAPS:
        lines.append(f"  and {len(report.gaps) - _MAX_GAPS} gaps more")
    if report.unsigned:
        lines.append(f"  nothing vouches for {_plain(', '.join(report.unsigned))}")
    return "\n".join(lines)


def length(seconds: float) -> str:
    """``h:mm:ss``, or ``?`` for what is no length."""
    if not abs(seconds) < _NEVER_S:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def size(octets: int) -> str:
    """With a unit of 1,000: ``12.3 MB``."""
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1_000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1_000
    return f"{amount:.1f} TB"


def _row(found: Overview) -> tuple[str, ...]:
    begin = "" if found.started_at is None else _moment(found.started_at)
    cells = (length(found.duration_s), size(found.octets), found.state, found.host_agency, found.title)
    return tuple(map(_plain, (found.recording_id, begin, *cells)))


def _moment(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return "?"


def _summary(report: Report) -> str:
    key = {
        True: "by a trusted key",
        False: "by a key that is not trusted",
        None: "by the key that came with it (give --key to be sure whose)",
    }[report.trusted]
    end = f"closed and signed {key}" if report.closed else "not closed"
    amounts = f"{report.segments} segments, {size(report.octets)}, {length(report.seconds)}"
    film = "with a film" if report.film else "no film"
    count = len(report.findings)
    found = "ok" if report.ok else f"NOT OK, {count} {'finding' if count == 1 else 'findings'}"
    return f"{found}: {report.lines} lines, {amounts}, {end}, {film}"


def _finding(finding: Finding) -> str:
    place = "" if finding.file is None else f" {finding.file}" + (f" line {finding.line}" if finding.line else "")
    return _plain(f"{finding.code}{place}: {finding.detail}")


def _gap(gap: Gap, begin: float) -> str:
    whose = f"{gap.seat_id} {gap.track}".rstrip() if gap.seat_id else "everybody"
    starts, lasts = gap.starts_at - begin, gap.ends_at - gap.starts_at
    return _plain(f"at {length(max(0.0, starts))} for {lasts:.1f} s, {gap.reason}, {whose}")


def _plain(text: str) -> str:
    """Without what steers a terminal."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)
