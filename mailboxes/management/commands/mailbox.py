"""`manage.py mailbox add|list`: mailboxes from the command line."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailboxes.models import Mailbox
from mailboxes.services import MailboxesError, add_mailbox


class Command(BaseCommand):
    help = "Make and list mailboxes."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make a mailbox, with a sign-in of the same address")
        add.add_argument("address")
        add.add_argument("--name", default="", help="as replies show it: Anna Nowak")
        add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        add.add_argument("--create-domain", action="store_true", help="make the domain if the panel has it not")
        add.add_argument("--language", choices=["pl", "en"])
        add.add_argument("--time-zone", help="an IANA name, like Europe/Warsaw")
        listing = actions.add_parser("list", help="every mailbox, by address")
        listing.add_argument("--domain", help="of this domain only")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        {"add": self._add, "list": self._list}[options["action"]](options)

    def _add(self, options: dict[str, Any]) -> None:
        password = sys.stdin.readline().rstrip("\n") if options["password_stdin"] else None
        chosen = {name: options[name] for name in ("name", "create_domain", "language", "time_zone")}
        try:
            mailbox = add_mailbox(options["address"], password=password, **chosen)
        except MailboxesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{mailbox.address} added")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Mailbox.objects.order_by("address").values_list("address", "name", "language", "time_zone", "is_active")
        if options["domain"]:
            rows = rows.filter(domain=options["domain"])
        for address, name, language, zone, is_active in rows.iterator():
            if options["json"]:
                row = {
                    "address": address,
                    "name": name,
                    "language": language,
                    "time_zone": zone,
                    "is_active": is_active,
                }
                self.stdout.write(json.dumps(row, ensure_ascii=False))
            else:
                self.stdout.write("\t".join([address, name, language, zone, "" if is_active else "suspended"]).rstrip())
