"""`manage.py alias add|set|delete|list`: aliases from the command line."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailboxes import addresses, hosting
from mailboxes.log import COMMAND
from mailboxes.models import Alias
from mailboxes.services import MailboxesError, add_alias, set_targets, targets_of


class Command(BaseCommand):
    help = "Make and list aliases."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make an alias of mailboxes of ours or outside addresses")
        add.add_argument("alias")
        add.add_argument("target", nargs="+")
        add.add_argument("--create-domain", action="store_true", help="make the domain if the panel has it not")
        change = actions.add_parser("set", help="let an alias lead to these and nobody else")
        change.add_argument("alias")
        change.add_argument("target", nargs="+")
        actions.add_parser("delete", help="end an alias").add_argument("alias")
        listing = actions.add_parser("list", help="every alias and where it leads")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        own = {"add": self._add, "set": self._set, "delete": self._delete, "list": self._list}
        own[options["action"]](options)

    def _set(self, options: dict[str, Any]) -> None:
        alias = _alias(options["alias"])
        try:
            set_targets(alias, options["target"], actor=COMMAND)
        except MailboxesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{alias.address} leads to {' '.join(targets_of(alias))}")

    def _delete(self, options: dict[str, Any]) -> None:
        alias = _alias(options["alias"])
        hosting.end_alias(alias, actor=COMMAND)
        self.stdout.write(f"{alias.address} deleted")

    def _add(self, options: dict[str, Any]) -> None:
        try:
            alias = add_alias(
                options["alias"], options["target"], create_domain=options["create_domain"], actor=COMMAND
            )
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


def _alias(typed: str) -> Alias:
    alias = Alias.objects.filter(address=addresses.normal_form_or_none(typed)).first()
    if alias is None:
        raise CommandError(f"{typed} is not an alias")
    return alias
