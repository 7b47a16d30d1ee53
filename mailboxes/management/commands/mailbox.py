"""`manage.py mailbox add|list|suspend|…`: mailboxes from the command line."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailboxes import addresses, hosting
from mailboxes.log import COMMAND
from mailboxes.models import Mailbox
from mailboxes.services import MailboxesError, add_mailbox

# One address each: what is done, and how it is told.
DONE = {
    "suspend": "suspended", "resume": "no longer suspended", "delete": "deleted, to be taken back by `restore`",
    "restore": "taken back", "rename": "renamed", "quota": "has another space",
}  # fmt: skip


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
        actions.add_parser("suspend", help="nobody signs in; senders come again later").add_argument("address")
        actions.add_parser("resume", help="end a suspension").add_argument("address")
        actions.add_parser("delete", help="gone; the mail stays for MAILBOX_GRACE_DAYS").add_argument("address")
        actions.add_parser("restore", help="take a deleted one back").add_argument("address")
        rename = actions.add_parser("rename", help="another address in its domain; the old one becomes an alias")
        rename.add_argument("address")
        rename.add_argument("local_part", help="what stands before the @ from now on")
        quota = actions.add_parser("quota", help="the space of a mailbox")
        quota.add_argument("address")
        quota.add_argument("megabytes", type=int, help="0: as set for the domain")
        orphans = actions.add_parser("orphans", help="on Dovecot's host: folders of mail that no mailbox has any more")
        orphans.add_argument("--mail-dir", required=True, metavar="DIR", help="as given to mailconfig")
        orphans.add_argument("--remove", action="store_true", help="delete them, not only list them")
        orphans.add_argument("--force", action="store_true", help="even where they are more than half of all folders")

    def handle(self, *args: Any, **options: Any) -> None:
        own = {"add": self._add, "list": self._list, "orphans": self._orphans}
        own.get(options["action"], self._change)(options)

    def _change(self, options: dict[str, Any]) -> None:
        mailbox = Mailbox.objects.filter(address=addresses.normal_form_or_none(options["address"])).first()
        if mailbox is None:
            raise CommandError(f"{options['address']} is not a mailbox")
        try:
            _change(mailbox, options)
        except MailboxesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{mailbox.address}: {DONE[options['action']]}")

    def _orphans(self, options: dict[str, Any]) -> None:
        """Folders domain/name below the folder of all mail, as the database names them."""
        root = Path(options["mail_dir"])
        if not root.is_dir():
            raise CommandError(f"{root} is not a folder")
        known = set(Mailbox.objects.values_list("home", flat=True))
        folders = [path for path in sorted(root.glob("*/*")) if path.is_dir() and not path.is_symlink()]
        orphans = [path for path in folders if str(path.relative_to(root)) not in known]
        if options["remove"] and len(orphans) * 2 > len(folders) and not options["force"]:
            raise CommandError(f"{len(orphans)} of {len(folders)} folders: is this the right database? If so, --force")
        for folder in orphans:
            if options["remove"]:
                shutil.rmtree(folder)
            self.stdout.write(str(folder))

    def _add(self, options: dict[str, Any]) -> None:
        password = sys.stdin.readline().rstrip("\n") if options["password_stdin"] else None
        chosen = {name: options[name] for name in ("name", "create_domain", "language", "time_zone")}
        try:
            mailbox = add_mailbox(options["address"], password=password, actor=COMMAND, **chosen)
        except MailboxesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{mailbox.address} added")

    def _list(self, options: dict[str, Any]) -> None:
        columns = ("address", "name", "language", "time_zone", "is_active")
        rows = Mailbox.objects.filter(deleted_at=None).order_by("address").values_list(*columns)
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


def _change(mailbox: Mailbox, options: dict[str, Any]) -> None:
    now, action = timezone.now(), options["action"]
    if action == "suspend":
        hosting.suspend(mailbox, now=now, actor=COMMAND)
    elif action == "resume":
        hosting.resume(mailbox, actor=COMMAND)
    elif action == "delete":
        hosting.delete_mailbox(mailbox, now=now, actor=COMMAND)
    elif action == "restore":
        hosting.restore_mailbox(mailbox, actor=COMMAND)
    elif action == "rename":
        hosting.rename(mailbox, options["local_part"], actor=COMMAND)
    else:
        hosting.set_quota(mailbox, options["megabytes"] or None, actor=COMMAND)
