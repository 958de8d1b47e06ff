"""A viewer's bandwidth over its slots: sound first, then the first picture, then the rest. Pure arithmetic."""

from collections.abc import Sequence

import msgspec

from server.sfu.layers import LayerOffer, wanted_layer

RAISE = 1.1
"""A step up must leave a tenth to spare, a layer in use may overdraw by a tenth: bitrates are averages, and a
receiver's first estimate is just what it receives."""
NOMINAL_BPS = (150_000, 500_000, 1_500_000)
"""Taken for a layer not measured yet, from worst to best of three."""
SURVIVAL_BPS = 64_000
"""A line with less gets sound only."""
AUDIO_RESERVE_BPS = 40_000
"""Kept for each audio slot that carries something, or what it was measured at."""


class Demand(msgspec.Struct, frozen=True):
    """What one video slot could carry (layers from worst to best, at least one), is shown at, and carries now.

    ``leads``: it comes before the rest, as the first demand does: a shared screen, whose text is to be read.
    """

    layers: tuple[LayerOffer, ...]
    shown_height: int | None
    current: int | None
    leads: bool = False


class Plan(msgspec.Struct, frozen=True):
    """A layer index for each demand, None: paused. ``next_step_bps``: what the whole takes with one step more for the
    first demand that got less than it wants; None: all got it. ``wanted_bps``: what all that is wanted takes.
    """

    layers: tuple[int | None, ...]
    next_step_bps: int | None
    wanted_bps: int


def allocate(limit_bps: int | None, audio_bps: int, demands: Sequence[Demand]) -> Plan:
    """Share ``limit_bps`` (None: no limit) over the demands, the most important first.

    The sound's ``audio_bps`` are set aside whatever is left. The first demand and those that lead get their worst
    layer, then the best they want that fits; then each other gets its worst; then each, in order, steps up to what it
    wants as far as it fits.
    """
    wants = [wanted_layer(demand.layers, demand.shown_height, demand.current) for demand in demands]
    all_of_it = audio_bps + sum(_charge(demand, want) for demand, want in zip(demands, wants, strict=True))
    wanted_bps = int(all_of_it) + 1
    if limit_bps is None or wanted_bps <= limit_bps:
        return Plan(tuple(wants), None, wanted_bps)
    chosen: list[int | None] = [None] * len(demands)
    if limit_bps < SURVIVAL_BPS:
        # A picture at this rate freezes more than it shows, and what it takes is the sound's reserve.
        step_bps = _next_step(audio_bps, demands, wants, chosen)
        return Plan(tuple(chosen), None if step_bps is None else max(step_bps, SURVIVAL_BPS), wanted_bps)
    left = float(limit_bps - audio_bps)
    leading = [rank for rank, demand in enumerate(demands) if rank == 0 or demand.leads]
    others = [rank for rank in range(len(demands)) if rank not in leading]
    least = [0] * len(demands)
    for ranks, ceilings in ((leading, least), (leading, wants), (others, least), (others, wants)):
        for rank in ranks:
            left = _raise(demands[rank], rank, ceilings[rank], chosen, left)
    return Plan(tuple(chosen), _next_step(audio_bps, demands, wants, chosen), wanted_bps)


def _raise(demand: Demand, rank: int, ceiling: int, chosen: list[int | None], left: float) -> float:
    held = chosen[rank]
    before = 0.0 if held is None else _charge(demand, held)
    for index in range(ceiling, -1 if held is None else held, -1):
        cost = _charge(demand, index) - before
        if cost <= left:
            chosen[rank] = index
            return left - cost
    return left


def _charge(demand: Demand, index: int) -> float:
    cost = _cost(demand, index)
    return cost / RAISE if demand.current is not None and index <= demand.current else cost * RAISE


def _cost(demand: Demand, index: int) -> int:
    from_best = sum(not layer.is_thin for layer in demand.layers[index + 1 :])
    return demand.layers[index].bitrate_bps or NOMINAL_BPS[max(0, len(NOMINAL_BPS) - 1 - from_best)]


def _next_step(
    audio_bps: int, demands: Sequence[Demand], wants: Sequence[int], chosen: Sequence[int | None]
) -> int | None:
    total = float(audio_bps)
    step = None
    for demand, want, index in zip(demands, wants, chosen, strict=True):
        total += 0.0 if index is None else _charge(demand, index)
        if step is None and index != want:
            # A whole one: what lies between is only for want of room.
            first = 0 if index is None else index + 1
            following = next(i for i in range(first, len(demand.layers)) if not demand.layers[i].is_thin)
            step = _charge(demand, following) - (0.0 if index is None else _charge(demand, index))
    return None if step is None else int(total + step) + 1
