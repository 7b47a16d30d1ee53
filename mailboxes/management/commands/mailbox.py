"""`manage.py mailbox add|list|show|set|suspend|…`: mailboxes from the command line."""

import shutil
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Exists, OuterRef
from django.utils import timezone

from mailboxes import access, command_line, hosting, services
from mailboxes.linking import links, own_sign_ins
from mailboxes.log import COMMAND
from mailboxes.models import MAX_QUOTA_MB, MAX_RECIPIENTS, MAX_REPLIES, Mailbox, MailboxLink

# One address each: what is done, and how it is told.
DONE = {
    "suspend": "suspended", "resume": "no longer suspended", "delete": "deleted, to be taken back by `restore`",
    "restore": "taken back", "rename": "renamed", "quota": "has another space", "set": "set",
    "purge": "deleted for good", "sign-in": "the owner's sign-in is as said",
    "successor": "its mail goes where said", "unlink": "that sign-in opens it no more",
}  # fmt: skip
LIMITS = {
    "quota_mb": (1, MAX_QUOTA_MB), "replies_per_hour": (0, MAX_REPLIES), "recipients_per_hour": (0, MAX_RECIPIENTS),
    "recipients_per_day": (0, MAX_RECIPIENTS),
}  # fmt: skip
WORDS = ("name", "language", "time_zone", "holiday_country")
COLUMNS = (
    "address", "name", "language", "time_zone", "is_active", "owner__email", "quota_mb", "suspended_at", "deleted_at",
)  # fmt: skip
MORE_COLUMNS = (
    *COLUMNS, "refuses_from", "holiday_country", "replies_per_hour", "recipients_per_hour", "recipients_per_day",
    "successor__address", "successor_from", "home", "created_at",
)  # fmt: skip


class Command(BaseCommand):
    help = "Make, list, change, suspend and delete mailboxes."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        _add_add(actions.add_parser("add", help="make a mailbox, with a sign-in of the same address"))
        listing = actions.add_parser("list", help="every mailbox, by address")
        listing.add_argument("--domain", help="of this domain only")
        listing.add_argument("--deleted", action="store_true", help="those that may be taken back, not the others")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")
        show = actions.add_parser("show", help="one mailbox, with all that is set")
        show.add_argument("address")
        show.add_argument("--json", action="store_true", help="a JSON object")
        _add_set(actions.add_parser("set", help="name, language, limits, owner …: what is named"))
        _add_sign_ins(actions)
        _add_life(actions)
        _add_orphans(
            actions.add_parser("orphans", help="on Dovecot's host: folders of mail that no mailbox has any more")
        )

    def handle(self, *args: Any, **options: Any) -> None:
        own = {
            "add": self._add, "list": self._list, "show": self._show, "password": self._password,
            "orphans": self._orphans, "own-sign-in": self._own_sign_in, "links": self._links,
        }  # fmt: skip
        if options.get("password_stdin"):
            options["password"] = sys.stdin.readline().rstrip("\n")
        command_line.together(own.get(options["action"], self._change), options)

    def _change(self, options: dict[str, Any]) -> None:
        mailbox = command_line.mailbox(options["address"])
        with command_line.plainly():
            _change(mailbox, options)
        self.stdout.write(f"{mailbox.address}: {DONE[options['action']]}")

    def _password(self, options: dict[str, Any]) -> None:
        mailbox = command_line.mailbox(options["address"])
        if mailbox.deleted_at is not None:
            raise CommandError(f"{mailbox.address} is deleted")
        self.stdout.write(services.give_password(mailbox, now=timezone.now(), actor=COMMAND))

    def _own_sign_in(self, options: dict[str, Any]) -> None:
        mailbox = command_line.mailbox(options["address"])
        with command_line.plainly():
            self.stdout.write(own_sign_ins.part_by_chance(mailbox, now=timezone.now(), actor=COMMAND))

    def _links(self, options: dict[str, Any]) -> None:
        """What ended stays listed for 60 days."""
        mailbox = command_line.mailbox(options["address"])
        counting = access.links_that_count().filter(pk=OuterRef("pk"))
        rows = MailboxLink.objects.filter(mailbox=mailbox).annotate(counts=Exists(counting)).order_by("pk")
        for row in rows.values("mailbox__address", "user__email", "made_at", "place", "ended_at", "end", "counts"):
            if options["json"]:
                self.stdout.write(command_line.as_line(_named(dict(row))))
            else:
                state = row["end"] or ("open" if row["counts"] else "not open now")
                self.stdout.write(f"{row['user__email']}\t{row['made_at']:%Y-%m-%d %H:%M}\t{state}")

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
        chosen = {name: options[name] for name in ("name", "create_domain", "language", "time_zone")}
        chosen["quota_mb"] = command_line.number("quota_mb", options["quota_mb"] or "", least=1, most=MAX_QUOTA_MB)
        with command_line.plainly():
            mailbox = services.add_mailbox(
                options["address"], password=options.get("password"), actor=COMMAND, **chosen
            )
        self.stdout.write(f"{mailbox.address} added")

    def _list(self, options: dict[str, Any]) -> None:
        shown = Mailbox.objects.exclude(deleted_at=None) if options["deleted"] else access.mailboxes_there()
        rows = shown.order_by("address").values(*COLUMNS)
        if options["domain"]:
            rows = rows.filter(domain=command_line.domain(options["domain"]).name)
        for row in rows.iterator():
            if options["json"]:
                self.stdout.write(command_line.as_line(_named(row)))
            else:
                state = "deleted" if row["deleted_at"] else "suspended" if row["suspended_at"] else "off"
                words = [*(row[name] for name in COLUMNS[:4]), "" if row["is_active"] else state]
                self.stdout.write("\t".join(words).rstrip())

    def _show(self, options: dict[str, Any]) -> None:
        mailbox = command_line.mailbox(options["address"])
        told = _named(Mailbox.objects.values(*MORE_COLUMNS).get(pk=mailbox.pk))
        if options["json"]:
            self.stdout.write(command_line.as_line(told))
            return
        for name, value in told.items():
            self.stdout.write(f"{name}\t{'' if value is None else value}".rstrip())


