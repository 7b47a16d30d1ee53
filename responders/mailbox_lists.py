"""Lists of mailboxes: which ones, in which order, from where on. A page never counts what it skips (keyset)."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
    prefetch_related_objects,
)
from django.db.models.functions import Lower
from django.db.models.lookups import Contains, GreaterThan, StartsWith
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailboxes import searching
from mailboxes.models import Mailbox
from responders.models import NumberedCase, Responder, ResponderType

MAX_WORDS = 200
FEW = 1_000  # cases
WALKED = 4_000  # mailboxes: so many are looked at one by one in a few milliseconds
COLLECTED = 8_000  # mailboxes: among so many the index's finds are put in order in a few milliseconds
LAST = "\U0010ffff"
ONE_DOMAIN = "one-domain"  # the order by address, where all are of one domain: by the index of that
IN_ORDER = {"": "address", ONE_DOMAIN: "local_part"}  # order → what it goes by, where words stand at its beginning
FEW_RESPONDERS = 5_000
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)

STATES: dict[str, str | Promise] = {
    "": _("All"), "answering": _("Answering now"), "coming": _("To start"), "open-end": _("Without an end"),
    "none": _("No autoresponder"), "closed": _("Receives no mail"),
}  # fmt: skip
DONE_BY_RESPONDERS = ("answering", "coming", "open-end")
ORDERS: dict[str, str | Promise] = {
    "": _("By address"), "domain": _("By domain"), "newest": _("Newest first"), "oldest": _("Oldest first"),
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a person asks of the list; what is not known counts as not asked."""

    words: str = ""
    state: str = ""
    order: str = ""
    after: str = ""

    @classmethod
    def of(cls, asked: dict[str, str]) -> "Wanted":
        """From the address of a page."""
        words, state = asked.get("q", "").replace("\0", "").strip()[:MAX_WORDS], asked.get("state", "")
        order, after = asked.get("order", ""), asked.get("after", "").replace("\0", "")[:320]
        return cls(words, state if state in STATES else "", order if order in ORDERS else "", after)


@dataclass(frozen=True)
class Page:
    """A page of the list. `is_part`: so many hold the words that not all of them were looked at."""

    rows: list[Mailbox]
    has_further: bool
    is_part: bool = False


def wanted_rows(mailboxes: QuerySet[Mailbox], wanted: Wanted, now: datetime) -> QuerySet[Mailbox]:
    """All of those rows, in their order: for a file, which may take its time."""
    if wanted.words:
        mailboxes = mailboxes.filter(_named(wanted.words.lower()) | Q(pk__in=_gave(wanted.words)))
    return _after(_in_state(mailboxes, wanted.state, now), wanted.order, wanted.after)


def page_of(mailboxes: QuerySet[Mailbox], wanted: Wanted, now: datetime, size: int) -> Page:
    """So many rows after the last one that was shown, with their responders."""
    is_part = False
    if wanted.words:
        found, is_part = _searched(mailboxes, _one_by_one(mailboxes, wanted.state, now), wanted, size + 1)
    else:
        found = list(_after(_in_state(mailboxes, wanted.state, now), wanted.order, wanted.after)[: size + 1])
    prefetch_related_objects(found[:size], "responders")
    return Page(found[:size], len(found) > size, is_part)


def _searched(
    mailboxes: QuerySet[Mailbox], rows: QuerySet[Mailbox], wanted: Wanted, enough: int
) -> tuple[list[Mailbox], bool]:
    """Those among the rows that hold the words, and whether there may be more of them.

    What is frequent is soon found by whoever reads in order; what is rare, by the index of parts of words. What is
    frequent and stands together far behind is neither: of it as many count as the index gives soon.
    """
    words = wanted.words.lower()
    key = Case(When(_named(words) | Q(pk__in=_gave(wanted.words)), then=F("pk")))
    looked_at = _after(mailboxes, wanted.order, wanted.after).annotate(key=key)
    walked = list(looked_at.values_list("key", "address")[:WALKED])
    found = _among(rows, [key for key, _address in walked if key], wanted, enough)
    if len(found) >= enough or len(walked) < WALKED:
        return found, False
    is_indexed = searching.finds(words, lambda: [address for _key, address in walked[: searching.SAMPLE]])
    keys, is_part = _by_index(mailboxes, wanted) if is_indexed else ([], True)
    if is_part:
        beginning = _beginning(mailboxes, wanted)
        keys = beginning if len(beginning) == WALKED else keys + beginning
    return _among(rows, keys, wanted, enough), is_part


def _by_index(mailboxes: QuerySet[Mailbox], wanted: Wanted) -> tuple[list[int], bool]:
    """Keys of those that the index finds, and whether there may be more."""
    named = mailboxes.filter(_named(wanted.words.lower())).order_by().values_list("pk")[: COLLECTED + 1]
    keys = [key for (key,) in named.union(_gave(wanted.words), all=True)]
    return keys, len(keys) > COLLECTED


def _beginning(mailboxes: QuerySet[Mailbox], wanted: Wanted) -> list[int]:
    """Keys of the next ones whose address begins with the words; in other orders, of whichever are found first."""
    words, column = wanted.words.lower(), IN_ORDER.get(wanted.order)
    rows = _after(mailboxes, wanted.order, wanted.after)
    if column:  # said once: said as LIKE too, PostgreSQL takes them for few, collects them all and puts them in order
        in_order = rows.filter(**{f"{column}__gte": words, f"{column}__lt": words + LAST})
    else:
        in_order = rows.filter(StartsWith(F("address"), words)).order_by()
    return list(in_order.values_list("pk", flat=True)[:WALKED])


