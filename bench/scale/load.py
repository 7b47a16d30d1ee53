"""People at the panel: gunicorn as deploy/gunicorn.conf.py runs it, sessions of their own, more of them step by step.

A small client on asyncio, so that it takes little of the machine that it measures. Each person opens the list, a
mailbox, the form of an autoresponder, the help; one round in ten switches an autoresponder by POST.
"""

import argparse
import asyncio
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.test import Client

from bench.measure import cpu_of_tree
from bench.scale.server import ROOT, server_pid
from bench.servers import wait_for
from mailboxes.models import Mailbox
from webmail_panel.embedded import free_port

PEOPLE = 200
SECONDS = 10
STEPS = (1, 2, 4, 8, 16, 32)
LIMIT = 200  # ms
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True)
class Person:
    """An owner who is signed in, with the mailbox and the responder that they look at."""

    session: str
    mailbox: int
    responder: int


def measure(connection: psycopg.Connection[Any], _options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each number of people at once, until the 95th percentile is far above 200 ms."""
    people, rows, postgres = _people(), [], server_pid(connection)
    print("at once  requests/s  p50 ms  p95 ms  CPU ms each: web  database  requests/s a core")
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "--bind", f"127.0.0.1:{port}",
         "webmail_panel.wsgi"], cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(port, server)
        asyncio.run(_at_once(port, people, 4, 5))
        for number in STEPS:
            rows.append(_row(port, people, number, (server.pid, postgres)))
            if rows[-1]["p95_ms"] > 5 * LIMIT:
                break
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(40)
    good = [row for row in rows if row["p95_ms"] <= LIMIT]
    best = max((row["per_second"] for row in good), default=0)
    print(f"within {LIMIT} ms: {best:.0f} requests/s; a core that does nothing else: {rows[-1]['per_core']:.0f}")
    return rows


def _people() -> list[Person]:
    made = []
    for mailbox in Mailbox.objects.filter(pk__in=range(10, PEOPLE * 10 + 1, 10)).select_related("owner"):
        client = Client()
        client.force_login(mailbox.owner)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        made.append(Person(session, mailbox.pk, mailbox.responders.order_by("pk")[0].pk))
    return made


def _row(port: int, people: list[Person], number: int, pids: tuple[int, int]) -> dict[str, Any]:
    before = [cpu_of_tree(pid) for pid in pids]
    started = time.perf_counter()
    took = asyncio.run(_at_once(port, people, number, SECONDS))
    seconds = time.perf_counter() - started
    web, database = ((cpu_of_tree(pid) - was) * 1000 / len(took) for pid, was in zip(pids, before, strict=True))
    row = {
        "at_once": number, "per_second": len(took) / seconds, "p50_ms": statistics.median(took),
        "p95_ms": statistics.quantiles(took, n=20)[18], "web_cpu_ms": web, "database_cpu_ms": database,
        "per_core": 1000 / (web + database),
    }  # fmt: skip
    print(
        f"{number:>7}{row['per_second']:>12.0f}{row['p50_ms']:>8.1f}{row['p95_ms']:>8.1f}{web:>18.1f}{database:>10.1f}"
        f"{row['per_core']:>19.0f}",
        flush=True,
    )
    return row


async def _at_once(port: int, people: list[Person], number: int, seconds: float) -> list[float]:
    """So many people for so long; how long each answer took, in ms."""
    took: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_visit(port, people[place::number], until, took) for place in range(number)))
    return took


async def _visit(port: int, people: list[Person], until: float, took: list[float]) -> None:
    """One connection; one person after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.perf_counter() < until:
        person = people[number % len(people)]
        number += 1
        page = b""
        for path in ("/", f"/mailboxes/{person.mailbox}/", f"/responders/{person.responder}/", "/help/"):
            reader, writer = await _ready(port, reader, writer)
            page = await _ask(reader, writer, "GET", path, person, took) or page
            if number % 10 == 0 and path.startswith("/mailboxes/") and (found := TOKEN.search(page)):
                body = f"csrfmiddlewaretoken={found[1].decode()}&on={number // 10 % 2}"
                reader, writer = await _ready(port, reader, writer)
                await _ask(reader, writer, "POST", f"/responders/{person.responder}/switch/", person, took, body)
    writer.close()


async def _ready(
    port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The connection, or a new one where the server ended it."""
    if reader.at_eof() or writer.is_closing():
        return await asyncio.open_connection("127.0.0.1", port)
    return reader, writer


_SECRETS: dict[str, str] = {}


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, person: Person,
    took: list[float], body: str = "",
) -> bytes:  # fmt: skip
    secret = _SECRETS.get(person.session, "")
    cookies = f"{settings.SESSION_COOKIE_NAME}={person.session}" + (f"; csrftoken={secret}" if secret else "")
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n"
    if body:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    started = time.perf_counter()
    writer.write(f"{head}\r\n{body}".encode())
    status = await reader.readline()
    length, chunked = 0, False
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _colon, value = line.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = int(value)
        elif name.lower() == "transfer-encoding":
            chunked = True
        elif name.lower() == "set-cookie" and value.strip().startswith("csrftoken="):
            _SECRETS[person.session] = value.strip().partition(";")[0].partition("=")[2]
        elif name.lower() == "connection" and "close" in value:
            writer.close()
    content = b"" if chunked else await reader.readexactly(length)
    if b" 200 " not in status and b" 302 " not in status:
        raise SystemExit(f"{method} {path} answered {status!r}")
    took.append((time.perf_counter() - started) * 1000)
    return content
