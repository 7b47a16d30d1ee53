"""What the delivery hook notices while old decisions go: a part at a time, and in batches out of the default part.

Rounds take turns: the hook alone, the hook while some of the parts go. What a round shares with the one beside it
(other programs on the machine) does not count in their ratio.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from bench import servers
from bench.load import Run, send
from bench.measure import Figures, cpu_of_tree
from bench.messages import letters
from bench.scale.filling import Size, refill
from bench.scale.server import ROOT, server_pid
from mailboxes.models import Mailbox

CONNECTIONS = 10
ROUNDS, PARTS_OF_A_ROUND = 5, 6
SECONDS = 8.0  # of a round without anything else
NO_BRAKE = {"MAILBOX_REPLIES_PER_HOUR": "1000000000", "DOMAIN_REPLIES_PER_HOUR": "1000000000"}
# Older than any part, so they lie in the default one.
OLD_ONES = """
INSERT INTO responders_decision_default (mailbox_id, decided_at, reverse_path, forward_path, reason, evidence, misses,
        message_id, queue_id)
    SELECT d.mailbox_id, d.decided_at - interval '1000 days', d.reverse_path, d.forward_path, d.reason, d.evidence,
        d.misses, d.message_id, d.queue_id
    FROM responders_decision d WHERE d.decided_at > now() - interval '90 days' LIMIT %s
"""
WORKER = """
import django, sys
django.setup()
from responders import decision_partitions as parts, services
now = services.database_now()
ends = [part.end for part in parts.over(parts.parts(), 0, now)]
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[1] == "batches":
    print(parts.delete_old_elsewhere(90, now, batch=10_000))
else:
    until = ends[min(int(sys.argv[1]), len(ends)) - 1]
    while parts.over(parts.parts(), 0, until):
        parts.drop_over(0, until)
"""


def measure(connection: psycopg.Connection[Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each round, then one with the medians of the ratios; all parts that are over go in the rounds."""
    _make_a_mailbox()
    many = max(options.decisions // 10, 1)
    connection.execute(OLD_ONES, [many])
    connection.execute("VACUUM ANALYZE responders_decision_default")
    print("while                replies/s  CPU ms each  p99 ms  max ms  seconds   WAL MB  left behind MB")
    with servers.hooks(CHECK_SENDER_DOMAINS="0", **NO_BRAKE) as (pids, (port, *_others), _relay):
        meter = Meter(connection, port, (*pids, server_pid(connection)))
        meter.row("warming up", None)
        rounds = []
        for _round in range(ROUNDS):
            alone = meter.row("nothing", None)
            rounds.append((alone, meter.row("parts go", str(PARTS_OF_A_ROUND))))
        alone = meter.row("nothing", None)
        batches = [(alone, meter.row(f"{many} in batches", "batches"))]
    if options.keep:
        refill(connection, Size(options.mailboxes, options.aliases, options.decisions))
    names = itertools.cycle(["nothing", "old rows go"])
    found: list[dict[str, Any]] = [
        {"while": name} | row for name, row in zip(names, itertools.chain(*rounds, *batches), strict=False)
    ]
    return [*found, _ratios("parts", rounds), _ratios("batches", batches)]


def _ratios(name: str, rounds: list[tuple[Figures, Figures]]) -> dict[str, Any]:
    """Medians over the rounds of: its rate meanwhile against its rate alone, and so with the CPU for each reply."""
    rate, cpu = (
        statistics.median(during[what] / alone[what] for alone, during in rounds) for what in ("per_second", "cpu_ms")
    )
    lowest = min(during["per_second"] / alone["per_second"] for alone, during in rounds)
    print(f"{name}: the hook kept {rate:.0%} of its rate (the worst round {lowest:.0%}); CPU for each reply {cpu:.2f}×")
    return {"while": name, "rounds": len(rounds), "rate": rate, "worst_rate": lowest, "cpu": cpu}


@dataclass(frozen=True)
class Meter:
    """The hook's port, and the processes whose CPU counts: the hook's and all of the database's."""

    connection: psycopg.Connection[Any]
    port: int
    pids: tuple[int, ...]

    def row(self, name: str, kind: str | None) -> Figures:
        """Replies for `SECONDS`, or for as long as old rows go."""
        self.connection.execute("CHECKPOINT")
        before, used = _wal(self.connection), sum(map(cpu_of_tree, self.pids))
        worker = _worker(kind) if kind else None
        started, took = time.perf_counter(), []
        if worker and worker.stdin:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        while (worker and worker.poll() is None) or (not worker and time.perf_counter() - started < SECONDS):
            took += _send(self.port, 500).took
        seconds = time.perf_counter() - started
        row: Figures = {
            "per_second": len(took) / seconds,
            "cpu_ms": (sum(map(cpu_of_tree, self.pids)) - used) * 1000 / len(took),
            "p99_ms": statistics.quantiles(took, n=100)[98], "max_ms": max(took), "seconds": seconds,
            "wal_mb": (_wal(self.connection) - before) / 2**20, "left_mb": _left(self.connection),
        }  # fmt: skip
        print(
            f"{name:<21}{row['per_second']:>9.0f}{row['cpu_ms']:>13.2f}{row['p99_ms']:>8.1f}{row['max_ms']:>8.1f}"
            f"{seconds:>9.1f}{row['wal_mb']:>9.0f}{row['left_mb']:>16.0f}",
            flush=True,
        )
        return row


_NUMBER = [0]


def _send(port: int, count: int) -> Run:
    """Messages of so many new senders."""
    _NUMBER[0] += 1
    return send(port, CONNECTIONS, letters(f"k{os.getpid()}r{_NUMBER[0]}", count))


def _worker(kind: str) -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, "-c", WORKER, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert program.stdout is not None
    program.stdout.readline()
    return program


def _wal(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0


def _left(connection: psycopg.Connection[Any]) -> float:
    """What the default part takes on disk, in MB, its indexes included."""
    row = connection.execute("SELECT pg_total_relation_size('responders_decision_default')").fetchone()
    return int(row[0]) / 2**20 if row else 0


def _make_a_mailbox() -> None:
    """Once: a kept database has it already."""
    if not Mailbox.objects.filter(address=servers.ANNA).exists():
        servers.make_a_mailbox()
