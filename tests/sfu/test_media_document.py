"""docs/media.md says what the code does: its files, its reasons and its numbers."""

import re
from pathlib import Path

import pytest

from server.sfu import (
    allocation,
    arrivals,
    bandwidth,
    budget,
    cache,
    congestion,
    demand,
    feeding,
    keyframes,
    layers,
    nack,
    peer,
    reception,
    reports,
    resend,
    slot,
    speakers,
    uplink,
)
from server.sfu import router as routing

ROOT = Path(__file__).resolve().parents[2]
PAGE = " ".join((ROOT / "docs/media.md").read_text("utf-8").split())


def test_reasons_are_those_counted() -> None:
    rows = re.findall(r"\| `(\w+)` \|", PAGE)
    assert sorted(rows) == sorted(routing.DROP_REASONS)


@pytest.mark.parametrize("name", re.findall(r"`((?:server/[\w/]+|\w+)\.py)`", PAGE))
def test_files_exist(name: str) -> None:
    assert (ROOT / name).exists() or (ROOT / "server/sfu" / name).exists()


@pytest.mark.parametrize(
    "said",
    [
        f"longer than {routing.MAX_PACKET_LENGTH} octets",
        f"more than {reception.MAX_DROPOUT} counts",
        f"After {feeding.PATIENCE_S:g} s without one",
        f"up to {feeding.MAX_LATE_START} packets",
        f"up to {layers.UPSCALE:g} times upscaled",
        f"after {budget.FIRST_TRIAL_S:g} s, then {budget.LAST_PROBE_S:g}",
        f"within {budget.CONGESTION_MEMORY_S:g} s of congestion",
        f"falls by {100 * (1 - budget.FALL):.0f} %, or",
        f"rises over {budget.RAMP_S:g} s",
        f"round trip {budget.PROBE_DELAY_S:g} s longer than usual or {100 * budget.PROBE_LOSS:g} % more loss",
        f"stands for {budget.PROVE_S:g} s",
        f"or after {feeding.THIN_PATIENCE_S:g} s for a key frame",
        f"Below {allocation.SURVIVAL_BPS // 1000} kbit/s a viewer",
        f"unwatched for {demand.LOWER_AFTER_S:g} s",
        f"for {uplink.RESUME_S:g} s after it was asked",
        f"every {arrivals.FEEDBACK_INTERVAL_S:g} s which",
        f"silent for {feeding.LAYER_SILENT_S:g} s while",
        f"silent for {uplink.SILENT_AFTER_S:g} s counts",
        f"bursts of {1000 * congestion.GROUP_S:g} ms",
        f"falls by {100 * (1 - bandwidth.PROMPT_DECREASE):.0f} %, at most every {bandwidth.MIN_REMB_INTERVAL_S:g} s",
        f"in {keyframes.REQUEST_INTERVAL_S:g} s, whoever asks",
        f"{keyframes.MAX_REPEATS} times for a viewer's PLI",
        f"{1000 * nack.REORDER_TOLERANCE_S:g} ms after a gap opens",
        f"at least {1000 * nack.MIN_RETRY_S:g} ms apart, {nack.MAX_TRIES} times",
        f"At most {nack.MAX_GAPS} gaps",
        f"the cache ({cache.VIDEO_PACKETS} packets, {cache.MAX_AGE_S:g} s)",
        f"up to {slot.MAX_PAST_FEEDS} switches back",
        f"{resend.BUDGET_BPS // 1000} kbit/s and half",
        f"{reports.FIRST_REPORT_S:g} to {2 * reports.FIRST_REPORT_S:g} s after a slot starts",
        f"windows of {speakers.WINDOW_S:g} s",
        f"Louder than -{127 - speakers.SPEECH_LOUDNESS:g} dBov",
        f"{speakers.CHALLENGE_DB:g} dB louder for three windows",
        f"{peer.MAX_RETIRED} retired ones a peer",
    ],
)
def test_numbers_are_the_codes(said: str) -> None:
    assert said in PAGE


def test_fractions_said_in_words() -> None:
    assert round(allocation.RAISE - 1, 3) == 0.1
    assert budget.HEAVY_LOSS == 0.1
    assert resend.BUDGET_SHARE == 0.5
    assert speakers.CHALLENGE_WINDOWS == 3
    assert slot.MAX_ALIGNMENT_ERROR_S == 1.0
    assert reports.REPORT_INTERVAL_S == 1.0
