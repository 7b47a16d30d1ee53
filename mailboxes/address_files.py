"""Mailboxes and aliases from a CSV file: first a plan that shows what would be made, then all of it or nothing."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailboxes import addresses, passwords, services
from mailboxes.log import Actor
from mailboxes.models import MAX_QUOTA_MB, Domain, User

MAX_OCTETS = 1024 * 1024
# Each mailbox gets a password, and hashing them takes its time while somebody waits.
MAX_ROWS = 300
COLUMNS = {
    "address": "address", "adres": "address", "e-mail": "address", "email": "address", "name": "name", "nazwa": "name",
    "imię i nazwisko": "name", "quota_mb": "quota_mb", "targets": "targets", "cele": "targets",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What a line of the file would make; `problem` says why it cannot."""

    address: str
    name: str
    quota_mb: int | None
    targets: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True)
class Made:
    """What was made of a line; the password of a new mailbox is shown once."""

    address: str
    password: str


def plan(lines: Iterable[dict[str, str]], domains: QuerySet[Domain], *, sets_limits: bool) -> list[Line]:
    """What each line would make in these domains, or why it cannot. Makes nothing.

    An alias may lead to a mailbox that the same file makes. More space than the domain gives is for those who set
    limits.
    """
    names = set(domains.values_list("name", flat=True))
    most = {} if sets_limits else dict(domains.exclude(quota_mb=None).values_list("name", "quota_mb"))
    read = [_read(line) for line in lines]
    coming = {line.address for line in read if not line.targets}
    seen: set[str] = set()
    planned = []
    for line in read:
        problem = line.problem or _problem_with(line, names, coming, seen) or _too_much(line, most)
        seen.add(line.address)
        planned.append(Line(line.address, line.name, line.quota_mb, line.targets, problem))
    return planned


def _read(line: dict[str, str]) -> Line:
    typed = line.get("address", "")
    address = addresses.normal_form_or_none(typed) or ""
    targets = tuple(word for word in line.get("targets", "").replace(",", " ").replace(";", " ").split() if word)
    space = line.get("quota_mb", "")
    problem = ""
    if not address or not addresses.split(address)[0].isascii():
        problem = _("This is no address that a mail server delivers to.")
    elif space and not (space.isascii() and space.isdecimal() and 1 <= int(space[:12]) <= MAX_QUOTA_MB):
        problem = _("The space must be a number of megabytes.")
    return Line(address or typed[:320], line.get("name", "")[:200], int(space) if space and not problem else None,
                targets, problem)  # fmt: skip


def _problem_with(line: Line, names: set[str], coming: set[str], seen: set[str]) -> str:
    local_part, name = addresses.split(line.address)
    if name not in names:
        return _("This is not a domain that you manage.")
    if line.address in seen:
        return _("The address stands in the file twice.")
    try:
        services.deliverable(local_part, Domain(name=name))
        services.refuse_taken(local_part, Domain.objects.get(name=name))
        for target in line.targets:
            if addresses.normal_form_or_none(target) not in coming:
                services.check_target(target)
    except services.MailboxesError as error:
        return str(error)
    if not line.targets and User.objects.filter(email=line.address).exists():
        return _("Somebody signs in with this address already. Ask our support.")
    return ""


def _too_much(line: Line, most: Mapping[str, int | None]) -> str:
    space = most.get(addresses.split(line.address)[1])
    if line.quota_mb is None or space is None or line.quota_mb <= space:
        return ""
    return _("Mailboxes of this domain have %(space)d MB at most. Ask our support for more.") % {"space": space}


def as_text(planned: Iterable[Line]) -> str:
    """The lines anew, as CSV: what goes from the preview to the making."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(["address", "name", "quota_mb", "targets"])
    for line in planned:
        rows.writerow([line.address, line.name, line.quota_mb or "", " ".join(line.targets)])
    return written.getvalue()


@transaction.atomic
def make(planned: Iterable[Line], *, actor: Actor) -> list[Made]:
    """Make all of it, mailboxes before the aliases that lead to them; or nothing. Raises MailboxesError."""
    rows = sorted(planned, key=lambda line: bool(line.targets))
    return [_alias(line, actor) if line.targets else _mailbox(line, actor) for line in rows]


def _mailbox(line: Line, actor: Actor) -> Made:
    password = passwords.by_chance()
    mailbox = services.add_mailbox(line.address, name=line.name, password=password, actor=actor)
    if line.quota_mb is not None:
        services.change_mailbox(mailbox, actor=actor, quota_mb=line.quota_mb)
    return Made(line.address, password)


def _alias(line: Line, actor: Actor) -> Made:
    services.add_alias(line.address, line.targets, actor=actor)
    return Made(line.address, "")
