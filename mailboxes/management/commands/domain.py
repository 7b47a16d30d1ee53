"""`manage.py domain add|list|show|set|suspend|resume|delete|restore|purge|claims|give-up`: domains by command."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailboxes import command_line, hosting, space
from mailboxes.deletion import deleted_domains
from mailboxes.domain_dns import claims
from mailboxes.log import COMMAND
from mailboxes.models import (
    MAX_MAILBOXES,
    MAX_QUOTA_MB,
    MAX_REPLIES,
    MAX_TOTAL_QUOTA_MB,
    Alias,
    Customer,
    Domain,
    DomainClaim,
    Mailbox,
)
from mailboxes.pages.hosting_forms import DomainForm
from mailboxes.services import MailboxesError

AS_ON_THE_PAGE = ("catch_all", "quota_mb", "total_quota_mb", "max_mailboxes")
COLUMNS = (
    "name", "customer__number", "is_active", "catch_all__address", "quota_mb", "total_quota_mb", "max_mailboxes",
    "suspended_at", "deleted_at",
)  # fmt: skip
MORE_COLUMNS = (
    *COLUMNS, "refuses_from", "is_going", "replies_per_hour", "has_bounce_address", "proven_at", "created_at",
)  # fmt: skip
YES = {"receives": "is_active", "bounce_address": "has_bounce_address"}


class Command(BaseCommand):
    help = "Make, list, limit, suspend and delete domains."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make a domain; whoever runs this says that it is the customer's")
        add.add_argument("domain")
        add.add_argument("--customer", metavar="NUMBER", help="whose it is")
        _add_limits(add, "as the customer's other domains, where nothing is said; empty: no limit")
        listing = actions.add_parser("list", help="every domain, by name")
        listing.add_argument("--customer", metavar="NUMBER", help="of this customer only")
        listing.add_argument("--deleted", action="store_true", help="those that may be taken back")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")
        show = actions.add_parser("show", help="one domain, with all that is set")
        show.add_argument("domain")
        show.add_argument("--json", action="store_true", help="a JSON object")
        _add_set(actions.add_parser("set", help="its limits, its catch-all, whose it is: what is named"))
        actions.add_parser("suspend", help="nobody signs in; senders come again later").add_argument("domain")
        actions.add_parser("resume", help="end a suspension").add_argument("domain")
        delete = actions.add_parser("delete", help="with all that is in it; MAILBOX_GRACE_DAYS to take it back")
        delete.add_argument("domain")
        delete.add_argument("--yes", action="store_true", help="also where there are mailboxes or aliases in it")
        actions.add_parser("restore", help="take back what was deleted").add_argument("domain")
        purge = actions.add_parser("purge", help="delete a deleted one for good, before its days are over")
        purge.add_argument("domain")
        waiting = actions.add_parser("claims", help="those that wait for the proof that they are the customer's")
        waiting.add_argument("--json", action="store_true", help="a JSON object a line")
        give_up = actions.add_parser("give-up", help="end such a claim")
        give_up.add_argument("domain")
        give_up.add_argument("--customer", metavar="NUMBER", required=True, help="whose claim it is")

    def handle(self, *args: Any, **options: Any) -> None:
        own = {
            "add": self._add, "list": self._list, "show": self._show, "set": self._set, "suspend": self._suspend,
            "resume": self._resume, "delete": self._delete, "restore": self._restore, "purge": self._purge,
            "claims": self._claims, "give-up": self._give_up,
        }  # fmt: skip
        command_line.together(own[options["action"]], options)

    def _add(self, options: dict[str, Any]) -> None:
        customer, limits = _customer(options["customer"]), _limits(options)
        with command_line.plainly():
            domain = claims.add_domain(customer, options["domain"], actor=COMMAND, **limits)
        self.stdout.write(f"{domain.name} added")

    def _list(self, options: dict[str, Any]) -> None:
        domains = Domain.objects.filter(deleted_at__isnull=not options["deleted"]).order_by("name")
        if options["customer"]:
            domains = domains.filter(customer=command_line.customer(options["customer"], deleted=True))
        for row in domains.values(*COLUMNS).iterator():
            if options["json"]:
                self.stdout.write(command_line.as_line(_named(row)))
            else:
                state = "suspended" if row["suspended_at"] else "" if row["is_active"] else "off"
                state = f"deleted {row['deleted_at']:%Y-%m-%d}" if row["deleted_at"] else state
                self.stdout.write("\t".join([row["name"], row["customer__number"] or "", state]).rstrip())

    def _show(self, options: dict[str, Any]) -> None:
        domain = command_line.domain(options["domain"], deleted=True)
        told = _named(Domain.objects.values(*MORE_COLUMNS).get(pk=domain.pk)) | _counts(domain)
        if options["json"]:
            self.stdout.write(command_line.as_line(told))
            return
        for name, value in told.items():
            self.stdout.write(f"{name}\t{'' if value is None else value}".rstrip())

    def _set(self, options: dict[str, Any]) -> None:
        domain = command_line.domain(options["domain"])
        values = _read(domain, {name: options[name] for name in AS_ON_THE_PAGE if options[name] is not None})
        values |= {field: options[name] == "yes" for name, field in YES.items() if options[name] is not None}
        if options["replies_per_hour"] is not None:
            values["replies_per_hour"] = command_line.number(
                "replies_per_hour", options["replies_per_hour"], most=MAX_REPLIES
            )
        if options["customer"] is not None:
            values["customer"] = _customer(options["customer"])
        if not values:
            raise CommandError("nothing was named that should be set")
        with command_line.plainly():
            hosting.set_domain(domain, actor=COMMAND, **values)
        self.stdout.write(f"{domain.name} set")

    def _suspend(self, options: dict[str, Any]) -> None:
        domain = command_line.domain(options["domain"])
        hosting.suspend(domain, now=timezone.now(), actor=COMMAND)
        self.stdout.write(f"{domain.name}: suspended")

    def _resume(self, options: dict[str, Any]) -> None:
        domain = command_line.domain(options["domain"])
        hosting.resume(domain, actor=COMMAND)
        self.stdout.write(f"{domain.name}: no longer suspended")

    def _delete(self, options: dict[str, Any]) -> None:
        domain = command_line.domain(options["domain"])
        held = deleted_domains.contents(Domain.objects.filter(pk=domain.pk))
        if (held.mailboxes or held.aliases) and not options["yes"]:
            words = f"{held.mailboxes} mailboxes and {held.aliases} aliases"
            raise CommandError(f"{domain.name} has {words}, which go with it: say --yes, or `domain suspend`")
        deleted_domains.delete_domain(domain, now=timezone.now(), actor=COMMAND)
        self.stdout.write(f"{domain.name} deleted, with {held.mailboxes} mailboxes and {held.aliases} aliases")

    def _restore(self, options: dict[str, Any]) -> None:
        domain = command_line.domain(options["domain"], deleted=True)
        with command_line.plainly():
            is_back = deleted_domains.restore_domain(domain, actor=COMMAND)
        self.stdout.write(f"{domain.name} {'taken back' if is_back else 'was not deleted'}")

    def _purge(self, options: dict[str, Any]) -> None:
        domain = command_line.domain(options["domain"], deleted=True)
        if domain.deleted_at is None:
            raise CommandError(f"{domain.name} was not deleted")
        deleted_domains.end_domain(domain, actor=COMMAND)
        deleted_domains.purge_domain(domain)
        if Domain.objects.filter(pk=domain.pk).exists():
            raise CommandError(f"{domain.name} is being removed by another worker: it goes on by itself")
        self.stdout.write(f"{domain.name} deleted for good")

    def _claims(self, options: dict[str, Any]) -> None:
        rows = DomainClaim.objects.select_related("customer").order_by("name", "pk")
        for row in rows.iterator():
            if options["json"]:
                self.stdout.write(command_line.as_line(_of_claim(row)))
            else:
                state = "disputed" if row.disputed_at else ""
                self.stdout.write(f"{row.name}\t{row.customer.number}\t{state}".rstrip())

    def _give_up(self, options: dict[str, Any]) -> None:
        customer = command_line.customer(options["customer"])
        try:
            row = DomainClaim.objects.filter(customer=customer, name=claims.name_typed(options["domain"])).first()
        except MailboxesError as error:
            raise CommandError(str(error)) from error
        if row is None:
            raise CommandError(f"{options['domain']} waits for no proof of customer {customer.number}")
        claims.give_up(row, actor=COMMAND)
        self.stdout.write(f"{row.name}: claimed no more")


def _add_limits(parser: CommandParser, words: str) -> None:
    parser.add_argument("--quota-mb", metavar="MB", help=f"space of each mailbox; {words}")
    parser.add_argument("--total-quota-mb", metavar="MB", help=f"space of all mailboxes together; {words}")
    parser.add_argument("--max-mailboxes", metavar="NUMBER", help=f"mailboxes at most; {words}")


def _add_set(parser: CommandParser) -> None:
    parser.add_argument("domain")
    parser.add_argument("--catch-all", metavar="ADDRESS", help="a mailbox of the domain; empty: none")
    _add_limits(parser, "empty: no limit")
    parser.add_argument(
        "--replies-per-hour", metavar="NUMBER", help="of the whole domain; empty: as usual, 0: no limit"
    )
    parser.add_argument("--bounce-address", choices=["yes", "no"], help="whether its replies have one as their sender")
    parser.add_argument("--receives", choices=["yes", "no"], help="whether it receives mail")
    parser.add_argument("--customer", metavar="NUMBER", help="whose it is; empty: nobody's")


def _customer(number: str | None) -> Customer | None:
    """None for no number. Raises CommandError."""
    return command_line.customer(number) if number else None


def _limits(options: dict[str, Any]) -> dict[str, int | None]:
    """Those that were named. Raises CommandError."""
    bounds = {
        "quota_mb": (1, MAX_QUOTA_MB), "total_quota_mb": (1, MAX_TOTAL_QUOTA_MB), "max_mailboxes": (0, MAX_MAILBOXES)
    }  # fmt: skip
    return {
        name: command_line.number(name, options[name], least=least, most=most)
        for name, (least, most) in bounds.items()
        if options[name] is not None
    }


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "_"): value for name, value in row.items()}


def _counts(domain: Domain) -> dict[str, int]:
    mailboxes = Mailbox.objects.filter(domain=domain)
    there = mailboxes.filter(deleted_at=None).count()
    return {
        "mailboxes": there, "deleted_mailboxes": mailboxes.count() - there,
        "aliases": Alias.objects.filter(domain=domain).count(),
        "allotted_mb": space.space_of(domain.name).allotted,
    }  # fmt: skip


def _of_claim(row: DomainClaim) -> dict[str, Any]:
    record = claims.record_of(row)
    return {
        "name": row.name, "customer_number": row.customer.number, "created_at": row.created_at,
        "disputed_at": row.disputed_at, "record": record.zone_line,
    }  # fmt: skip


def _read(domain: Domain, wanted: dict[str, str]) -> dict[str, Any]:
    """What was named, read as the page of the domain reads it. Raises CommandError."""
    form = DomainForm(domain=domain, sets_limits=True)
    bound = DomainForm({**form.initial, **wanted}, domain=domain, sets_limits=True)
    if bound.is_valid():
        return {name: bound.cleaned_data[name] for name in wanted}
    errors = {name: errors for name, errors in bound.errors.items() if name in wanted} or bound.errors
    raise CommandError("; ".join(f"{name}: {' '.join(map(str, told))}" for name, told in errors.items()))
