"""How long it takes until every responder that falls due in one second has changed its state, and who waits for it."""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection as djangos
from django.test import Client

from bench.scale.server import ROOT
from mailboxes.models import Mailbox
from responders import services
from responders.models import Responder

# Every so many-th responder begins in the second that is just over.
MAKE_DUE = """
UPDATE responders_responder SET is_enabled = true, type = 'absence', state = 'scheduled',
    from_date = now() - interval '1 second', from_utc = now() - interval '1 second',
    to_date = now() + interval '14 days', to_utc = now() + interval '14 days',
    next_transition_at = now() - interval '1 second'
WHERE id IN (SELECT id FROM responders_responder WHERE id %% %(step)s = %(place)s LIMIT %(count)s)
"""
DUE = "SELECT count(*) FROM responders_responder WHERE next_transition_at <= now()"
STARTED = (
    "SELECT count(*), count(DISTINCT responder_id) FROM responders_responderevent WHERE kind = 'started' AND id > %s"
)
LAST = "SELECT coalesce(max(id), 0) FROM responders_responderevent"
_PLACE = [0]


def measure(connection: psycopg.Connection[Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Many at once by one worker and by two, a few by one, many with a worker that is killed; each a row."""
    idle, due = options.mailboxes, options.due
    few = max(due // 100, 1)
    print("due        workers  seconds           CPU s  moved  twice  page p50 ms  max ms  save max ms")
    rows = [
        _row(connection, idle, due, workers=1),
        _row(connection, idle, due, workers=2),
        _row(connection, idle, due, workers=2, kills=True),
    ]
    rows += [_row(connection, idle, few, workers=1) for _run in range(5)]
    return rows


def _row(
    connection: psycopg.Connection[Any], idle: int, due: int, *, workers: int, kills: bool = False
) -> dict[str, Any]:
    _make_due(connection, idle, due)
    last = _one(connection, LAST)
    with _people(_one(connection, "SELECT min(id) FROM responders_responder WHERE next_transition_at <= now()")) as saw:
        seconds, cpu = _apply(workers, kills=kills)
    left = _one(connection, DUE)
    moved, distinct = connection.execute(STARTED, [last]).fetchone() or (0, 0)
    row = {
        "idle": idle, "due": due, "workers": workers, "killed": kills, "seconds": seconds, "cpu_s": cpu,
        "moved": moved, "twice": moved - distinct, "left": left,
        "page_ms": statistics.median(saw["page"] or [0]), "page_max_ms": max(saw["page"] or [0]),
        "save_max_ms": max(saw["save"] or [0]),
    }  # fmt: skip
    name = f"{due}{' killed' if kills else ''}"
    print(
        f"{name:<15}{workers:>3}{seconds:>9.2f}{cpu:>16.2f}{moved:>7}{moved - distinct:>7}{row['page_ms']:>13.1f}"
        f"{row['page_max_ms']:>8.1f}{row['save_max_ms']:>13.1f}" + (f"  LEFT {left}" if left else ""),
        flush=True,
    )
    return row


def _make_due(connection: psycopg.Connection[Any], idle: int, due: int) -> None:
    step = max(idle // due, 1)
    _PLACE[0] = (_PLACE[0] + 1) % step
    connection.execute(MAKE_DUE, {"step": step, "place": _PLACE[0], "count": due})
    connection.execute("VACUUM ANALYZE responders_responder")
    connection.execute("CHECKPOINT")


def _one(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


# Django's start is not counted: the worker has started long ago.
WORKER = """
import django, sys, time
django.setup()
from django.db import connection
from responders import services
services.database_now()
print("ready", flush=True)
sys.stdin.readline()
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_backend_pid()")
    pid = cursor.fetchone()[0]
def cpu():
    return time.process_time() + int(open(f"/proc/{pid}/schedstat").read().split()[0]) / 1e9
started, used = time.perf_counter(), cpu()
services.apply_due_transitions(services.database_now())
print(time.perf_counter() - started, cpu() - used, flush=True)
"""


def _apply(workers: int, *, kills: bool) -> tuple[float, float]:
    """Seconds until the last one is done, and CPU seconds of those that lived, each with its database process."""
    programs = [_worker() for _number in range(workers)]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    if kills:
        time.sleep(0.5)
        programs[0].send_signal(signal.SIGKILL)
    answers = [answer for program in programs if (answer := program.communicate()[0].split())]
    return max(float(answer[0]) for answer in answers), sum(float(answer[1]) for answer in answers)


def _worker() -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ,
    )  # fmt: skip
    assert program.stdout is not None
    program.stdout.readline()
    return program


@contextmanager
def _people(pk: int) -> Iterator[dict[str, list[float]]]:
    """Somebody who opens a mailbox's page again and again, and somebody who switches a responder that falls due."""
    saw: dict[str, list[float]] = {"page": [], "save": []}
    over = threading.Event()
    threads = [threading.Thread(target=one, args=(pk, saw, over)) for one in (_look, _save)]
    for thread in threads:
        thread.start()
    try:
        yield saw
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _look(pk: int, saw: dict[str, list[float]], over: threading.Event) -> None:
    mailbox = Mailbox.objects.select_related("owner").get(pk=pk)
    client = Client()
    client.force_login(mailbox.owner)
    client.get(f"/mailboxes/{pk}/")
    while not over.wait(0.05):
        started = time.perf_counter()
        assert client.get(f"/mailboxes/{pk}/").status_code == 200
        saw["page"].append((time.perf_counter() - started) * 1000)
    djangos.close()


def _save(pk: int, saw: dict[str, list[float]], over: threading.Event) -> None:
    while not over.wait(0.1):
        started = time.perf_counter()
        services.answer_everyone_again(Responder(pk=pk), actor=None, now=services.database_now())
        saw["save"].append((time.perf_counter() - started) * 1000)
    djangos.close()
