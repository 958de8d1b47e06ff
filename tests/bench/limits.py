"""The most viewers that one core carries: let in more and more until it fails, then halve the step."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.bench.loads import Stand
from tests.bench.window import Figures

FIRST = 160
GROWTH = 1.4
HALVINGS = 3
SEARCH_WITHIN_S = 600.0
ATTEMPTS = 2
"""A window may fail because of somebody else; what fails twice has failed."""

Carries = Callable[[int], Awaitable[bool]]


async def search(carries: Carries, first: int = FIRST, most: int = 6_000) -> int:
    """The largest count that ``carries`` says yes to, within GROWTH / 2^HALVINGS of the truth; 0: not even a few."""
    good, tried = 0, first
    while tried <= most and await carries(tried):
        good, tried = tried, round(tried * GROWTH)
    bad = tried
    for _ in range(HALVINGS):
        middle = (good + bad) // 2
        if middle in (good, bad):
            break
        if await carries(middle):
            good = middle
        else:
            bad = middle
    return good


async def most_viewers(stand: Stand, seconds: float, first: int = FIRST) -> tuple[int, Figures | None]:
    """Open the stand's publishers and search; the figures are those at the count returned."""
    best: dict[int, Figures] = {}

    async def carries(viewers: int) -> bool:
        try:
            await stand.resize(viewers)
            for _ in range(ATTEMPTS):
                figures = await stand.measure(seconds)
                if figures.carried:
                    best[viewers] = figures
                    return True
        except stand.sfu.refusals:
            return False
        return False

    for _ in range(stand.load.publishers):
        await stand.add_publisher()
    async with asyncio.timeout(SEARCH_WITHIN_S):
        count = await search(carries, first)
    return count, best.get(count)
