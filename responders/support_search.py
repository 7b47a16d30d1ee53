"""Support's one search box: whatever a caller can name. Each kind is a query of its own that looks into an index."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet, prefetch_related_objects
from django.db.models.functions import Lower
from django.db.models.lookups import Contains, StartsWith
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailboxes import access, addresses, searching
from mailboxes.access import AnyUser
from mailboxes.models import Alias, Customer, Domain, Mailbox, User
from responders.models import Decision, NumberedCase

SHOWN = 10
COLLECTED = 1_000  # rows: of what so many hold as these, the first ones in order are shown
MAX_ASKED = 200
SHORTEST = 2  # characters
MIXED_CASE = {"name", "number"}  # columns that are indexed in lower case
TIMEOUT_MS = 500  # of all queries of one search together it is a few; this is for the worst one
SIMILAR = 0.5
SHOWN_WITH = ("owner", "domain")  # a mailbox


Holds = Callable[[str, str], Q]  # column, words → whether they are there


@dataclass(frozen=True)
class Group:
    """What was found of one kind; `is_guess` where nothing fits as typed and this comes near."""

    kind: str
    title: str | Promise
    rows: list[Any]
    is_guess: bool = False


def search(user: AnyUser, asked: str) -> list[Group]:
    """Every kind of thing that fits, for staff; nobody else finds anything."""
    asked = asked.replace("\0", " ")
    text = " ".join(asked.split())[:MAX_ASKED].lower()
    if len(text) < SHORTEST or not access.is_support(user):
        return []
    is_indexed = searching.finds(text, _some_addresses)
    found = list(_as_typed(text, asked.strip()[:MAX_ASKED], is_indexed=is_indexed))
    return found or (list(_near(text)) if is_indexed else [])


def _some_addresses() -> list[str]:
    return list(Mailbox.objects.order_by("pk").values_list("address", flat=True)[: searching.SAMPLE])


def _as_typed(text: str, exact: str, *, is_indexed: bool) -> Iterator[Group]:
    """What is not indexed is looked for at the beginning only, where there is no other way."""
    holds: Holds = _contains if is_indexed else _begins
    kinds: list[tuple[str, str | Promise, Callable[[], QuerySet[Any]]]] = [
        (
            "mailboxes",
            _("Mailboxes"),
            lambda: _first(_mailboxes(text, holds), "address").select_related("owner", "domain"),
        ),
        ("aliases", _("Aliases"), lambda: _first(Alias.objects.filter(holds("address", text)), "address")),
        ("domains", _("Domains"), lambda: _domains(text)),
        ("customers", _("Customers"), lambda: _customers(text)),
        ("people", _("People who sign in"), lambda: _first(_people(text, holds), "email")),
        ("cases", _("Cases"), lambda: NumberedCase.objects.filter(number=exact).select_related("mailbox")),
        ("messages", _("Messages from this sender"), lambda: messages_from(text)),
        ("message", _("This message"), lambda: Decision.objects.filter(message_id=_message_id(exact)).order_by("-id")),
    ]
    for kind, title, ask in kinds:
        if rows := _asked(ask):
            yield Group(kind, title, rows)


def messages_from(sender: str) -> QuerySet[Decision]:
    """What became of mail from an address, in both spellings of its domain; the latest first."""
    return Decision.objects.filter(reverse_path__in=spellings(sender)).select_related("mailbox").order_by("-id")


def spellings(sender: str) -> set[str]:
    """How a reverse-path may stand in a decision: as typed, and with its domain in letters and in ASCII."""
    plain = addresses.normal_form_or_none(sender)
    return {sender} | ({plain, addresses.display(plain)} if plain else set())


def _first(rows: QuerySet[Any], column: str) -> QuerySet[Any]:
    """In order. Not all of what a million hold is put in order for that, and not all read in order to find a few."""
    model: Any = rows.model
    some: QuerySet[Any] = model.objects.filter(pk__in=rows.order_by().values("pk")[:COLLECTED])
    return some.order_by(column)


def _mailboxes(text: str, holds: Holds) -> QuerySet[Mailbox]:
    plain = addresses.normal_form_or_none(text)
    wanted = holds("address", text) | _named(text, holds) | (Q(address=plain) if plain else Q())
    return Mailbox.objects.filter(wanted)


def _people(text: str, holds: Holds) -> QuerySet[User]:
    return User.objects.filter(holds("email", text) | _named(text, holds))


def _named(text: str, holds: Holds) -> Q:
    """Names begin with so many short words that no index helps."""
    return holds("name", text) if holds is _contains else Q()


def _domains(text: str) -> QuerySet[Domain]:
    """There are few domains and customers, as such tables go: any words are looked for anywhere."""
    return Domain.objects.filter(Q(name__contains=text.lstrip("@"))).select_related("customer").order_by("name")


def _customers(text: str) -> QuerySet[Customer]:
    return Customer.objects.filter(_contains("name", text) | _contains("number", text)).order_by("name", "pk")


def _contains(column: str, text: str) -> Q:
    return Q(Contains(_column(column), text))


def _begins(column: str, text: str) -> Q:
    return Q(StartsWith(_column(column), text))


def _column(name: str) -> Lower | F:
    """As its index holds it."""
    return Lower(name) if name in MIXED_CASE else F(name)


def _message_id(text: str) -> str:
    return text if text.startswith("<") else f"<{text}>"


# What comes near, where nothing fits: a letter too many, too few, another one.
_NEAR = """
SELECT id FROM {table} WHERE %(text)s <%% {column} ORDER BY %(text)s <<-> {column}, id LIMIT %(limit)s
"""


def _near(text: str) -> Iterator[Group]:
    for kind, title, model, column in (
        ("mailboxes", _("Mailboxes"), Mailbox, "address"),
        ("domains", _("Domains"), Domain, "name"),
        ("customers", _("Customers"), Customer, "lower(name)"),
    ):
        table = model._meta.db_table  # noqa: SLF001 (Django's documented way to a model's table)
        ids = _ids(_NEAR.format(table=table, column=column), text)
        rows = sorted(model.objects.filter(pk__in=ids), key=lambda row: ids.index(row.pk))
        if model is Mailbox:
            prefetch_related_objects(rows, "domain")
        if rows:
            yield Group(kind, title, rows, is_guess=True)


def _ids(statement: str, text: str) -> list[int]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true),"
                " set_config('pg_trgm.word_similarity_threshold', %s, true)",
                [f"{TIMEOUT_MS}ms", str(SIMILAR)],
            )
            cursor.execute(statement, {"text": text, "limit": SHOWN})
            return [number for (number,) in cursor.fetchall()]
    except OperationalError:  # it took too long: too much comes near
        return []


def _asked(ask: Callable[[], QuerySet[Any]]) -> list[Any]:
    """The first ones; none where finding them takes too long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{TIMEOUT_MS}ms"])
            return list(ask()[:SHOWN])
    except OperationalError:
        return []