def _add_add(parser: CommandParser) -> None:
    parser.add_argument("address")
    parser.add_argument("--name", default="", help="as replies show it: Anna Nowak")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.add_argument("--create-domain", action="store_true", help="make the domain if the panel has it not")
    parser.add_argument("--language", choices=["pl", "en"])
    parser.add_argument("--time-zone", help="an IANA name, like Europe/Warsaw")
    parser.add_argument("--quota-mb", metavar="MB", help="its space; as set for the domain, where nothing is said")


def _add_set(parser: CommandParser) -> None:
    parser.add_argument("address")
    parser.add_argument("--name", help="as replies show it: Anna Nowak")
    parser.add_argument("--language", choices=["pl", "en"])
    parser.add_argument("--time-zone", help="an IANA name, like Europe/Warsaw")
    parser.add_argument("--holiday-country", help="ISO 3166-1 code; empty: as for the whole panel")
    parser.add_argument("--receives", choices=["yes", "no"], help="whether it receives mail")
    parser.add_argument("--owner", metavar="ADDRESS", help="who signs in for it; empty: nobody")
    parser.add_argument("--quota-mb", metavar="MB", help="empty: as set for the domain")
    for name in ("replies-per-hour", "recipients-per-hour", "recipients-per-day"):
        parser.add_argument(f"--{name}", metavar="NUMBER", help="empty: as usual, 0: no limit")


def _add_sign_ins(actions: Any) -> None:
    """The owner's, and those that others linked."""
    actions.add_parser("password", help="a new one for the owner, by chance; it is printed").add_argument("address")
    own = actions.add_parser("own-sign-in", help="a sign-in of its own, where it shares its owner's; it is printed")
    own.add_argument("address")
    linked = actions.add_parser("links", help="sign-ins that somebody linked to it")
    linked.add_argument("address")
    linked.add_argument("--json", action="store_true", help="a JSON object a line")
    unlink = actions.add_parser("unlink", help="end what `links` lists")
    unlink.add_argument("address")
    unlink.add_argument("sign_in", help="the address of the sign-in that opens the mailbox")
    sign_in = actions.add_parser("sign-in", help="whether the owner may sign in, here and by IMAP")
    sign_in.add_argument("address")
    sign_in.add_argument("allowed", choices=["yes", "no"])


