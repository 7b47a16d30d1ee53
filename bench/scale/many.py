"""A file of every mailbox, sent while it is read, and a change of ten thousand mailboxes at once."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from bench.measure import resident_mb
from bench.scale.server import ROOT
from mailboxes.models import Domain, User
from responders import batches
from responders.batch_scope import Row
from responders.models import Batch
from responders.services import By, database_now
from responders.validation import ResponderInput, as_json

WORKER = """
import django, sys
django.setup()
from responders import batches
print("ready", flush=True)
sys.stdin.readline()
batches.run(int(sys.argv[1]), seconds=3600)
"""


def measure(_connection: psycopg.Connection[Any], _options: argparse.Namespace) -> list[dict[str, Any]]:
    return [_file(), *(_change(workers) for workers in (1, 2))]


def _support() -> User:
    person, _new = User.objects.get_or_create(email="support@bench.example")
    person.groups.add(Group.objects.get(name="support"))
    return person


def _file() -> dict[str, Any]:
    client = Client()
    client.force_login(_support())
    list(client.get(reverse("mailbox_file"), {"q": "nobody-is-called-so"}).streaming_content)  # type: ignore[arg-type]
    before, started = resident_mb(os.getpid()), time.perf_counter()
    answer = client.get(reverse("mailbox_file"))
    first = lines = octets = most = 0.0
    for number, chunk in enumerate(_chunks(answer)):
        first = first or time.perf_counter() - started
        lines, octets = lines + 1, octets + len(chunk)
        if number % 10_000 == 0:
            most = max(most, resident_mb(os.getpid()))
    row = {
        "what": "file of mailboxes", "lines": lines, "mb": octets / 2**20, "seconds": time.perf_counter() - started,
        "first_line_s": first, "grew_mb": most - before,
    }  # fmt: skip
    print(
        f"file: {lines:.0f} lines, {row['mb']:.0f} MB in {row['seconds']:.0f} s, the first after {first:.1f} s;"
        f" memory grew by {row['grew_mb']:.1f} MB",
        flush=True,
    )
    return row


def _chunks(answer: Any) -> Iterator[bytes]:
    yield from answer.streaming_content


def _change(workers: int) -> dict[str, Any]:
    """An absence for each mailbox of the largest domain, taken back afterwards."""
    domain = Domain.objects.order_by("pk")[0]
    rows = [Row(address, {}) for address in domain.mailbox_set.order_by("pk").values_list("address", flat=True)]
    absence = ResponderInput("absence", True, None, None, "Europe/Warsaw", f"Firma nieczynna {workers}", "Wracamy.")
    started = time.perf_counter()
    batch = batches.make(
        Batch.Kind.SET, domain.name, rows, as_json(absence) | {"order": "first"}, by=By(_support(), "bench"),
        now=database_now(),
    )  # fmt: skip
    planned = time.perf_counter() - started
    batches.start(batch)
    done = _run(batch, workers)
    counts = batches.counts(batch)
    batch.refresh_from_db()
    batches.take_back(batch)
    back = _run(batch, workers)
    row = {
        "what": "change", "mailboxes": len(rows), "workers": workers, "planned_s": planned, "done_s": done,
        "taken_back_s": back, "counts": counts,
    }  # fmt: skip
    print(
        f"change of {len(rows)} mailboxes, workers {workers}: preview {planned:.1f} s, done {done:.1f} s {counts},"
        f" taken back {back:.1f} s",
        flush=True,
    )
    return row


def _run(batch: Batch, workers: int) -> float:
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(batch.pk)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=ROOT,
        )
        for _number in range(workers)
    ]  # fmt: skip
    for program in programs:
        assert program.stdout is not None
        program.stdout.readline()
    started = time.perf_counter()
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        program.communicate()
    return time.perf_counter() - started
