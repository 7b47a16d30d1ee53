"""`manage.py lmtpd`: the delivery hook, one asyncio program."""

import asyncio
import contextlib
import gc
import logging
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from responders.hook.journal import Journal
from responders.hook.ledger import Ledger
from responders.hook.lines import share_writes
from responders.hook.metrics import Metrics
from responders.hook.pipeline import Configuration, Pipeline
from responders.hook.processes import fork
from responders.hook.relay import Relay
from responders.hook.server import Health, Limits, ListenError, Server, listening, serve, split_address
from responders.policy import policy_from_settings
from responders.resolver import Resolver

MAX_PROCESSES = 64
DJANGOS_OWN_PARAMETERS = {"context", "cursor_factory", "prepare_threshold"}


class Command(BaseCommand):
    help = "Run the delivery hook: takes the copies that Postfix makes over LMTP, decides, answers."
    requires_migrations_checks = False
    requires_system_checks = ("panel",)  # Django's own load every page, 15 MB that only the web server needs

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--listen", required=True, action="append", help="HOST:PORT or unix:PATH; may be repeated")
        parser.add_argument("--health", help="HOST:PORT of an HTTP answer for health checks")
        parser.add_argument(
            "--processes", type=int, default=1, metavar="N",
            help="so many behind the same address; each one's health port is one higher",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        listen, health, processes = options["listen"], options["health"], options["processes"]
        if not 1 <= processes <= MAX_PROCESSES:
            raise CommandError(f"--processes takes 1 to {MAX_PROCESSES}")
        door = None
        if processes > 1:
            try:
                listeners = [one for address in listen for one in listening(address)]
            except ListenError as error:
                raise CommandError(str(error)) from error
            place, door = fork(processes, listeners)
            listen = []
            health = health and _next_port(health, place)
        run = asyncio.run
        with contextlib.suppress(ImportError):
            import uvloop  # noqa: PLC0415 (only where it installs)

            run = uvloop.run
        _save_work()
        try:
            run(_run(listen, door, health))
        except ListenError as error:
            raise CommandError(str(error)) from error


def _save_work() -> None:
    """What a program that takes a thousand messages a second need not do for each of them."""
    # Where a line of the log was written, and by which thread: its format says neither (Python's logging HOWTO).
    logging._srcfile = None  # noqa: SLF001  # type: ignore[attr-defined]
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # What was made until now stays; of the rest little hangs together in circles.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _next_port(address: str, further: int) -> str:
    """The same address, so many ports further. Raises CommandError."""
    try:
        host, port = split_address(address)
    except ListenError as error:
        raise CommandError(str(error)) from error
    return f"[{host}]:{port + further}"


async def _run(listen: list[str], door: socket.socket | None, health_address: str | None) -> None:
    """Listen, or take what is handed over at the door."""
    share_writes(asyncio.get_running_loop())
    metrics = Metrics()
    ledger = Ledger(database_parameters(), policy_from_settings(), metrics)
    relay = Relay(settings.RELAY_URL, hostname=settings.MAIL_HOSTNAME)
    journal = Journal(None if settings.LOG_PLAIN_ADDRESSES else settings.SECRET_KEY.encode(), metrics)
    resolver = Resolver(settings.DNS_SERVER) if settings.CHECK_SENDER_DOMAINS else None
    pipeline = Pipeline(ledger, relay, journal, configuration(), resolver)
    limits = Limits(message_size=settings.MESSAGE_SIZE_LIMIT)
    server = Server(pipeline.expect, pipeline.receive, settings.MAIL_HOSTNAME, limits, metrics)
    if door is not None:
        server.take_from(door)
    following = asyncio.create_task(pipeline.follow_policy())
    try:
        await serve(server, Health(server, ledger.is_ready), listen, health_address)
    finally:
        following.cancel()
        share_writes(None)
        await relay.close()
        await ledger.close()


def configuration() -> Configuration:
    """What the operator set, as the pipeline takes it."""
    return Configuration(
        policy=policy_from_settings(),
        autoreply_domain=settings.AUTOREPLY_DOMAIN,
        hostname=settings.MAIL_HOSTNAME,
        received_by=frozenset(host.lower() for host in settings.RECEIVED_BY_HOSTS),
        keys=tuple(key.encode() for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)),
    )


def database_parameters() -> dict[str, Any]:
    """Django's connection parameters as psycopg takes them."""
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in DJANGOS_OWN_PARAMETERS}
