"""What commands read from their command line, and how they say that it cannot be: in one line, by CommandError."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError

from mailboxes import addresses, races
from mailboxes.models import Alias, Customer, DeletedAlias, Domain, Mailbox, User
from mailboxes.services import MailboxesError


@contextmanager
def plainly() -> Iterator[None]:
    """What cannot be done, said as a command says it."""
    try:
        yield
    except MailboxesError as error:
        raise CommandError(" ".join(str(error).split())) from error


def together(do: Callable[[dict[str, Any]], None], options: dict[str, Any]) -> None:
    """What a command does, while another may do the same: then once more, and what is said of it is the usual thing.

    `do` reads nothing from standard input and says nothing before it is done. Raises CommandError.
    """
    try:
        races.twice(lambda: do(options))
    except Exception as error:
        if not races.somebody_was_faster(error):
            raise
        words = " ".join(str(error).split())
        raise CommandError(f"somebody else changes the same just now, try it again: {words}") from error


def customer(number: str, *, deleted: bool = False) -> Customer:
    """By its number; `deleted`: one that was, too. Raises CommandError."""
    found = Customer.objects.filter(number=number.strip()).first()
    if found is None:
        raise CommandError(f"no customer has the number {number}")
    if found.deleted_at is not None and not deleted:
        raise CommandError(f"customer {found.number} was deleted; `customer restore` takes it back")
    return found


def domain(typed: str, *, deleted: bool = False) -> Domain:
    """By its name, however it is written; `deleted`: one that was, too. Raises CommandError."""
    try:
        found = Domain.objects.filter(name=addresses.normalise_domain(typed)).first()
    except addresses.AddressError as error:
        raise CommandError(f"{typed!r} is not a domain name") from error
    if found is None:
        raise CommandError(f"{typed} is not a domain of this panel")
    if found.deleted_at is not None and not deleted:
        raise CommandError(f"{found.name} was deleted; `domain restore` takes it back")
    return found


def mailbox(typed: str) -> Mailbox:
    """By its address; one that was deleted and may be taken back, too. Raises CommandError."""
    found = Mailbox.objects.filter(address=addresses.normal_form_or_none(typed)).select_related("owner").first()
    if found is None:
        raise CommandError(f"{typed} is not a mailbox")
    return found


def alias(typed: str) -> Alias:
    """By its address. Raises CommandError."""
    found = Alias.objects.filter(address=addresses.normal_form_or_none(typed)).first()
    if found is None:
        raise CommandError(f"{typed} is not an alias")
    return found


def deleted_alias(typed: str) -> DeletedAlias:
    """By the address that it had: the one that was deleted last. Raises CommandError."""
    local_part, _at, name = (addresses.normal_form_or_none(typed) or "").rpartition("@")
    rows = DeletedAlias.objects.filter(local_part=local_part, domain__name=name).select_related("domain")
    found = rows.order_by("-deleted_at").first()
    if found is None:
        raise CommandError(f"{typed} is not an alias that was deleted and may be taken back")
    return found


def person(typed: str) -> User:
    """By the address that the person signs in with. Raises CommandError."""
    found = User.objects.filter(email=addresses.normal_form_or_none(typed) or "").first()
    if found is None:
        raise CommandError(f"nobody signs in as {typed}")
    return found


def number(name: str, typed: str, *, least: int = 0, most: int) -> int | None:
    """Empty: None, which is no limit or as usual. Raises CommandError."""
    if not typed:
        return None
    if not (typed.isascii() and typed.isdecimal() and least <= int(typed[:12]) <= most):
        raise CommandError(f"{name}: a number from {least} to {most}, or nothing")
    return int(typed)


def as_line(row: dict[str, Any]) -> str:
    """A JSON object in a line; times as ISO 8601."""
    return json.dumps(row, ensure_ascii=False, default=lambda one: one.isoformat())
