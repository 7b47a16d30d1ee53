"""`manage.py person export|erase ADDRESS`: what the panel knows about a person, and forgetting it."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from mailboxes.addresses import AddressError
from mailboxes.log import COMMAND
from responders import personal_data


class Command(BaseCommand):
    help = "Print everything kept about one address as JSON, or forget it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["export", "erase"])
        parser.add_argument("address", help="of somebody who wrote to a mailbox here, or who signs in")

    def handle(self, *args: Any, **options: Any) -> None:
        address = options["address"]
        try:
            found: dict[str, Any] = (
                personal_data.export(address)
                if options["action"] == "export"
                else personal_data.erase(address, actor=COMMAND)
            )
        except AddressError as error:
            raise CommandError(f"{address}: {error}") from error
        self.stdout.write(json.dumps(found, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
