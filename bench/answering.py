"""Side by side with Pigeonhole: replies, repeats, list mail, an ordinary day, other sizes, a steady trickle."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import load, messages
from bench.measure import Figures, measured
from bench.messages import Letter
from bench.servers import ANNA, Side
from bench.sink import counted


@dataclass(frozen=True)
class Case:
    """`make(round)` gives the messages, and those to be answered before."""

    name: str
    make: Callable[[str], tuple[list[Letter], list[Letter]]]
    connections: int = 10
    per_second: float = 0.0  # as fast as they are taken
    replies: int | None = None  # how many there must be


@dataclass(frozen=True)
class Rounds:
    """What was measured of a case: a round's figures at the same place of both."""

    case: str
    hook: list[Figures]
    pigeonhole: list[Figures]


def cases(count: int, connections: int) -> list[Case]:
    """The rows of the table."""
    small, large = max(count // 5, 20), 50 * messages.MB
    steady = max(1_000, count)  # of fewer, three or four slow ones are the p99

    def of_size(sent: int, size: int) -> Callable[[str], tuple[list[Letter], list[Letter]]]:
        return lambda one: (messages.letters(one, sent, size), [])

    def twice(one: str) -> tuple[list[Letter], list[Letter]]:
        return messages.letters(one, count), messages.letters(one, count)

    return [
        Case("reply", of_size(count, 2 * messages.KB), connections, replies=count),
        Case("repeat", twice, connections, replies=0),
        Case("list", lambda one: (messages.letters(one, count, extra=messages.LIST), []), connections, replies=0),
        Case("mixed", lambda one: messages.mixed(one, count), connections),
        Case("30 KB", of_size(count // 2, 30 * messages.KB), connections),
        Case("1 MB", of_size(small, messages.MB), connections),
        Case("50 MB", of_size(4, large), connections=2),
        Case("100/s", of_size(steady, 2 * messages.KB), connections, per_second=100, replies=steady),
    ]


def compare(wanted: list[Case], hook: Side, pigeonhole: Side, memory: Path, rounds: int) -> Iterator[Rounds]:
    """Every case in turn on both sides, so many rounds of it after one to warm up."""
    for place, case in enumerate(wanted):
        found: dict[str, list[Figures]] = {"hook": [], "pigeonhole": []}
        for number in range(-1, rounds):
            sides = [("hook", hook), ("pigeonhole", pigeonhole)]
            for name, side in sides if number % 2 else reversed(sides):
                memory.unlink(missing_ok=True)  # Pigeonhole's cost grows with the senders it remembers
                figures = _one(case, f"{'abcdefghij'[place]}{number + 1}r", side, name)
                if number >= 0:
                    found[name].append(figures)
        yield Rounds(case.name, found["hook"], found["pigeonhole"])


def _one(case: Case, kind: str, side: Side, name: str) -> Figures:
    letters, before = case.make(kind)
    if name == "pigeonhole":
        letters, before = [one.to(ANNA) for one in letters], [one.to(ANNA) for one in before]
    if before:  # one connection: at ten, Pigeonhole's processes forget each other's senders
        load.send(side.port, 1, before)
        time.sleep(1.5)
    replies_before = counted(side.sink_port)[0]
    if case.per_second:
        figures = measured(side.pids, lambda: load.send_steadily(side.port, case.connections, letters, case.per_second))
    else:
        figures = measured(side.pids, lambda: load.send(side.port, case.connections, letters))
    figures["replies"] = counted(side.sink_port)[0] - replies_before
    if name == "hook" and case.replies is not None and figures["replies"] != case.replies:
        raise SystemExit(f"{case.name}: {figures['replies']:.0f} replies instead of {case.replies}")
    return figures
