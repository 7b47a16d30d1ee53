"""Mailboxes and aliases from a CSV file: first a plan that shows what would be made, then all of it or nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailboxes import addresses, foreign_hashes, passwords, rooms, services, space
from mailboxes.files.file_kinds import Kind, Made, Row, words_of
from mailboxes.log import Actor
from mailboxes.models import MAX_QUOTA_MB, Alias, Domain, Mailbox, User

# Each mailbox gets a password, and hashing them takes its time while somebody waits. More go by the command `fromfile`.
MAX_ROWS = 300
COLUMNS = {
    "address": "address", "adres": "address", "e-mail": "address", "email": "address", "name": "name", "nazwa": "name",
    "imię i nazwisko": "name", "quota_mb": "quota_mb", "targets": "targets", "cele": "targets",
}  # fmt: skip
ORDER = ("address", "name", "quota_mb", "targets")
HASH = "password_hash"  # of another system; a column of the command alone


@dataclass(frozen=True)
class Line:
    """What a line of the file would make; `problem` says why it cannot, `is_there` that it is made already."""

    address: str
    name: str
    quota_mb: int | None
    targets: tuple[str, ...]
    problem: str = ""
    password_hash: str = ""
    is_there: bool = False

    @property
    def key(self) -> str:
        """Its address."""
        return self.address

    @property
    def would(self) -> str:
        """What would be made, in words."""
        if self.targets:
            return " → ".join([_("Alias"), ", ".join(self.targets)])
        space = _("%(count)d MB") % {"count": self.quota_mb or 0}
        return " · ".join([_("Mailbox"), *filter(None, [self.name, space if self.quota_mb else ""])])

    @property
    def cells(self) -> list[str]:
        """As it goes from the preview to the making."""
        return [self.address, self.name, str(self.quota_mb or ""), " ".join(self.targets)]


@dataclass(frozen=True)
class Known:
    """What is there of the addresses of a file, and what the file brings itself."""

    domains: Mapping[str, Domain]
    sees_all: bool  # of whoever sends the file: every domain, not those alone
    most_mb: Mapping[str, int | None]  # MB that a mailbox of the domain may have at most, where there is such a limit
    taken: Mapping[str, str]
    mailboxes: frozenset[str]
    aliases: frozenset[str]
    people: frozenset[str]
    coming: frozenset[str]
    fine: frozenset[str]  # targets that need no further look: mailboxes that are there, addresses outside


def plan(
    rows: Iterable[Row], domains: QuerySet[Domain], *, sets_limits: bool, most_targets: int = services.MAX_TARGETS
) -> list[Line]:
    """What each row would make in these domains, or why it cannot. Makes nothing.

    An alias may lead to a mailbox that the same file makes. More space than the domain gives is for those who set
    limits; they see every domain, too.
    """
    read = [_read(row, most_targets) for row in rows]
    known = _known(read, domains, sets_limits=sets_limits)
    room, spaces = rooms.rooms_in(known.domains), space.limited_in(known.domains)
    seen: set[str] = set()
    planned = []
    for line in read:
        problem = line.problem or _problem_with(line, known, seen)
        if not problem and not line.targets:
            problem = _without_room(line, room, spaces)
        seen.add(line.address)
        there = known.aliases if line.targets else known.mailboxes
        planned.append(replace(line, problem=problem, is_there=line.address in there))
    return planned


def _without_room(line: Line, room: list[rooms.Room], spaces: dict[str, space.Space]) -> str:
    """Why the line's mailbox finds none; where it does, the lines after it find that much less."""
    name = addresses.split(line.address)[1]
    before = spaces.get(name)
    after = before.with_mailbox(line.quota_mb) if before else None
    problem = space.refusal(before, after) if before and after else ""
    problem = problem or rooms.taken(room, name)
    if after and not problem:
        spaces[name] = after
    return problem


def _known(read: list[Line], domains: QuerySet[Domain], *, sets_limits: bool) -> Known:
    wanted = {line.address for line in read if "@" in line.address}
    mine = domains.filter(name__in={addresses.split(address)[1] for address in wanted})
    most = {} if sets_limits else dict(mine.exclude(quota_mb=None).values_list("name", "quota_mb"))
    live = Mailbox.objects.filter(address__in=wanted, deleted_at=None)
    return Known(
        {domain.name: domain for domain in mine}, sets_limits, most, services.taken(wanted),
        frozenset(live.values_list("address", flat=True)),
        frozenset(Alias.objects.filter(address__in=wanted).values_list("address", flat=True)),
        frozenset(User.objects.filter(email__in=wanted).values_list("email", flat=True)),
        frozenset(line.address for line in read if not line.targets and not line.problem), _fine(read),
    )  # fmt: skip


