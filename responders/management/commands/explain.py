"""`manage.py explain`: what the hook would decide about a message, with every rule; changes nothing."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import override

from mailboxes import addresses
from responders import explanation, services
from responders.management.commands.responder import iso_time


class Command(BaseCommand):
    help = "Read a message from standard input and say what would be decided about it, and why. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sender", required=True, help="the reverse-path; an empty one is written <>")
        parser.add_argument("--recipient", required=True, help="the address written to: a mailbox or an alias")
        parser.add_argument("--at", type=iso_time, help="ISO time; without offset in the mailbox's zone; default now")
        parser.add_argument("--json", action="store_true", help="one JSON object per mailbox, a line each")

    def handle(self, *args: Any, **options: Any) -> None:
        recipient = addresses.normal_form_or_none(options["recipient"])
        if recipient is None:
            raise CommandError(f"{options['recipient']} is not an address")
        content = sys.stdin.buffer.read()
        explanations = explanation.explain_message(
            content, options["sender"].strip("<>"), recipient, at=options["at"] or services.database_now()
        )
        for explained in explanations:
            if options["json"]:
                self.stdout.write(json.dumps(explained.as_json(), ensure_ascii=False))
            else:
                with override("en"):
                    self._print(explained)

    def _print(self, explained: explanation.Explanation) -> None:
        self.stdout.write(f"mailbox   {explained.mailbox or 'none'}")
        self.stdout.write(f"time      {explained.at.isoformat()}")
        self.stdout.write(f"decision  {explained.reason}: {explained.sentence}")
        if explained.evidence:
            self.stdout.write(f"evidence  {explained.evidence}")
        self.stdout.write("rules")
        for name, outcome, evidence in explained.rules:
            self.stdout.write(f"  {outcome:<4}  {name:<24}{evidence}".rstrip())
        if explained.reply:
            self.stdout.write("reply")
            self.stdout.write(explained.reply)
