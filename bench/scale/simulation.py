"""Where the arithmetic of docs/scale.md is not obvious: how evenly shards fill, and how long copies wait at a peak.

    python -m bench.scale.simulation [--mailboxes 10000000] [--domains 500000] [--shards 8]

Pure Python, a few seconds, the same numbers each time.
"""

import argparse
import heapq
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.scale.server import keep_results

HOUR = 3_600
# Share of a day's messages in each hour of a working day: a night, a first peak at nine, a second one after lunch.
HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 8, 9, 8, 7, 7, 8, 7, 6, 5, 4, 4, 3, 3, 2, 2, 1)
PEAK = 2.0  # within its hour the busiest minute has so many times the mean


def main() -> None:
    options = _options()
    rows = [*_shards(options.mailboxes, options.domains, options.shards), *_peaks(options.messages)]
    keep_results("simulation", vars(options), rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale.simulation", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--mailboxes", type=int, default=10_000_000)
    parser.add_argument("--domains", type=int, default=500_000)
    parser.add_argument("--messages", type=int, default=100_000_000, help="a day")
    parser.add_argument("--shards", type=int, default=8)
    return parser.parse_args()


# --- How evenly shards fill -----------------------------------------------------------------------------


def sizes_of_domains(mailboxes: int, domains: int) -> list[int]:
    """Mailboxes of each domain, the largest first: the second has half as many as the first, and so on (Zipf)."""
    weights = [1 / rank for rank in range(1, domains + 1)]
    unit = mailboxes / sum(weights)
    return [max(1, round(weight * unit)) for weight in weights]


def by_hash(sizes: Sequence[int], shards: int) -> list[int]:
    """A domain lies where the checksum of its name says: nobody keeps a list."""
    filled = [0] * shards
    for number, size in enumerate(sizes):
        filled[zlib.crc32(f"domain-{number}.example".encode()) % shards] += size
    return filled


def by_room(sizes: Sequence[int], shards: int) -> list[int]:
    """A domain is put where there is most room when it comes, in the order in which customers happen to come."""
    heap = [(0, shard) for shard in range(shards)]
    coming = list(sizes)
    random.Random(7).shuffle(coming)
    for size in coming:
        filled, shard = heap[0]
        heapq.heapreplace(heap, (filled + size, shard))
    return [filled for filled, _shard in heap]


def _shards(mailboxes: int, domains: int, shards: int) -> Iterator[dict[str, object]]:
    sizes = sizes_of_domains(mailboxes, domains)
    print(f"{mailboxes} mailboxes in {domains} domains on {shards} shards; the largest domain has {sizes[0]}")
    print("placed            fullest shard  against the mean")
    for name, place in (("by checksum", by_hash), ("where room is", by_room)):
        filled = place(sizes, shards)
        ratio = max(filled) * shards / sum(filled)
        print(f"{name:<18}{max(filled):>13}{ratio:>18.2f}")
        yield {"placed": name, "fullest": max(filled), "ratio": ratio}


# --- How long copies wait ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peak:
    """What a day did to the hooks: the longest wait in seconds, and the most copies that waited in the queue."""

    longest_wait: float
    most_waiting: float


def wait_on_a_day(copies: float, per_second: Sequence[float]) -> Peak:
    """`copies` arrive as HOURS say, with busy minutes in each; `per_second` is what the hooks take in each hour."""
    waiting = longest = most = 0.0
    for hour, share in enumerate(HOURS):
        mean = copies * share / sum(HOURS) / 60
        for minute in range(60):
            arriving = mean * (PEAK if minute % 10 == 0 else (10 - PEAK) / 9)
            taken = per_second[hour] * 60
            waiting = max(0.0, waiting + arriving - taken)
            most, longest = max(most, waiting), max(longest, waiting / per_second[hour])
    return Peak(longest, most)


def _peaks(messages: int) -> Iterator[dict[str, object]]:
    """Ten of a hundred mailboxes away, as over Christmas; one of two hosts of hooks dies for three hours, or none."""
    copies = messages * 0.10
    print(f"\n{copies:.0f} copies a day; the busiest minute has {_busiest(copies):.0f} a second")
    print("hooks a second in all  one dies from 9 to 12  longest wait s  most waiting")
    for capacity in (250, 300, 400, 600, 1_000):
        for dies in (False, True):
            speed = [capacity / 2 if dies and 9 <= hour < 12 else capacity for hour in range(24)]
            peak = wait_on_a_day(copies, speed)
            print(f"{capacity:>21}{'yes' if dies else 'no':>24}{peak.longest_wait:>16.0f}{peak.most_waiting:>14.0f}")
            yield {"per_second": capacity, "one_dies": dies, "wait_s": peak.longest_wait, "waiting": peak.most_waiting}


def _busiest(copies: float) -> float:
    return copies * max(HOURS) / sum(HOURS) / HOUR * PEAK


if __name__ == "__main__":
    main()
