"""`manage.py demomail`: send a message to the running panel as Postfix would, and print what came of it."""

import email.policy
import os
import secrets
import smtplib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils.translation import override

from mailboxes import addresses
from responders.core.decision import Reason
from responders.management.commands.demodata import OWNER
from responders.models import Decision
from responders.reasons import SENTENCES

SECONDS_FOR_THE_REPLY = 15.0


@dataclass(frozen=True)
class _Sent:
    message_id: str
    reverse_path: str
    forward_path: str


class Command(BaseCommand):
    help = "Send a message to the running delivery hook and print the reply that the relay received, or why none came."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sender", help="the reverse-path; a new one each time unless it is given")
        parser.add_argument("--recipient", default=OWNER, help="the address it is written to (default: %(default)s)")
        parser.add_argument("--subject", default="Pytanie o ofertę")
        parser.add_argument("--hook", help="HOST:PORT of the hook (default: the one that `make run` started)")

    def handle(self, *args: Any, **options: Any) -> None:
        sender = options["sender"]
        if sender is None:
            sender = f"jan.{secrets.token_hex(3)}@klient.example"
        began = time.time()
        sent = _send(sender, options["recipient"], options["subject"], options["hook"] or _default_hook())
        self.stdout.write(f"Sent by {sent.reverse_path or '<>'} to {sent.forward_path}.\n\n")
        decisions = _decisions_about(sent)
        for decision in decisions:
            if decision.reason != Reason.REPLIED:
                self._print_silence(decision)
        replied = sum(decision.reason == Reason.REPLIED for decision in decisions)
        if replied and not _relay_is_the_demos():
            self.stdout.write(f"Replied; the reply went to {settings.RELAY_URL}.")
            return
        for content in _replies_to(sent, replied, since=began):
            self._print_reply(content)

    def _print_reply(self, content: bytes) -> None:
        self.stdout.write("The reply, as the relay received it:\n\n")
        self.stdout.write(content.decode(errors="replace").replace("\r\n", "\n"))
        reply = message_from_bytes(content, policy=email.policy.default)
        text = reply.get_body(("plain",))
        if text is not None:
            self.stdout.write("\nThe reply, as the sender reads it:\n\n")
            self.stdout.write(f"From: {reply['From']}\nSubject: {reply['Subject']}\n\n{text.get_content()}")

    def _print_silence(self, decision: Decision) -> None:
        with override("en"):
            sentence = SENTENCES[Reason(decision.reason)]
            self.stdout.write(f"No reply from {decision.mailbox or decision.forward_path}: {decision.reason}")
            self.stdout.write(f"{sentence}" + (f" ({decision.evidence})" if decision.evidence else ""))


def _default_hook() -> str:
    return f"127.0.0.1:{os.environ.get('LMTP_PORT', '8024')}"


def _relay_is_the_demos() -> bool:
    """`make run` names the demo relay's port unless it was given another relay."""
    port = os.environ.get("DEMO_RELAY_PORT")
    return port is not None and settings.RELAY_URL.endswith(f":{port}")


def _send(reverse_path: str, recipient: str, subject: str, hook: str) -> _Sent:
    """Speak LMTP as Postfix does: to the copy's address, with our own Received field on top. Raises CommandError."""
    try:
        forward_path = addresses.copy_address(addresses.normalise(recipient), settings.AUTOREPLY_DOMAIN)
    except addresses.AddressError as error:
        raise CommandError(f"{recipient}: {error}") from error
    message = _message(reverse_path, recipient, subject)
    host, _colon, port = hook.rpartition(":")
    options = [] if forward_path.isascii() and reverse_path.isascii() else ["SMTPUTF8"]
    try:
        with smtplib.LMTP(host, int(port), timeout=60) as session:
            refused = session.sendmail(reverse_path, [forward_path], message.as_bytes(), mail_options=options)
    except smtplib.SMTPException as error:
        raise CommandError(f"the hook did not take the message: {_reply_codes(error)}") from error
    except (OSError, ValueError) as error:
        raise CommandError(f"no delivery hook answers on {hook} (is `make run` running?): {error}") from error
    if refused:
        raise CommandError(f"the hook did not take the message: {refused}")
    return _Sent(message["Message-ID"], reverse_path, recipient)


def _reply_codes(error: smtplib.SMTPException) -> str:
    refused = getattr(error, "recipients", None) or {"": (getattr(error, "smtp_code", ""), error)}
    return "; ".join(
        f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
        for code, text in refused.values()
    )


def _message(reverse_path: str, recipient: str, subject: str) -> EmailMessage:
    now, queue_id = format_datetime(datetime.now(UTC)), secrets.token_hex(5).upper()
    message = EmailMessage(policy=email.policy.SMTP if recipient.isascii() else email.policy.SMTPUTF8)
    message["Received"] = f"from klient.example by {settings.MAIL_HOSTNAME} (Postfix) with ESMTP id {queue_id}; {now}"
    message["Date"] = now
    message["From"] = f"Jan Kowalski <{reverse_path or 'mailer-daemon@klient.example'}>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = f"<{secrets.token_hex(12)}@klient.example>"
    message.set_content("Dzień dobry,\n\nproszę o ofertę.\n\nJan Kowalski\n")
    return message


def _decisions_about(sent: _Sent) -> list[Decision]:
    """The hook records before it answers: what it decided is there by now. Raises CommandError."""
    try:
        found = Decision.objects.filter(message_id=sent.message_id).select_related("mailbox").order_by("id")
        decisions = list(found)
    except OperationalError as error:
        raise CommandError(f"the panel's database does not answer: {str(error).splitlines()[0]}") from error
    if not decisions:
        raise CommandError("the hook took the message, but this panel's database has no decision about it")
    return decisions


def _replies_to(sent: _Sent, count: int, *, since: float) -> list[bytes]:
    """So many replies as the demo relay received them, envelope included. Raises CommandError."""
    deadline = time.monotonic() + SECONDS_FOR_THE_REPLY
    while True:
        recent = [path for path in Path(settings.OUTBOX_DIR).glob("*.eml") if path.stat().st_mtime >= since - 1]
        found = [path for path in sorted(recent) if _in_reply_to(path) == sent.message_id]
        if len(found) >= count:
            return [path.read_bytes() for path in found]
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    raise CommandError(
        f"the hook replied by way of {settings.RELAY_URL}, but no such reply is in {settings.OUTBOX_DIR}"
    )


def _in_reply_to(path: Path) -> str:
    with path.open("rb") as file:
        return str(BytesHeaderParser().parse(file).get("In-Reply-To", "")).strip()
