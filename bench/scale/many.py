"""A file of every mailbox, sent while it is read, and a change of ten thousand mailboxes at once."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from bench.measure import resident_mb
from bench.scale.server import ROOT
from mailboxes.models import Domain, User
from responders.many import batches
from responders.many.batch_scope import Row
from responders.models import Batch, Responder
from responders.services import By, database_now
from responders.validation import ResponderInput, as_json

CHANGED = 10_000  # mailboxes
# Prints the CPU seconds that it and its process of the database used; Django's start is not counted.
WORKER = """
import django, sys, time
django.setup()
from django.db import connection
from responders import services
from responders.many import batches
services.database_now()
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_backend_pid()")
    pid = cursor.fetchone()[0]
def database():
    return int(open(f"/proc/{pid}/schedstat").read().split()[0]) / 1e9
print("ready", flush=True)
sys.stdin.readline()
web, asked = time.process_time(), database()
batches.run(int(sys.argv[1]), seconds=3600)
print(time.process_time() - web, database() - asked, flush=True)
"""


def measure(_connection: psycopg.Connection[Any], _options: argparse.Namespace) -> list[dict[str, Any]]:
    return [_file(), *(row for workers in (1, 2) for row in _change(workers))]


def _support() -> User:
    person, _new = User.objects.get_or_create(email="support@bench.example")
    person.groups.add(Group.objects.get(name="support"))
    return person


def _file() -> dict[str, Any]:
    client = Client()
    client.force_login(_support())
    list(client.get(reverse("mailbox_file"), {"q": "nobody-is-called-so"}).streaming_content)  # type: ignore[arg-type]
    before, started, used = resident_mb(os.getpid()), time.perf_counter(), time.process_time()
    answer = client.get(reverse("mailbox_file"))
    first = lines = octets = most = 0.0
    for number, chunk in enumerate(_chunks(answer)):
        first = first or time.perf_counter() - started
        lines, octets = lines + 1, octets + len(chunk)
        if number % 10_000 == 0:
            most = max(most, resident_mb(os.getpid()))
    row = {
        "what": "file of mailboxes", "lines": lines, "mb": octets / 2**20, "seconds": time.perf_counter() - started,
        "first_line_s": first, "cpu_s": time.process_time() - used, "before_mb": before, "grew_mb": most - before,
    }  # fmt: skip
    print(
        f"file: {lines:.0f} lines, {row['mb']:.0f} MB in {row['seconds']:.0f} s ({row['cpu_s']:.0f} of CPU without the"
        f" database), the first after {first:.1f} s; memory {before:.0f} MB before,"
        f" {row['grew_mb']:.1f} MB more at most",
        flush=True,
    )
    return row


def _chunks(answer: Any) -> Iterator[bytes]:
    yield from answer.streaming_content


def _change(workers: int) -> list[dict[str, Any]]:
    """An absence for ten thousand mailboxes of a domain, taken back; set again, ended, and the end taken back."""
    domain = Domain.objects.order_by("pk")[0]
    addresses = domain.mailbox_set.order_by("pk").values_list("address", flat=True)[:CHANGED]
    rows = [Row(address, {}) for address in addresses]
    subject = f"Firma nieczynna {workers}"
    absence = as_json(ResponderInput("absence", True, None, None, "Europe/Warsaw", subject, "Wracamy."))
    found = [_done_and_taken_back(Batch.Kind.SET, domain, rows, absence | {"order": "first"}, workers)]
    _done(Batch.Kind.SET, domain, rows, absence | {"order": "first"}, workers)
    ending = {"types": ["absence"], "coming": False, "words": subject}
    found.append(_done_and_taken_back(Batch.Kind.END, domain, rows, ending, workers))
    Responder.objects.filter(mailbox__domain=domain, subject=subject).delete()
    return found


def _done_and_taken_back(
    kind: Batch.Kind, domain: Domain, rows: list[Row], values: dict[str, Any], workers: int
) -> dict[str, Any]:
    row = _done(kind, domain, rows, values, workers)
    row |= _spent("taken_back", row.pop("batch"), batches.take_back, workers)
    print(
        f"{row['what']:<4} {row['mailboxes']} mailboxes, workers {workers}: preview {row['planned_s']:.1f} s;"
        f" done in {row['done_s']:.1f} s ({row['done_cpu_s']:.1f} of CPU, the database {row['done_database_s']:.1f}"
        f" of it), {row['counts']}; taken back in {row['taken_back_s']:.1f} s ({row['taken_back_cpu_s']:.1f})",
        flush=True,
    )
    return row


def _done(kind: Batch.Kind, domain: Domain, rows: list[Row], values: dict[str, Any], workers: int) -> dict[str, Any]:
    started = time.perf_counter()
    batch = batches.make(kind, domain.name, rows, values, by=By(_support(), "bench"), now=database_now())
    planned = time.perf_counter() - started
    row = {"what": str(kind), "mailboxes": len(rows), "workers": workers, "planned_s": planned, "batch": batch}
    row |= _spent("done", batch, batches.start, workers)
    return row | {"counts": batches.counts(batch)}


def _spent(name: str, batch: Batch, begin: Callable[[Batch], bool], workers: int) -> dict[str, float]:
    """Seconds until the last worker is done, and CPU seconds of all of them with their processes of the database."""
    batch.refresh_from_db()
    if not begin(batch):
        raise SystemExit(f"batch {batch.pk} is {batch.state}")
    seconds, cpu, database = _run(batch, workers)
    return {f"{name}_s": seconds, f"{name}_cpu_s": cpu, f"{name}_database_s": database}


def _run(batch: Batch, workers: int) -> tuple[float, float, float]:
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
    used = [[float(number) for number in program.communicate()[0].split()] for program in programs]
    database = sum(asked for _web, asked in used)
    return time.perf_counter() - started, database + sum(web for web, _asked in used), database
