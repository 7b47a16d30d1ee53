"""Time, CPU and memory of processes; medians over rounds, and ratios of what ran side by side."""

import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.load import Run

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
Figures = dict[str, float]


def measured(pids: Iterable[int], send: Callable[[], Run]) -> Figures:
    """What a run gives: messages a second, CPU ms of the processes and all below them per message, ms to wait."""
    pids = list(pids)
    before = sum(map(cpu_of_tree, pids))
    run = send()
    used = sum(map(cpu_of_tree, pids)) - before
    count = len(run.took)
    return {
        "per_second": count / run.seconds, "cpu_ms": used * 1000 / count,
        "p50_ms": run.quantile(50), "p99_ms": run.quantile(99),
    }  # fmt: skip


def medians(rounds: Sequence[Figures]) -> Figures:
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str) -> float:
    """The median of the rounds' ratios: both sides of a round ran one after the other."""
    return statistics.median(one[name] / other[name] for one, other in zip(ours, theirs, strict=True))


def cpu_of_tree(pid: int) -> float:
    """Seconds of CPU of a process and all below it, those that ended included."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):  # ended just now: its parent has counted it
            continue
        total += sum(map(int, fields[11:15])) / _TICKS
    return total


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20


def peak_mb(pid: int) -> float:
    """The most that a process ever had resident, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