def _add_life(actions: Any) -> None:
    """Suspended, renamed, deleted; where its mail goes."""
    successor = actions.add_parser("successor", help="its mail goes to a colleague's mailbox from now on")
    successor.add_argument("address")
    successor.add_argument("successor", nargs="?", default="", help="a mailbox of the same company; none: it stays")
    actions.add_parser("suspend", help="nobody signs in; senders come again later").add_argument("address")
    actions.add_parser("resume", help="end a suspension").add_argument("address")
    actions.add_parser("delete", help="gone; the mail stays for MAILBOX_GRACE_DAYS").add_argument("address")
    actions.add_parser("restore", help="take a deleted one back").add_argument("address")
    purge = actions.add_parser("purge", help="delete a deleted one for good, before its days are over")
    purge.add_argument("address")
    rename = actions.add_parser("rename", help="another address in its domain; the old one becomes an alias")
    rename.add_argument("address")
    rename.add_argument("local_part", help="what stands before the @ from now on")
    quota = actions.add_parser("quota", help="the space of a mailbox")
    quota.add_argument("address")
    quota.add_argument("megabytes", type=int, help="0: as set for the domain")


def _add_orphans(parser: CommandParser) -> None:
    parser.add_argument("--mail-dir", required=True, metavar="DIR", help="as given to mailconfig")
    parser.add_argument("--remove", action="store_true", help="delete them, not only list them")
    parser.add_argument("--force", action="store_true", help="even where they are more than half of all folders")


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "_"): value for name, value in row.items()}


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
    elif action in _MORE:
        _MORE[action](mailbox, options)


def _purge(mailbox: Mailbox, _options: dict[str, Any]) -> None:
    if mailbox.deleted_at is None:
        raise CommandError(f"{mailbox.address} is not deleted")
    if not hosting.purge_now(mailbox, now=timezone.now(), actor=COMMAND):
        raise CommandError(f"{mailbox.address} is held by somebody else just now: try it again")


def _set(mailbox: Mailbox, options: dict[str, Any]) -> None:
    values: dict[str, Any] = {name: options[name].strip() for name in WORDS if options[name] is not None}
    for name, (least, most) in LIMITS.items():
        if options[name] is not None:
            values[name] = command_line.number(name, options[name], least=least, most=most)
    if options["receives"] is not None:
        values["is_active"] = options["receives"] == "yes"
    if options["owner"] is not None:
        values["owner"] = command_line.person(options["owner"]) if options["owner"] else None
    if not values:
        raise CommandError("nothing was named that should be set")
    _check(mailbox, {name: values[name] for name in WORDS if name in values})
    services.change_mailbox(mailbox, actor=COMMAND, **values)


def _check(mailbox: Mailbox, values: dict[str, str]) -> None:
    for name, value in values.items():
        try:
            mailbox._meta.get_field(name).clean(value, mailbox)  # type: ignore[union-attr]  # noqa: SLF001 (Django's documented way to a field)
        except ValidationError as error:
            raise CommandError(f"{name}: {' '.join(error.messages)}") from error


def _set_sign_in(mailbox: Mailbox, options: dict[str, Any]) -> None:
    if mailbox.owner is None:
        raise CommandError(f"{mailbox.address} has no owner")
    services.set_sign_in(mailbox, allowed=options["allowed"] == "yes", actor=COMMAND)


def _unlink(mailbox: Mailbox, options: dict[str, Any]) -> None:
    rows = mailbox.links.filter(user=command_line.person(options["sign_in"]), ended_at=None)
    row = rows.select_related("mailbox", "user").first()
    if row is None:
        raise CommandError(f"{options['sign_in']} is not linked to {mailbox.address}")
    links.end(row, links.End.MANAGER, actor=COMMAND)


def _set_successor(mailbox: Mailbox, options: dict[str, Any]) -> None:
    if not options["successor"]:
        services.set_successor(mailbox, None, None, actor=COMMAND)
        return
    successor = command_line.mailbox(options["successor"])
    if not access.colleagues_of(mailbox).filter(pk=successor.pk).exists():
        raise CommandError(f"{successor.address} is not a mailbox of the same company")
    services.set_successor(mailbox, successor, timezone.now(), actor=COMMAND)


_MORE = {
    "rename": lambda mailbox, options: hosting.rename(mailbox, options["local_part"], actor=COMMAND),
    "quota": lambda mailbox, options: hosting.set_quota(mailbox, options["megabytes"] or None, actor=COMMAND),
    "set": _set, "sign-in": _set_sign_in, "successor": _set_successor, "unlink": _unlink, "purge": _purge,
}  # fmt: skip
