"""`manage.py refusal list|lift`: the addresses that refused a reply for good, and get none for a while."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailboxes.addresses import AddressError
from mailboxes.log import COMMAND
from responders.support import refusals


class Command(BaseCommand):
    help = "List the addresses that refused a reply for good, and let replies go to them again."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="each with the time and what its server said, the latest first")
        lift = actions.add_parser("lift", help="let replies go there again")
        lift.add_argument("address", nargs="+", help="an address, or @domain for all of its addresses")
        for parser_of_action in (listing, lift):
            parser_of_action.add_argument("--json", action="store_true", help="a JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = self._lifted(options["address"]) if options["action"] == "lift" else self._listed()
        for row in rows:
            line = json.dumps(row, ensure_ascii=False) if options["json"] else "\t".join(map(str, row.values()))
            self.stdout.write(line)

    def _listed(self) -> list[dict[str, Any]]:
        return [
            {"address": row.address, "refused_at": row.refused_at.isoformat(), "words": row.words}
            for row in refusals.in_force()
        ]

    def _lifted(self, wanted: list[str]) -> list[dict[str, Any]]:
        try:
            return [{"address": address, "lifted": refusals.lift(address, actor=COMMAND)} for address in wanted]
        except AddressError as error:
            raise CommandError(str(error)) from error
