"""`manage.py secondfactor ADDRESS [--remove]`: who has a second factor; a way back in for who lost it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailboxes import addresses, second_factor
from mailboxes.log import COMMAND
from mailboxes.models import User


class Command(BaseCommand):
    help = "Tell whether a person has a second factor, or remove it and sign them out everywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", help="the address that the person signs in with")
        parser.add_argument("--remove", action="store_true", help="first make sure that it is them who ask for it")

    def handle(self, *args: Any, **options: Any) -> None:
        address = addresses.normal_form_or_none(options["address"]) or ""
        user = User.objects.filter(email=address).first()
        if user is None:
            raise CommandError(f"{options['address']} is nobody who signs in here")
        if options["remove"]:
            count = second_factor.remove(user, actor=COMMAND)
            self.stdout.write(f"{user.email}: {count} removed; signed out everywhere")
        else:
            types = sorted(second_factor.main_factors(user).values_list("type", flat=True))
            self.stdout.write(f"{user.email}: {', '.join(types) or 'none'}")
