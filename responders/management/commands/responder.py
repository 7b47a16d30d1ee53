"""`manage.py responder set|on|off|show`: autoresponders from the command line."""

import json
import sys
from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import override

from mailboxes import addresses, command_line
from mailboxes.log import COMMAND
from mailboxes.models import Mailbox
from responders import sentences, services, validation
from responders.core import schedule
from responders.core.rendering import PLACEHOLDERS
from responders.models import AudienceChoices, Responder, ResponderType


def iso_time(text: str) -> datetime:
    """An ISO 8601 time; without an offset it is in the mailbox's zone."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a time like 2026-12-24T17:00") from error


class Command(BaseCommand):
    help = "Set, switch and show the autoresponders of a mailbox."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        put = actions.add_parser("set", help="make the responder of this type, or change it")
        put.add_argument("address")
        put.add_argument("--type", required=True, choices=ResponderType.values)
        put.add_argument("--subject", required=True)
        put.add_argument(
            "--text-file",
            required=True,
            help="the text of the reply; - is standard input. Placeholders: "
            + ", ".join(f"{{{{ {name} }}}}" for name in PLACEHOLDERS),
        )
        put.add_argument(
            "--from", dest="from_date", type=iso_time, help="ISO time; without offset in the mailbox's zone"
        )
        put.add_argument("--to", dest="to_date", type=iso_time, help="ISO time; without offset in the mailbox's zone")
        put.add_argument("--days", type=int, default=7, help="answer the same sender again after so many days")
        self._add_limits(put)
        for action in ("on", "off", "show"):
            parser_of_action = actions.add_parser(action)
            parser_of_action.add_argument("address")
            parser_of_action.add_argument("--type", choices=ResponderType.values, help="of this type only")
            if action == "show":
                parser_of_action.add_argument("--json", action="store_true", help="a JSON object a line")

    def _add_limits(self, put: CommandParser) -> None:
        put.add_argument("--once", action="store_true", help="answer each sender once, however many days pass")
        put.add_argument("--audience", choices=AudienceChoices.values, default=AudienceChoices.EVERYONE.value)
        put.add_argument("--only-to", action="append", default=[], help="an own address to answer for; may be repeated")
        put.add_argument("--only-from", action="append", default=[], help="an address or a domain; may be repeated")
        put.add_argument("--word", action="append", default=[], help="a word of the subject; may be repeated")
        put.add_argument("--words-in-body", action="store_true", help="look for the words in the text, too")
        put.add_argument("--word-forms", action="store_true", help="find other forms of the words, too")
        put.add_argument("--deputy", default="", help="the deputy's address")
        put.add_argument("--deputy-name", default="")
        put.add_argument("--copy-to-deputy", action="store_true", help="while the absence lasts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "set":
            options["text"] = _read(options["text_file"])
        command_line.together(self._do, options)

    def _do(self, options: dict[str, Any]) -> None:
        mailbox = _mailbox(options["address"])
        now = services.database_now()
        if options["action"] == "set":
            self._set(mailbox, options, now)
        elif options["action"] == "show":
            self._show(mailbox, options, now)
        else:
            self._switch(mailbox, options, now)

    def _set(self, mailbox: Mailbox, options: dict[str, Any], now: datetime) -> None:
        existing = mailbox.responders.filter(type=options["type"]).first()
        values = validation.ResponderInput(
            type=options["type"],
            is_enabled=True,
            from_date=_local(options["from_date"], mailbox),
            to_date=_local(options["to_date"], mailbox),
            time_zone=mailbox.time_zone,
            subject=options["subject"],
            text_body=options["text"],
            html_body="",
            interval_days=options["days"],
            answers_once=options["once"],
            audience=options["audience"],
            addresses=tuple(options["only_to"]),
            words=tuple(options["word"]),
            words_in_body=options["words_in_body"],
            word_forms=options["word_forms"],
            senders=tuple(options["only_from"]),
            deputy_name=options["deputy_name"],
            deputy_address=options["deputy"],
            deputy_gets_copy=options["copy_to_deputy"],
            language=existing.language if existing else "",
            texts=validation.as_input(existing).texts if existing else (),
        )
        try:
            with override("en"):
                row = services.save_responder(mailbox, values, actor=COMMAND, now=now, responder=existing)
        except validation.ResponderInvalid as error:
            raise CommandError(str(error)) from error
        self._say(row, now)

    def _switch(self, mailbox: Mailbox, options: dict[str, Any], now: datetime) -> None:
        is_on = options["action"] == "on"
        rows = _responders(mailbox, options["type"])
        for row in [services.switch(row, on=is_on, actor=COMMAND, now=now) for row in rows]:
            self._say(row, now)

    def _show(self, mailbox: Mailbox, options: dict[str, Any], now: datetime) -> None:
        for row in _responders(mailbox, options["type"]):
            if options["json"]:
                shown = asdict(validation.as_input(row)) | {"id": row.pk, "state": row.state_at(now)}
                self.stdout.write(json.dumps(shown, ensure_ascii=False, default=str))
            else:
                self._say(row, now)
                self.stdout.write(f"Subject: {row.subject}\n\n{row.text_body}")

    def _say(self, row: Responder, now: datetime) -> None:
        with override("en"):
            zone = f" ({row.time_zone})" if row.from_date or row.to_date else ""
            self.stdout.write(f"{row.get_type_display()}: {sentences.state_sentence(row, now)}{zone}")
            for limit in sentences.limits(row):
                self.stdout.write(f"  {limit}")


def _mailbox(address: str) -> Mailbox:
    normal_form = addresses.normal_form_or_none(address)
    mailbox = Mailbox.objects.filter(address=normal_form or "").first()
    if mailbox is None:
        raise CommandError(f"{address} is not a mailbox of this panel")
    return mailbox


def _responders(mailbox: Mailbox, kind: str | None) -> list[Responder]:
    rows = mailbox.responders.order_by("position")
    found = list(rows.filter(type=kind) if kind else rows)
    if not found:
        raise CommandError(f"{mailbox.address} has no such responder; make one with: responder set")
    return found


def _local(moment: datetime | None, mailbox: Mailbox) -> datetime | None:
    if moment is None or moment.tzinfo is None:
        return moment
    return schedule.to_local(moment, mailbox.time_zone)


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}") from error
