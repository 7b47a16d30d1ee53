"""The table: every row of it with what it must reach, and the JSON beside it."""

import json
import os
import platform
import time
from pathlib import Path

from bench.alone import Row
from bench.answering import Rounds
from bench.measure import medians, ratio

RESULTS = Path(__file__).resolve().parent / "results"
# Of a case against Pigeonhole: at least so many times the rate, at most so many times the CPU.
MUST = {"reply": (2.0, 0.4), "repeat": (1.8, 0.5), "list": (3.0, 0.3), "mixed": (2.0, None)}
# Where both discard the letter, as Pigeonhole does in every case here.
THROUGH_POSTFIX = {("hook alone", "fed"): 1.1, ("hook alone", "drained"): 1.5}
_NAMES = ("hook", "other", "rate", "CPU ms", "other", "CPU", "p50 ms", "other", "p99 ms", "other")
_WIDTHS = (9, 9, 7, 9, 8, 7, 8, 8, 8, 8)


def head() -> None:
    names = "".join(f"{name:>{width}}" for name, width in zip(_NAMES, _WIDTHS, strict=True))
    print(f"{'case':<22}{names}  must reach", flush=True)


def against_pigeonhole(found: Rounds) -> Row:
    """Print a row of the comparison, and return it for the JSON."""
    ours, theirs = medians(found.hook), medians(found.pigeonhole)
    rate, cpu = ratio(found.hook, found.pigeonhole, "per_second"), ratio(found.hook, found.pigeonhole, "cpu_ms")
    verdict = ""
    if found.case in MUST:
        least, most = MUST[found.case]
        verdict = _verdict(f"rate ≥ {least}" + (f", CPU ≤ {most}" if most else ""),
                           rate >= least and (most is None or cpu <= most))  # fmt: skip
    if found.case == "100/s":
        p50, p99 = ratio(found.hook, found.pigeonhole, "p50_ms"), ratio(found.hook, found.pigeonhole, "p99_ms")
        verdict = _verdict("p50 and p99 ≤ the other's", p50 <= 1 and p99 <= 1)
    print(
        f"{found.case:<22}{ours['per_second']:>9.0f}{theirs['per_second']:>9.0f}{rate:>6.2f}×{ours['cpu_ms']:>9.2f}"
        f"{theirs['cpu_ms']:>8.2f}{cpu:>6.2f}×{ours['p50_ms']:>8.1f}{theirs['p50_ms']:>8.1f}{ours['p99_ms']:>8.1f}"
        f"{theirs['p99_ms']:>8.1f}  {verdict}",
        flush=True,
    )
    return {
        "case": found.case, "hook": ours, "pigeonhole": theirs, "rate": rate, "cpu": cpu, "verdict": verdict,
        "rounds": {"hook": found.hook, "pigeonhole": found.pigeonhole},
    }  # fmt: skip


def remembered(row: Row) -> None:
    _pair(row, "few", "many", "same rate", _number(row, "rate") >= 0.95)


def processes(row: Row) -> None:
    _pair(row, "one", "two", "CPU within 15%", _number(row, "cpu") <= 1.15)


def _pair(row: Row, first: str, second: str, wanted: str, is_reached: bool) -> None:
    one, two = row[first], row[second]
    assert isinstance(one, dict)
    assert isinstance(two, dict)
    print(
        f"{row['case']:<22}{two['per_second']:>9.0f}{one['per_second']:>9.0f}{_number(row, 'rate'):>6.2f}×"
        f"{two['cpu_ms']:>9.2f}{one['cpu_ms']:>8.2f}{_number(row, 'cpu'):>6.2f}×{two['p50_ms']:>8.1f}"
        f"{one['p50_ms']:>8.1f}{two['p99_ms']:>8.1f}{one['p99_ms']:>8.1f}  {_verdict(wanted, is_reached)}",
        flush=True,
    )


def memory(row: Row) -> None:
    after, large = _number(row, "after_mb"), _number(row, "large_mb")
    print(
        f"memory of a hook: {_number(row, 'started_mb'):.1f} MB at the start, {after:.1f} MB after {row['messages']}"
        f" messages to {row['mailboxes']} mailboxes  {_verdict('≤ 120 MB', after <= 120)}\n"
        f"50 × 50 MB at once: + {large:.1f} MB at the most  {_verdict('≤ + 50 MB', large <= 50)}",
        flush=True,
    )


def through_postfix(row: Row) -> None:
    other, ratios = row["pigeonhole"], row["ratios"]
    assert isinstance(other, dict)
    assert isinstance(ratios, dict)
    print(f"{row['case']}:", flush=True)
    for side, words in (("hook alone", "answering alone"), ("hook", "with the letter")):
        hook = row[side]
        assert isinstance(hook, dict)
        for name in ("fed", "drained", "taken"):
            rate, least = ratios[side][name], THROUGH_POSTFIX.get((side, name))
            verdict = _verdict(f"≥ {least}", rate >= least) if least else ""
            print(f"{f'{words}: {name}':<24}{hook[name]:>10.0f}/s{other[name]:>8.0f}/s{rate:>6.2f}×  {verdict}",
                  flush=True)  # fmt: skip


def _verdict(wanted: str, is_reached: bool) -> str:
    return f"{wanted}: {'reached' if is_reached else 'MISSED'}"


def _number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, float)
    return value


def keep(rows: list[Row], options: dict[str, object]) -> Path:
    """Write the run's JSON and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y-%m-%dT%H%M%S', time.gmtime())}.json"
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
    path.write_text(json.dumps({"machine": machine, "options": options, "rows": rows}, indent=1) + "\n")
    return path
