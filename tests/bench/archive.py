"""Searching an archive of ten thousand meetings: milliseconds from the question to the page with its hits.

The entries are generated into the store as indexing writes them: ten thousand logs would only measure the disk.
"""

import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import insert

from server.archive.archive import Archive
from server.archive.folding import fold_line
from server.archive.search import Query, title_key
from server.clock import SystemClock
from server.config import ArchiveConfig, RecordingConfig
from server.store.records import Account, Role, RoleGrant
from server.store.store import Store, sqlite_url
from server.store.tables import RecordingLineRow, RecordingRow, RecordingWordRow
from tests.bench.report import say

ENTRIES = 10_000
ROUNDS = 5
_BATCH = 500
ARCHIVIST = Account("acc_bench", "bench", "Bench", (RoleGrant(Role.ARCHIVIST),))
_SYLLABLES = """
thanh yên nưa hưng nậm khao mường chà tủa sàn lay điện biên phủ tuần giáo nhé ảng pồ xã huyện tỉnh phường ủy ban nhân
dân văn phòng sở tài chính kế hoạch đầu tư giải ngân vốn công tiến độ kinh phí phòng chống thiên tai dịch bệnh giảm
nghèo bền vững nông thôn mới chuyển đổi số báo cáo kết quả thực hiện nhiệm vụ quý năm tháng họp giao ban triển khai nghị
quyết hội đồng cải cách hành chính tuyển sinh giáo dục đào tạo y tế bảo hiểm đất đai rừng biên giới an ninh trật tự
""".split()  # noqa: SIM905 - a text is easier to read than a list of its words
QUESTIONS = {
    "a commune and a subject": "xã thanh yên giải ngân",
    "half a word": "chuyển đổi s",
    "a word that everybody has": "ủy ban nhân dân",
    "one letter": "t",
    "beginnings": "th* ng* ch* đi*",
    "a phrase": '"phòng chống thiên tai"',
    "nothing": "zzz",
    "no words": "",
}


async def run_archive() -> None:
    """Print the slowest of several rounds for each question, the page of 50 with hits, total and all."""
    async with opened_archive(ENTRIES) as archive:
        for name, text in QUESTIONS.items():
            say("archive_search", 1_000 * await slowest_s(archive, text), "ms", question=name, entries=ENTRIES)


async def slowest_s(archive: Archive, text: str) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        await archive.finder.search(ARCHIVIST, Query(text=text))
        times.append(time.perf_counter() - begin)
    return max(times[1:])


@asynccontextmanager
async def opened_archive(entries: int, url: str = "") -> AsyncIterator[Archive]:
    """An archive with so many generated entries; ``url``: an empty database instead of a new SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(url or sqlite_url(Path(folder) / "bench.sqlite3"))
        await store.open()
        try:
            await fill(store, entries)
            yield Archive(
                store,
                Path(folder),
                SystemClock(),
                ArchiveConfig(render=False),
                RecordingConfig(),
                recordings_dir=Path(folder),
                key_path=Path(folder) / "key.pem",
            )
        finally:
            await store.close()


async def fill(store: Store, entries: int) -> None:
    """Some 30 lines each: title, agency, people, endpoints, subjects, chat."""
    chance = random.Random(1)  # noqa: S311 - the same archive every time, no secret
    communes = [f"Điểm cầu xã {_words(chance, 2)}" for _ in range(200)]
    for first in range(1, entries + 1, _BATCH):
        numbers = range(first, min(first + _BATCH, entries + 1))
        lines = [line for number in numbers for line in _lines(chance, number, communes)]
        words = {(word, line["number"], line["kind"]) for line in lines for word in str(line["folded"]).split()}
        async with store.write() as session:
            await session.execute(insert(RecordingRow), [_row(chance, number) for number in numbers])
            await session.execute(insert(RecordingLineRow), lines)
            await session.execute(
                insert(RecordingWordRow),
                [{"word": word, "number": number, "kind": kind} for word, number, kind in words],
            )


def _lines(chance: random.Random, number: int, communes: list[str]) -> list[dict[str, object]]:
    texts = [("title", _words(chance, 8)), ("agency", f"Ủy ban nhân dân tỉnh {_words(chance, 2)}")]
    texts += [("person", _words(chance, 3)) for _ in range(2)]
    texts += [("subject", f"{chance.choice(communes)} – {_words(chance, 6)}") for _ in range(8)]
    texts += [("endpoint", commune) for commune in chance.sample(communes, 10)]
    texts += [("chat", f"Văn thư: {_words(chance, 10)}") for _ in range(8)]
    return [
        {
            "number": number,
            "position": position,
            "kind": kind,
            "at_s": 60.0 * position,
            "text": text,
            "folded": fold_line(text),
        }
        for position, (kind, text) in enumerate(texts)
    ]


def _row(chance: random.Random, number: int) -> dict[str, object]:
    title = _words(chance, 8)
    return {
        "number": number,
        "recording_id": f"rec_{number}",
        "meeting_id": f"mtg_{number}",
        "host_unit_id": None,
        "title": title,
        "title_key": title_key(title),
        "host_agency": "Ủy ban nhân dân tỉnh",
        "chair": _words(chance, 3),
        "started_at": 1.6e9 + chance.random() * 1.5e8,
        "ended_at": 1.8e9,
        "duration_s": 3_600.0 * chance.random(),
        "endpoints": 10,
        "octets": 1_000_000,
        "state": "closed",
        "damage": "",
        "film_state": "ready",
        "film_progress": 1.0,
        "film_detail": "",
        "film_tries": 0,
        "film_due_at": 0.0,
        "film_again": False,
        "retention_class": "years_10",
        "keep_until": 2.1e9,
        "legal_hold": False,
        "log_octets": 1,
    }


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_SYLLABLES, k=count)).capitalize()
