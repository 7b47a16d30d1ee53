"""What the delivery hook notices while old decisions go: in batches out of one part, and a part at a time."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import psycopg

from bench import servers
from bench.load import Run, send
from bench.messages import letters
from bench.scale.filling import Size, refill
from bench.scale.server import ROOT
from mailboxes.models import Mailbox

CONNECTIONS = 10
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
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[1] == "batches":
    print(parts.delete_old_elsewhere(90, now, batch=10_000))
else:
    while parts.over(parts.parts(), 0, now):
        parts.drop_over(0, now)
"""


def measure(connection: psycopg.Connection[Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The hook alone; while rows go in batches; while every part goes."""
    _make_a_mailbox()
    many = max(options.decisions // 10, 1)
    connection.execute(OLD_ONES, [many])
    connection.execute("VACUUM ANALYZE responders_decision_default")
    rows = []
    print("while              replies/s  of alone  p99 ms  max ms  seconds   WAL MB  left behind MB")
    with servers.hooks(CHECK_SENDER_DOMAINS="0", **NO_BRAKE) as (_pids, (port, *_others), _relay):
        _send(port, 1_000)
        alone = _row(connection, port, "nothing", None, rows)
        _row(connection, port, f"{many} in batches", "batches", rows, alone)
        connection.execute("VACUUM ANALYZE responders_decision_default")
        again = _row(connection, port, "nothing", None, rows)
        _row(connection, port, f"{options.decisions} in parts", "parts", rows, again)
    if options.keep:
        refill(connection, Size(options.mailboxes, options.aliases, options.decisions))
    return rows


def _row(
    connection: psycopg.Connection[Any],
    port: int,
    name: str,
    kind: str | None,
    rows: list[dict[str, Any]],
    alone: float = 0,
) -> float:
    connection.execute("CHECKPOINT")
    before = _wal(connection)
    worker = _worker(kind) if kind else None
    started, took = time.perf_counter(), []
    seconds = 0.0
    if worker and worker.stdin:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for _batch in range(1_000):
        took += _send(port, 500).took
        if worker and not seconds and worker.poll() is not None:
            seconds = time.perf_counter() - started
        if len(took) >= 4_000 and (not worker or seconds):
            break
    rate = len(took) / (time.perf_counter() - started)
    row = {
        "while": name, "replies_per_second": rate, "of_alone": rate / alone if alone else 1,
        "p99_ms": statistics.quantiles(took, n=100)[98], "max_ms": max(took), "seconds": seconds,
        "wal_mb": (_wal(connection) - before) / 2**20, "left_mb": _left(connection),
    }  # fmt: skip
    rows.append(row)
    print(
        f"{name:<19}{rate:>9.0f}{row['of_alone']:>9.0%}{row['p99_ms']:>9.1f}{row['max_ms']:>8.1f}{seconds:>9.1f}"
        f"{row['wal_mb']:>9.0f}{row['left_mb']:>16.0f}",
        flush=True,
    )
    return rate


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
