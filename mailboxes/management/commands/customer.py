"""`manage.py customer add|list|show|set|suspend|resume|delete|restore|purge`: customers from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from mailboxes import command_line, customers
from mailboxes.log import COMMAND
from mailboxes.models import MAX_MAILBOXES, Customer, Mailbox, User


class Command(BaseCommand):
    help = "Make, list, limit, suspend and delete customers."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make a customer; domains are given to it by its number")
        add.add_argument("number")
        add.add_argument("name")
        _add_common(add)
        listing = actions.add_parser("list", help="every customer, by number")
        listing.add_argument("--deleted", action="store_true", help="those that may be taken back")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")
        show = actions.add_parser("show", help="one customer, its administrators and domains")
        show.add_argument("number")
        show.add_argument("--json", action="store_true", help="a JSON object")
        change = actions.add_parser("set", help="its number, its name, limits, administrators: what is named")
        change.add_argument("number")
        change.add_argument("--number", dest="new_number", help="another number")
        change.add_argument("--name")
        _add_common(change)
        change.add_argument(
            "--remove-administrator", metavar="ADDRESS", action="append", default=[], help="who looks after it no more"
        )
        actions.add_parser("suspend", help="suspend each of its domains").add_argument("number")
        actions.add_parser("resume", help="end the suspension of each of its domains").add_argument("number")
        delete = actions.add_parser("delete", help="with all its domains; MAILBOX_GRACE_DAYS to take it back")
        delete.add_argument("number")
        delete.add_argument("--yes", action="store_true", help="also where domains are its own")
        actions.add_parser("restore", help="take back what was deleted").add_argument("number")
        purge = actions.add_parser("purge", help="delete a deleted one for good, before its days are over")
        purge.add_argument("number")

    def handle(self, *args: Any, **options: Any) -> None:
        own = {
            "add": self._add, "list": self._list, "show": self._show, "set": self._set, "suspend": self._suspend,
            "resume": self._resume, "delete": self._delete, "restore": self._restore, "purge": self._purge,
        }  # fmt: skip
        command_line.together(own[options["action"]], options)

    def _add(self, options: dict[str, Any]) -> None:
        people = [command_line.person(typed) for typed in options["administrator"]]
        most = _most(options["max_mailboxes"] or "")
        with command_line.plainly():
            customer = customers.add_customer(
                options["number"], options["name"], max_mailboxes=most, administrators=people, actor=COMMAND
            )
        self.stdout.write(f"{customer.number} added")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Customer.objects.filter(deleted_at__isnull=not options["deleted"])
        counted = rows.annotate(domain_count=Count("domains")).order_by("number")
        columns = ("number", "name", "domain_count", "max_mailboxes", "deleted_at")
        for number, name, count, most, deleted_at in counted.values_list(*columns).iterator():
            if options["json"]:
                told = {"number": number, "name": name, "domains": count, "max_mailboxes": most}
                self.stdout.write(command_line.as_line(told | {"deleted_at": deleted_at}))
            else:
                state = f"deleted {deleted_at:%Y-%m-%d}" if deleted_at else ""
                self.stdout.write(f"{number}\t{name}\t{count}\t{state}".rstrip())

    def _show(self, options: dict[str, Any]) -> None:
        told = _told(command_line.customer(options["number"], deleted=True))
        if options["json"]:
            self.stdout.write(command_line.as_line(told))
            return
        for name, value in told.items():
            words = " ".join(value) if isinstance(value, list) else "" if value is None else value
            self.stdout.write(f"{name}\t{words}".rstrip())

    def _set(self, options: dict[str, Any]) -> None:
        customer = command_line.customer(options["number"])
        named = {"number": options["new_number"], "name": options["name"]}
        values: dict[str, Any] = {name: value.strip() for name, value in named.items() if value is not None}
        if options["max_mailboxes"] is not None:
            values["max_mailboxes"] = _most(options["max_mailboxes"])
        coming, going = (
            [command_line.person(typed) for typed in options[name]]
            for name in ("administrator", "remove_administrator")
        )
        if not (values or coming or going):
            raise CommandError("nothing was named that should be set")
        with command_line.plainly(), transaction.atomic():
            customers.change_customer(customer, actor=COMMAND, **values)
            customers.set_administrators(customer, _after(customer, coming, going), actor=COMMAND)
        self.stdout.write(f"{customer.number} set")

    def _suspend(self, options: dict[str, Any]) -> None:
        customer = command_line.customer(options["number"])
        count = customers.suspend(customer, now=timezone.now(), actor=COMMAND)
        self.stdout.write(f"{customer.number}: {count} domains suspended")

    def _resume(self, options: dict[str, Any]) -> None:
        customer = command_line.customer(options["number"])
        count = customers.resume(customer, actor=COMMAND)
        self.stdout.write(f"{customer.number}: {count} domains no longer suspended")

    def _delete(self, options: dict[str, Any]) -> None:
        customer = command_line.customer(options["number"])
        count = customer.domains.filter(deleted_at=None).count()
        if count and not options["yes"]:
            raise CommandError(f"{count} domains go with {customer.number}: say --yes, or `customer suspend`")
        customers.delete_customer(customer, now=timezone.now(), actor=COMMAND)
        self.stdout.write(f"{customer.number} deleted, with {count} domains")

    def _restore(self, options: dict[str, Any]) -> None:
        customer = command_line.customer(options["number"], deleted=True)
        with command_line.plainly():
            is_back = customers.restore_customer(customer, actor=COMMAND)
        self.stdout.write(f"{customer.number} {'taken back' if is_back else 'was not deleted'}")

    def _purge(self, options: dict[str, Any]) -> None:
        customer = command_line.customer(options["number"], deleted=True)
        if customer.deleted_at is None:
            raise CommandError(f"customer {customer.number} was not deleted")
        customers.end_customer(customer, actor=COMMAND)
        if not customers.purge_customer(customer):
            raise CommandError(f"{customer.number} is being removed by another worker: it goes on by itself")
        self.stdout.write(f"{customer.number} deleted for good")


def _add_common(parser: CommandParser) -> None:
    parser.add_argument(
        "--max-mailboxes", metavar="NUMBER", help="mailboxes at most, in all its domains together; empty: no limit"
    )
    parser.add_argument(
        "--administrator", metavar="ADDRESS", action="append", default=[],
        help="who looks after its mailboxes: somebody who signs in already; several times for several",
    )  # fmt: skip


def _most(typed: str) -> int | None:
    return command_line.number("max_mailboxes", typed, most=MAX_MAILBOXES)


def _after(customer: Customer, coming: list[User], going: list[User]) -> list[User]:
    gone = {person.pk for person in going}
    return [person for person in {*customer.administrators.all(), *coming} if person.pk not in gone]


def _told(customer: Customer) -> dict[str, Any]:
    domains = customer.domains.order_by("name").values_list("name", flat=True)
    mailboxes = Mailbox.objects.filter(domain__customer=customer).aggregate(
        there=Count("pk", filter=Q(deleted_at=None)), all=Count("pk")
    )
    return {
        "number": customer.number, "name": customer.name, "max_mailboxes": customer.max_mailboxes,
        "deleted_at": customer.deleted_at,
        "mailboxes": mailboxes["there"], "deleted_mailboxes": mailboxes["all"] - mailboxes["there"],
        "administrators": sorted(customer.administrators.values_list("email", flat=True)), "domains": list(domains),
    }  # fmt: skip
