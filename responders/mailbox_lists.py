"""Lists of mailboxes: which ones, in which order, from where on. A page never counts what it skips (keyset)."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Contains
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Mailbox
from responders.models import NumberedCase, Responder, ResponderType

MAX_WORDS = 200
FEW = 1_000  # mailboxes
FEW_RESPONDERS = 5_000
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)

STATES: dict[str, str | Promise] = {
    "": _("All"), "answering": _("Answering now"), "coming": _("To start"), "open-end": _("Without an end"),
    "none": _("No autoresponder"), "closed": _("Receives no mail"),
}  # fmt: skip
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


def wanted_rows(mailboxes: QuerySet[Mailbox], wanted: Wanted, now: datetime) -> QuerySet[Mailbox]:
    """Those rows, in their order, after the last one that was shown."""
    rows = _with_words(mailboxes, wanted.words) if wanted.words else mailboxes
    if wanted.state:
        rows = _in_state(rows, wanted.state, now)
    return _after(rows, wanted.order, wanted.after)


def _after(rows: QuerySet[Mailbox], order: str, after: str) -> QuerySet[Mailbox]:
    """In the order, from behind the last one shown: each of them begins where an index does."""
    if order in ("newest", "oldest"):
        seen = int(after) if NUMBER.fullmatch(after) else None
        behind = Q() if seen is None else Q(pk__lt=seen) if order == "newest" else Q(pk__gt=seen)
        return rows.filter(behind).order_by("-pk" if order == "newest" else "pk")
    if order == "domain":
        name = after.rpartition("@")[2]
        behind = Q(domain_id__gte=name) & ~Q(domain_id=name, address__lte=after) if after else Q()
        return rows.filter(behind).order_by("domain_id", "address")
    return rows.filter(Q(address__gt=after) if after else Q()).order_by("address")


def _with_words(rows: QuerySet[Mailbox], words: str) -> QuerySet[Mailbox]:
    """Those whose address or name holds the words, or that gave a case this number.

    What is rare is looked up first, in the indexes of parts of words. What is frequent is not: a page of it is found
    soon by whoever reads in order.
    """
    named = Q(Contains(F("address"), words.lower())) | Q(Contains(Lower("name"), words.lower()))
    few = list(rows.filter(named).order_by().values_list("pk", flat=True)[: FEW + 1])
    cases = NumberedCase.objects.filter(number=words).values_list("mailbox", flat=True)[:FEW]
    if len(few) > FEW:
        return rows.filter(named)
    return rows.filter(pk__in={*few, *cases})


def next_after(row: Mailbox, wanted: Wanted) -> str:
    """From where the next page begins."""
    return str(row.pk) if wanted.order in ("newest", "oldest") else str(row.address)


def _in_state(rows: QuerySet[Mailbox], state: str, now: datetime) -> QuerySet[Mailbox]:
    """Those with a responder that does so now. Where there are few such responders, an index names them at once;
    where there are many, whoever reads the mailboxes in order soon has a page.
    """
    if state == "closed":
        return rows.filter(is_active=False)
    if state == "none":
        return rows.filter(~Exists(Responder.objects.filter(mailbox=OuterRef("pk"))))
    theirs = Responder.objects.filter(_does(state, now))
    few = list(theirs.order_by().values_list("mailbox", flat=True)[: FEW_RESPONDERS + 1])
    if len(few) > FEW_RESPONDERS:
        return rows.filter(Exists(theirs.filter(mailbox=OuterRef("pk"))))
    return rows.filter(pk__in=few)


def _does(state: str, now: datetime) -> Q:
    """Asked as the indexes `responder_on_from` and `responder_on_until` are made."""
    if state == "coming":
        return Q(is_enabled=True, from_utc__gt=now)
    begun = Q(from_utc=None) | Q(from_utc__lte=now)
    if state == "open-end":
        return Q(begun, is_enabled=True, type="absence", to_utc=None)
    return Q(begun, Q(to_utc=None) | Q(to_utc__gt=now), is_enabled=True, type__in=ResponderType.values)
