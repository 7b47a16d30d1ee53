"""What a person should know about a responder that is good enough to be saved all the same."""

import re
from collections.abc import Iterator
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from responders.core.facts import Audience, Text
from responders.core.hours import HoursMode
from responders.core.matching import folded
from responders.core.rendering import placeholders_used
from responders.core.schedule import State
from responders.models import Responder, ResponderType
from responders.validation import ResponderInput, all_texts, as_input

_BLANK = re.compile(r"\[[^\]\n]{0,40}\]|\bX{3,}\b")
NAMES_OF_THE_END = {"absence.end", "absence.return_date"}
# What a text names → the field that holds it → what to say while that is empty.
_NAMED: list[tuple[set[str], str, str | Promise]] = [
    (NAMES_OF_THE_END, "to_date",
     gettext_lazy("The text names the end of the absence, but no end is set: its place stays empty, "
                  "and it answers until somebody switches it off.")),
    ({"absence.start"}, "from_date",
     gettext_lazy("The text names the start of the absence, but no start is set: its place stays empty.")),
    ({"deputy.name", "deputy.address"}, "deputy_address",
     gettext_lazy("The text names the deputy, but no deputy is set: its place stays empty.")),
    ({"case.number"}, "gives_case_numbers",
     gettext_lazy("The text names the case number, but none is given: its place stays empty.")),
]  # fmt: skip
# What strangers have no business to know, without accents, in Polish and English.
_TELLS_TOO_MUCH = re.compile(
    r"\b(haslo|password|passwort|pin to|kod do|alarm|klucz(e|yk)?|keys? (is|are)|door code"
    r"|nikogo nie ma w domu|dom (jest|stoi) pusty|nobody is (at )?home|house is empty|pesel)\b"
    r"|\b\d{26}\b|\b\d{2}( \d{4}){6}\b|\b\d{11}\b"  # an account, a PESEL
)


def about(row: Responder, now: datetime, stored: Responder | None = None) -> list[str | Promise]:
    """One sentence for each thing to look at, in the active language.

    `row` may be unsaved, then `stored` is what it would replace.
    """
    values = as_input(row)
    used = _used(values)
    ends = _end(row, values, is_named=bool(used & NAMES_OF_THE_END))
    return [*_placeholders(values, used), *_texts(values), *ends, *_rivals(row, stored or row, now)]


def _used(values: ResponderInput) -> frozenset[str]:
    pieces = [piece for text in all_texts(values) for piece in (text.subject, text.text_body, text.html_body)]
    return frozenset[str]().union(*map(placeholders_used, pieces))


def _placeholders(values: ResponderInput, used: frozenset[str]) -> Iterator[str | Promise]:
    yield from (words for names, field, words in _NAMED if used & names and not getattr(values, field))
    if values.gives_case_numbers and "case.number" not in used:
        yield _("The reply gives a number, but no text names it: write {{ case.number }} into the subject.")


def _texts(values: ResponderInput) -> Iterator[str]:
    texts = all_texts(values)
    if any(_BLANK.search(text.text_body) for text in texts):
        yield _("The text has a place that nobody filled in: […] or XXX.")
    if any(text.for_colleagues for text in texts):
        yield _("Colleagues get a text of their own; everyone else, strangers too, gets the first one.")
    if values.audience != Audience.COLLEAGUES and any(map(_tells_too_much, texts)):
        yield _("Everyone who writes reads this text, strangers and spammers too: does it tell them too much?")


def _tells_too_much(text: Text) -> bool:
    return not text.for_colleagues and bool(_TELLS_TOO_MUCH.search(folded(f"{text.subject}\n{text.text_body}")))


def _end(row: Responder, values: ResponderInput, *, is_named: bool) -> Iterator[str]:
    """That it has none; one sentence is enough where the text names it, see `_placeholders`."""
    if values.type != ResponderType.ABSENCE or values.to_date is not None:
        return
    if not is_named:
        yield _("There is no end: it answers until somebody switches it off.")
    if not row.mailbox.notify_still_on:
        yield _("Nobody reminds you of it: the notice every two weeks is switched off for this mailbox.")


def _rivals(row: Responder, stored: Responder, now: datetime) -> Iterator[str]:
    """Which of two wins where both are meant for everybody in the same time."""
    if not row.is_enabled or not _is_for_everything(row):
        return
    others = row.mailbox.responders.filter(is_enabled=True).exclude(pk=stored.pk).order_by("position")
    for other in others:
        if other.state_at(now) == State.ENDED or not _is_for_everything(other) or not _meet(row, other):
            continue
        if stored.pk is None or other.position < stored.position:
            words = _(
                "“%(other)s” answers in that time, too, and comes first: this one waits. "
                "The arrows on the mailbox's page change the order."
            )
        else:
            words = _("“%(other)s” is on in that time, too; this one comes first, so it answers.")
        yield words % {"other": other.title}


def _is_for_everything(row: Responder) -> bool:
    return not (row.words or row.senders or row.addresses) and (
        row.audience == Audience.EVERYONE and row.hours_mode == HoursMode.ALWAYS
    )


def _meet(one: Responder, other: Responder) -> bool:
    """Whether the two windows have a moment in common."""
    return (one.to_utc is None or other.from_utc is None or other.from_utc < one.to_utc) and (
        other.to_utc is None or one.from_utc is None or one.from_utc < other.to_utc
    )
