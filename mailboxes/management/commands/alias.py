"""`manage.py alias add|set|receives|delete|restore|list`: aliases from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from mailboxes import command_line
from mailboxes.deletion import deleted_aliases
from mailboxes.log import COMMAND
from mailboxes.models import Alias, DeletedAlias
from mailboxes.services import add_alias, change_alias, check_target, set_targets, targets_of


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
        receives = actions.add_parser("receives", help="whether it receives mail")
        receives.add_argument("alias")
        receives.add_argument("wanted", choices=["yes", "no"])
        delete = actions.add_parser("delete", help="no mail from now on; MAILBOX_GRACE_DAYS to take it back")
        delete.add_argument("alias")
        actions.add_parser("restore", help="take back what was deleted").add_argument("alias")
        listing = actions.add_parser("list", help="every alias and where it leads")
        listing.add_argument("--domain", help="of this domain only")
        listing.add_argument("--deleted", action="store_true", help="those that may be taken back")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        own = {
            "add": self._add, "set": self._set, "receives": self._receives, "delete": self._delete,
            "restore": self._restore, "list": self._list,
        }  # fmt: skip
        command_line.together(own[options["action"]], options)

    def _set(self, options: dict[str, Any]) -> None:
        alias = command_line.alias(options["alias"])
        with command_line.plainly():
            _check(options["target"])
            set_targets(alias, options["target"], actor=COMMAND)
        self.stdout.write(f"{alias.address} leads to {' '.join(targets_of(alias))}")

    def _receives(self, options: dict[str, Any]) -> None:
        alias = command_line.alias(options["alias"])
        change_alias(alias, is_active=options["wanted"] == "yes", actor=COMMAND)
        self.stdout.write(f"{alias.address}: {'receives mail' if alias.is_active else 'receives no mail'}")

    def _delete(self, options: dict[str, Any]) -> None:
        alias = command_line.alias(options["alias"])
        deleted_aliases.delete_alias(alias, now=timezone.now(), actor=COMMAND)
        self.stdout.write(f"{alias.address} deleted")

    def _restore(self, options: dict[str, Any]) -> None:
        row = command_line.deleted_alias(options["alias"])
        with command_line.plainly():
            deleted_aliases.restore_alias(row, actor=COMMAND)
        self.stdout.write(f"{row.address} taken back")

    def _add(self, options: dict[str, Any]) -> None:
        create = options["create_domain"]
        with command_line.plainly():
            _check(options["target"])
            alias = add_alias(options["alias"], options["target"], create_domain=create, actor=COMMAND)
        self.stdout.write(f"{alias.address} added")

    def _list(self, options: dict[str, Any]) -> None:
        if options["deleted"]:
            self._list_deleted(options)
            return
        aliases = Alias.objects.filter(domain__deleted_at=None).order_by("address").prefetch_related("targets__mailbox")
        if options["domain"]:
            aliases = aliases.filter(domain__name=command_line.domain(options["domain"]).name)
        for alias in aliases.iterator(chunk_size=1000):
            targets = [
                target.mailbox.address if target.mailbox else target.outside_address for target in alias.targets.all()
            ]
            if options["json"]:
                told = {"address": alias.address, "targets": targets, "is_active": alias.is_active}
                self.stdout.write(command_line.as_line(told))
            else:
                state = "" if alias.is_active else "off"
                self.stdout.write(f"{alias.address}\t{' '.join(targets)}\t{state}".rstrip())

    def _list_deleted(self, options: dict[str, Any]) -> None:
        rows = DeletedAlias.objects.filter(domain__deleted_at=None).order_by("domain", "local_part", "deleted_at")
        if options["domain"]:
            rows = rows.filter(domain__name=command_line.domain(options["domain"]).name)
        for row in rows.iterator(chunk_size=1000):
            if options["json"]:
                told = {"address": row.address, "targets": row.led_to, "is_active": row.is_active}
                self.stdout.write(command_line.as_line(told | {"deleted_at": row.deleted_at}))
            else:
                self.stdout.write(f"{row.address}\t{' '.join(row.led_to)}\tdeleted {row.deleted_at:%Y-%m-%d}")


def _check(targets: list[str]) -> None:
    """Whoever runs commands sees every domain: a slip is told, whoever's the domain is. Raises MailboxesError."""
    for target in targets:
        check_target(target)
