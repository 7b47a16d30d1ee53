"""`manage.py alias add|list`: aliases from the command line."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailboxes.models import Alias
from mailboxes.services import MailboxesError, add_alias


class Command(BaseCommand):
    help = "Make and list aliases."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make an alias of mailboxes of ours or outside addresses")
        add.add_argument("alias")
        add.add_argument("target", nargs="+")
        add.add_argument("--create-domain", action="store_true", help="make the domain if the panel has it not")
        listing = actions.add_parser("list", help="every alias and where it leads")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        {"add": self._add, "list": self._list}[options["action"]](options)

    def _add(self, options: dict[str, Any]) -> None:
        try:
            alias = add_alias(options["alias"], options["target"], create_domain=options["create_domain"])
        except MailboxesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{alias.address} added")

    def _list(self, options: dict[str, Any]) -> None:
        aliases = Alias.objects.order_by("address").prefetch_related("targets__mailbox")
        for alias in aliases.iterator(chunk_size=1000):
            targets = [
                target.mailbox.address if target.mailbox else target.outside_address for target in alias.targets.all()
            ]
            if options["json"]:
                self.stdout.write(json.dumps({"address": alias.address, "targets": targets}, ensure_ascii=False))
            else:
                self.stdout.write(f"{alias.address}\t{' '.join(targets)}")
