"""`manage.py demorelay`: a relay for trying things out; it keeps every reply as a file and sends nothing on.

Two local parts fail on purpose: `refuse` for good (550), `later` for now (451).
"""

import itertools
import signal
import threading
import time
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.core.management.base import BaseCommand, CommandError, CommandParser

ON_PURPOSE = {
    "refuse": "550 5.1.1 This address refuses on purpose",
    "later": "451 4.2.0 This address defers on purpose",
}


class Outbox:
    """Writes each message to a file of its own, with the envelope in two lines on top."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := ON_PURPOSE.get(address.partition("@")[0].lower()):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        # aiosmtpd hands over the null reverse-path as "<>".
        sender = (envelope.mail_from or "").strip("<>")
        head = f"X-Envelope-From: <{sender}>\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        name = f"{time.time_ns()}-{next(self._numbers):06}.eml"
        part = self._folder / f".{name}.part"
        part.write_bytes(head.encode("utf-8", "surrogateescape") + content)
        part.rename(self._folder / name)
        return "250 2.0.0 Kept"


class Command(BaseCommand):
    help = "Run a relay that keeps every reply as a file and sends nothing on."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--listen", required=True, help="HOST:PORT")
        parser.add_argument("--output", required=True, type=Path, help="the folder for the .eml files")

    def handle(self, *args: Any, **options: Any) -> None:
        host, _colon, port = options["listen"].rpartition(":")
        folder: Path = options["output"]
        folder.mkdir(parents=True, exist_ok=True)
        controller = Controller(Outbox(folder), hostname=host, port=int(port), enable_SMTPUTF8=True, decode_data=False)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_args: stop.set())
        try:
            controller.start()
        except OSError as error:
            raise CommandError(f"{options['listen']}: {error.strerror or error}") from error
        stop.wait()
        controller.stop()
