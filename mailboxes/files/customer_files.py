"""Customers from a CSV file: first a plan that shows what would be made, then all of it or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils.translation import gettext as _

from mailboxes import addresses, customers
from mailboxes.files.file_kinds import Kind, Made, NoNumber, Row, limit_cell, number, words_of
from mailboxes.log import Actor
from mailboxes.models import MAX_MAILBOXES, Customer, User
from mailboxes.services import MailboxesError

# Somebody waits for the answer. More go by the command `fromfile`.
MAX_ROWS = 1_000
MAX_NUMBER, MAX_NAME = 50, 200  # characters that the columns hold
COLUMNS = {
    "number": "number", "customer number": "number", "numer": "number", "numer klienta": "number", "name": "name",
    "nazwa": "name", "max_mailboxes": "max_mailboxes", "administrators": "administrators",
    "administratorzy": "administrators",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A customer to be made. Administrators sign in already, by these addresses."""

    number: str
    name: str
    max_mailboxes: int | None = None
    administrators: tuple[str, ...] = ()
    problem: str = ""
    is_there: bool = False

    @property
    def key(self) -> str:
        """Its number."""
        return self.number

    @property
    def would(self) -> str:
        """What would be made, in words."""
        most = _("at most %(count)d mailboxes") % {"count": self.max_mailboxes or 0}
        limits = [most] if self.max_mailboxes is not None else []
        return " · ".join([self.name, *limits, *self.administrators])

    @property
    def cells(self) -> list[str]:
        """As it goes from the preview to the making."""
        return [self.number, self.name, limit_cell(self.max_mailboxes), " ".join(self.administrators)]


def plan(rows: Iterable[Row]) -> list[Line]:
    """What each row would make, or why it cannot. Makes nothing."""
    read = [_read(row) for row in rows]
    there = Customer.objects.filter(number__in=[line.number for line in read])
    taken = dict(there.values_list("number", "name"))
    named = {address for line in read for address in line.administrators}
    known = set(User.objects.filter(email__in=named).values_list("email", flat=True))
    seen: set[str] = set()
    planned = []
    for line in read:
        problem = line.problem or _problem_with(line, taken, known, seen)
        planned.append(replace(line, problem=problem, is_there=taken.get(line.number) == line.name))
        seen.add(line.number)
    return planned


def _read(row: Row) -> Line:
    typed, name = row.get("number", ""), row.get("name", "")
    people = tuple(addresses.normal_form_or_none(word) or word for word in words_of(row.get("administrators", "")))
    most, problem = None, ""
    try:
        most = number(row.get("max_mailboxes", ""), "max_mailboxes", most=MAX_MAILBOXES)
    except NoNumber as error:
        problem = str(error)
    if not typed or len(typed) > MAX_NUMBER or not typed.isprintable():
        problem = _("The number of a customer has 1 to %(most)d characters.") % {"most": MAX_NUMBER}
    elif not name or len(name) > MAX_NAME or not name.isprintable():
        problem = _("The name of a customer has 1 to %(most)d characters.") % {"most": MAX_NAME}
    return Line(typed[: MAX_NUMBER * 2], name[: MAX_NAME * 2], most, people, problem)


def _problem_with(line: Line, taken: Mapping[str, str], known: set[str], seen: set[str]) -> str:
    if line.number in taken:
        return _("Another customer has this number.")
    if line.number in seen:
        return _("The number stands in the file twice.")
    for address in line.administrators:
        if address not in known:
            return _("Nobody signs in with the address %(address)s.") % {"address": address[:100]}
    return ""


def in_turn(line: Line) -> str:
    """By number."""
    return line.number


@transaction.atomic
def make(planned: Iterable[Line], *, actor: Actor) -> list[Made]:
    """Make all of it or nothing. Raises MailboxesError: somebody was faster.

    In one order, so that of two files at once none waits for the other for ever.
    """
    return [_customer(line, actor) for line in sorted(planned, key=in_turn)]


def _customer(line: Line, actor: Actor) -> Made:
    people = list(User.objects.filter(email__in=line.administrators)) if line.administrators else []
    if len(people) < len(set(line.administrators)):
        raise MailboxesError(_("An administrator of customer %(number)s is gone.") % {"number": line.number})
    try:
        customers.add_customer(
            line.number, line.name, max_mailboxes=line.max_mailboxes, administrators=people, actor=actor
        )
    except MailboxesError as error:
        raise MailboxesError(f"{line.number}: {error}") from error
    return Made(line.number)


KIND = Kind(COLUMNS, ("number", "name", "max_mailboxes", "administrators"), MAX_ROWS, plan, make, in_turn)
