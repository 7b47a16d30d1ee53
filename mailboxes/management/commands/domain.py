"""`manage.py domain add|list|set|suspend|resume`: domains from the command line."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailboxes import hosting
from mailboxes.addresses import AddressError, normalise_domain
from mailboxes.domain_dns import claims
from mailboxes.hosting_forms import DomainForm
from mailboxes.log import COMMAND
from mailboxes.models import Customer, Domain
from mailboxes.services import MailboxesError

LIMITS = ("catch_all", "quota_mb", "max_mailboxes")
COLUMNS = ("name", "customer__number", "is_active", "catch_all__address", "quota_mb", "max_mailboxes", "suspended_at")


class Command(BaseCommand):
    help = "Make, list, limit and suspend domains."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make a domain; whoever runs this says that it is the customer's")
        add.add_argument("domain")
        add.add_argument("--customer", metavar="NUMBER", help="whose it is")
        listing = actions.add_parser("list", help="every domain, by name")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")
        change = actions.add_parser("set", help="its limits, its catch-all, whose it is: what is named")
        change.add_argument("domain")
        change.add_argument("--catch-all", metavar="ADDRESS", help="a mailbox of the domain; empty: none")
        change.add_argument("--quota-mb", metavar="MB", help="space of each mailbox; empty: no limit")
        change.add_argument("--max-mailboxes", metavar="NUMBER", help="mailboxes at most; empty: no limit")
        change.add_argument("--customer", metavar="NUMBER", help="whose it is; empty: nobody's")
        actions.add_parser("suspend", help="nobody signs in; senders come again later").add_argument("domain")
        actions.add_parser("resume", help="end a suspension").add_argument("domain")

    def handle(self, *args: Any, **options: Any) -> None:
        {
            "add": self._add, "list": self._list, "set": self._set, "suspend": self._suspend, "resume": self._resume,
        }[options["action"]](options)  # fmt: skip

    def _add(self, options: dict[str, Any]) -> None:
        customer = _customer(options["customer"])
        try:
            domain = claims.add_domain(customer, options["domain"], actor=COMMAND)
        except MailboxesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{domain.name} added")

    def _list(self, options: dict[str, Any]) -> None:
        for row in Domain.objects.order_by("name").values(*COLUMNS).iterator():
            told = {name.replace("__", "_"): value for name, value in row.items()}
            if options["json"]:
                self.stdout.write(json.dumps(told, ensure_ascii=False, default=str))
            else:
                state = "suspended" if row["suspended_at"] else "" if row["is_active"] else "off"
                self.stdout.write("\t".join([row["name"], row["customer__number"] or "", state]).rstrip())

    def _set(self, options: dict[str, Any]) -> None:
        domain = _domain(options["domain"])
        wanted = {name: options[name] for name in LIMITS if options[name] is not None}
        values = _read(domain, wanted)
        if options["customer"] is not None:
            values["customer"] = _customer(options["customer"])
        if not values:
            raise CommandError("nothing was named that should be set")
        hosting.set_domain(domain, actor=COMMAND, **values)
        self.stdout.write(f"{domain.name} set")

    def _suspend(self, options: dict[str, Any]) -> None:
        domain = _domain(options["domain"])
        hosting.suspend(domain, now=timezone.now(), actor=COMMAND)
        self.stdout.write(f"{domain.name}: suspended")

    def _resume(self, options: dict[str, Any]) -> None:
        domain = _domain(options["domain"])
        hosting.resume(domain, actor=COMMAND)
        self.stdout.write(f"{domain.name}: no longer suspended")


def _domain(typed: str) -> Domain:
    """Raises CommandError."""
    try:
        domain = Domain.objects.filter(name=normalise_domain(typed)).first()
    except AddressError as error:
        raise CommandError(f"{typed!r} is not a domain name") from error
    if domain is None:
        raise CommandError(f"{typed} is not a domain of this panel")
    return domain


def _customer(number: str | None) -> Customer | None:
    """None for no number. Raises CommandError."""
    if not number:
        return None
    customer = Customer.objects.filter(number=number).first()
    if customer is None:
        raise CommandError(f"no customer has the number {number}")
    return customer


def _read(domain: Domain, wanted: dict[str, str]) -> dict[str, Any]:
    """What was named, read as the page of the domain reads it. Raises CommandError."""
    form = DomainForm(domain=domain, sets_limits=True)
    bound = DomainForm({**form.initial, **wanted}, domain=domain, sets_limits=True)
    if bound.is_valid():
        return {name: bound.cleaned_data[name] for name in wanted}
    errors = {name: errors for name, errors in bound.errors.items() if name in wanted} or bound.errors
    raise CommandError("; ".join(f"{name}: {' '.join(map(str, told))}" for name, told in errors.items()))