def _fine(read: list[Line]) -> frozenset[str]:
    """Of many targets, in two questions, those that `services.check_target` refuses to nobody."""
    written = {addresses.normal_form_or_none(target) for line in read for target in line.targets}
    targets = {target for target in written if target}
    names = {addresses.split(target)[1] for target in targets}
    ours = {settings.AUTOREPLY_DOMAIN, *Domain.objects.filter(name__in=names).values_list("name", flat=True)}
    there = Mailbox.objects.filter(address__in=targets, deleted_at=None).values_list("address", flat=True)
    return frozenset(there) | {target for target in targets if addresses.split(target)[1] not in ours}


def _read(line: Row, most_targets: int) -> Line:
    typed = line.get("address", "")
    address = addresses.normal_form_or_none(typed) or ""
    targets = tuple(words_of(line.get("targets", ""))[: most_targets + 1])  # of more nothing else is looked at
    typed_mb, foreign = line.get("quota_mb", ""), line.get(HASH, "")
    problem = ""
    if not address or not addresses.split(address)[0].isascii():
        problem = _("This is no address that a mail server delivers to.")
    elif typed_mb and not (typed_mb.isascii() and typed_mb.isdecimal() and 1 <= int(typed_mb[:12]) <= MAX_QUOTA_MB):
        problem = _("The space must be a number of megabytes.")
    elif foreign and (targets or _taken_hash(foreign) is None):
        problem = _("This is no hash of a password that is taken over.")
    problem = problem or services.too_many_targets(len(targets), most_targets)
    quota = int(typed_mb) if typed_mb and not problem else None
    return Line(address or typed[:320], line.get("name", "")[:200], quota, targets, problem, foreign)


def _taken_hash(stored: str) -> foreign_hashes.Taken | None:
    """None: Dovecot does not know it, or it is weak."""
    found = foreign_hashes.read(stored)
    return found if isinstance(found, foreign_hashes.Taken) and not found.is_weak else None


def _problem_with(line: Line, known: Known, seen: set[str]) -> str:
    local_part, name = addresses.split(line.address)
    if name not in known.domains:
        return _("This is not a domain that you manage.")
    if line.address in seen:
        return _("The address stands in the file twice.")
    if line.address in known.taken:
        return known.taken[line.address]
    try:
        check = services.deliverable if line.targets else services.deliverable_mailbox
        check(local_part, Domain(name=name))
        for target in line.targets:
            normal = addresses.normal_form_or_none(target)
            if normal not in known.coming and normal not in known.fine:
                services.check_target(target, None if known.sees_all else known.domains[name])
    except services.MailboxesError as error:
        return str(error)
    if not line.targets and line.address in known.people:
        return _("Somebody signs in with this address already. Ask our support.")
    return _too_much(line, known.most_mb.get(name))


def _too_much(line: Line, most: int | None) -> str:
    if line.quota_mb is None or most is None or line.quota_mb <= most:
        return ""
    return _("Mailboxes of this domain have %(space)d MB at most. Ask our support for more.") % {"space": most}


def in_turn(line: Line) -> tuple[bool, str]:
    """Mailboxes before the aliases that lead to them."""
    return bool(line.targets), line.address


@transaction.atomic
def make(
    planned: Iterable[Line], *, actor: Actor, password_of: Callable[[str], str] = lambda _address: passwords.by_chance()
) -> list[Made]:
    """Make all of it or nothing. Raises MailboxesError."""
    rows = sorted(planned, key=in_turn)
    services.hold({addresses.split(line.address)[1] for line in rows})
    return [_alias(line, actor) if line.targets else _mailbox(line, actor, password_of) for line in rows]


def _mailbox(line: Line, actor: Actor, password_of: Callable[[str], str]) -> Made:
    foreign = _taken_hash(line.password_hash) if line.password_hash else None
    password = "" if foreign else password_of(line.address)
    mailbox = services.add_mailbox(
        line.address, name=line.name, password=password or None, quota_mb=line.quota_mb, actor=actor
    )
    if foreign:
        services.take_password(mailbox, foreign, actor=actor)
    return Made(line.address, password)


def _alias(line: Line, actor: Actor) -> Made:
    services.add_alias(line.address, line.targets, actor=actor)
    return Made(line.address)


def kind_for(domains: QuerySet[Domain], *, sets_limits: bool, takes_hashes: bool = False) -> Kind:
    """For whoever manages these domains; `takes_hashes`: for the command, which takes larger groups, too."""
    most = services.MAX_TARGETS_AT_ALL if takes_hashes else services.MAX_TARGETS
    planned = partial(plan, domains=domains, sets_limits=sets_limits, most_targets=most)
    columns = COLUMNS | ({HASH: HASH} if takes_hashes else {})
    return Kind(columns, ORDER, MAX_ROWS, planned, make, in_turn)
