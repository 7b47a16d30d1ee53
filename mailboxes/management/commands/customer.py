"""`manage.py customer add|list`: customers from the command line."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Count

from mailboxes.log import COMMAND, record
from mailboxes.models import Customer


class Command(BaseCommand):
    help = "Make and list customers."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="make a customer; domains are given to it by its number")
        add.add_argument("number")
        add.add_argument("name")
        listing = actions.add_parser("list", help="every customer, by number")
        listing.add_argument("--json", action="store_true", help="a JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        {"add": self._add, "list": self._list}[options["action"]](options)

    def _add(self, options: dict[str, Any]) -> None:
        customer = Customer(number=options["number"].strip(), name=options["name"].strip())
        try:
            customer.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        with transaction.atomic():
            customer.save()
            record(customer, "made", COMMAND)
        self.stdout.write(f"{customer.number} added")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Customer.objects.annotate(count=Count("domains")).order_by("number")
        for number, name, domains in rows.values_list("number", "name", "count").iterator():
            if options["json"]:
                self.stdout.write(json.dumps({"number": number, "name": name, "domains": domains}, ensure_ascii=False))
            else:
                self.stdout.write(f"{number}\t{name}\t{domains}")