def _among(rows: QuerySet[Mailbox], keys: list[int], wanted: Wanted, enough: int) -> list[Mailbox]:
    if not keys:
        return []
    found = _after(rows.filter(_OneOf("pk", keys)), wanted.order, wanted.after)
    return list(found.order_by(*SORTED[wanted.order])[:enough])


class _OneOf(Func):
    """One of very many keys, which go to PostgreSQL as one text: as many values take longer than the question."""

    arg_joiner, template, output_field = " = ANY(", "(%(expressions)s::bigint[]))", BooleanField()

    def __init__(self, name: str, keys: list[int]) -> None:
        super().__init__(F(name), Value(f"{{{','.join(map(str, keys))}}}"))


class _Row(Func):
    """Columns that are compared one after the other, as an index holds them."""

    function, output_field = "ROW", TextField()


class _Plain(Func):
    """A text that no index holds: PostgreSQL would go through the whole order in search of the keys."""

    template, output_field = "(%(expressions)s || '')", TextField()


SORTED: dict[str, tuple[Any, ...]] = {
    "": (_Plain("address"),), ONE_DOMAIN: (_Plain("local_part"),),
    "domain": (_Plain("domain_id"), _Plain("local_part")), "newest": ((F("pk") + 0).desc(),), "oldest": (F("pk") + 0,),
}  # fmt: skip


def _after(rows: QuerySet[Mailbox], order: str, after: str) -> QuerySet[Mailbox]:
    """In the order, from behind the last one shown: each of them begins where an index does."""
    if order in ("newest", "oldest"):
        seen = int(after) if NUMBER.fullmatch(after) else None
        behind = Q() if seen is None else Q(pk__lt=seen) if order == "newest" else Q(pk__gt=seen)
        return rows.filter(behind).order_by("-pk" if order == "newest" else "pk")
    if order in ("domain", ONE_DOMAIN):
        local_part, _at, domain = after.rpartition("@")
        last = _Row(Value(domain), Value(local_part))
        behind = Q(GreaterThan(_Row("domain_id", "local_part"), last)) if after else Q()
        return rows.filter(behind).order_by("domain_id", "local_part")
    return rows.filter(Q(address__gt=after) if after else Q()).order_by("address")


def _named(words: str) -> Q:
    """Address or name hold the words."""
    return Q(Contains(F("address"), words)) | Q(Contains(Lower("name"), words))


def _gave(number: str) -> QuerySet[NumberedCase, Any]:
    """Keys of mailboxes that gave a case this number."""
    return NumberedCase.objects.filter(number=number).order_by().values_list("mailbox")[:FEW]


def next_after(row: Mailbox, wanted: Wanted) -> str:
    """From where the next page begins."""
    return str(row.pk) if wanted.order in ("newest", "oldest") else str(row.address)


def _in_state(rows: QuerySet[Mailbox], state: str, now: datetime) -> QuerySet[Mailbox]:
    """Those with a responder that does so now. Where there are few such responders, an index names them at once;
    where there are many, whoever reads the mailboxes in order soon has a page.
    """
    if state not in DONE_BY_RESPONDERS:
        return _one_by_one(rows, state, now)
    few = _mailboxes_of(state, now)
    return _one_by_one(rows, state, now) if len(few) > FEW_RESPONDERS else rows.filter(pk__in=few)


def _mailboxes_of(state: str, now: datetime) -> list[int]:
    """Of responders that do so, one more than counts as few. Those without an end apart from those with one: asked for
    in one, PostgreSQL goes through all that have ended or not begun.
    """
    ends = [Q(to_utc=None), Q(to_utc__gt=now)] if state == "answering" else [Q()]
    parts = [
        Responder.objects.filter(_does(state, now), end).order_by().values_list("mailbox", flat=True) for end in ends
    ]
    return list(parts[0].union(*parts[1:], all=True)[: FEW_RESPONDERS + 1])


def _one_by_one(rows: QuerySet[Mailbox], state: str, now: datetime) -> QuerySet[Mailbox]:
    """The same, each mailbox looked at by itself: where it is known which few they are, or a page is soon full."""
    if not state:
        return rows
    if state == "closed":
        return rows.filter(is_active=False)
    if state == "none":
        return rows.filter(~_exists(Responder.objects.all()))
    return rows.filter(_exists(Responder.objects.filter(_does(state, now))))


def _exists(theirs: QuerySet[Responder]) -> Exists:
    """One of them is the mailbox's. By "=" PostgreSQL would rather read both tables side by side, and go through all
    mailboxes that are not asked for; between two bounds it can but look at each mailbox in turn.
    """
    return Exists(theirs.filter(mailbox__gte=OuterRef("pk"), mailbox__lte=OuterRef("pk")))


def _does(state: str, now: datetime) -> Q:
    """Asked as the indexes `responder_on_from` and `responder_on_until` are made."""
    if state == "coming":
        return Q(is_enabled=True, from_utc__gt=now)
    if state == "open-end":
        return Q(_begun(now), is_enabled=True, type="absence", to_utc=None)
    return answers_at(now)


def answers_at(now: datetime) -> Q:
    """Which responders are switched on and within their dates; weekly hours and holidays aside. Asked as above."""
    return Q(_begun(now), Q(to_utc=None) | Q(to_utc__gt=now), is_enabled=True, type__in=ResponderType.values)


def _begun(now: datetime) -> Q:
    return Q(from_utc=None) | Q(from_utc__lte=now)
