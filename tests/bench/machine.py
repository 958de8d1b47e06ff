"""What the bench reads from the machine: CPU time and memory of a process, and how noisy the machine is (Linux)."""

import contextlib
import os
import statistics
import time
from functools import cache
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU time of a process's threads, to the nanosecond (/proc/PID/task/*/schedstat)."""
    total_s = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
            total_s += int((task / "schedstat").read_text().split()[0]) / 1e9
    return total_s


def family_cpu_seconds(pid: int) -> float:
    """The same of a process and its children's children: a server's, so that nothing it hands on is left out."""
    total_s = cpu_seconds(pid)
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total_s += sum(map(family_cpu_seconds, map(int, (task / "children").read_text().split())))
    return total_s


def resident_megabytes(pid: int) -> float:
    """VmRSS of a process in MB (10^6 octets)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"process {pid} has no VmRSS")


def stolen_seconds() -> float:
    """CPU time that the hypervisor gave to others, all cores (/proc/stat)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def core_busy_seconds(cpu: int) -> float:
    """Time a core was not idle, interrupts included (/proc/stat, in steps of 10 ms)."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{cpu}":
            user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
            return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    raise LookupError(f"no core {cpu}")


@cache
def split_cores() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(server's core, load generator's cores): one for the server, the rest for us; the same one where there is one.

    Settled at the first call, before anybody has bound this process to its share.
    """
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0],), tuple(cores[1:]) or (cores[0],)


def noise_percent(rounds: int = 25) -> float:
    """How much the same piece of work differs in time here and now: (95th percentile - median) / median."""
    times = sorted(_fixed_work() for _ in range(rounds))
    median = statistics.median(times)
    return 100 * (times[round(0.95 * (rounds - 1))] - median) / median


def _fixed_work() -> float:
    begin = time.perf_counter()
    total = 0
    for number in range(200_000):
        total += number * number & 0xFF
    assert total > 0
    return time.perf_counter() - begin
