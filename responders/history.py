"""The history of a responder as a person reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes import countries
from responders import sentences
from responders.core.rendering import for_reading
from responders.models import AudienceChoices, CaseFormChoices, HoursModeChoices, ResponderEvent, ResponderType

LABELS: dict[str, str | Promise] = {
    "type": gettext_lazy("type"),
    "is_enabled": gettext_lazy("on"),
    "from_date": gettext_lazy("start"),
    "to_date": gettext_lazy("end"),
    "time_zone": gettext_lazy("time zone"),
    "holiday_country": gettext_lazy("public holidays of"),
    "subject": gettext_lazy("subject"),
    "text_body": gettext_lazy("text"),
    "html_body": gettext_lazy("formatted text"),
    "interval_days": gettext_lazy("answer the same sender again after (days)"),
    "answers_once": gettext_lazy("answer each sender only once"),
    "language": gettext_lazy("language of the text"),
    "texts": gettext_lazy("further texts"),
    "audience": gettext_lazy("who gets a reply"),
    "addresses": gettext_lazy("only for mail to"),
    "words": gettext_lazy("only with one of these words"),
    "words_in_body": gettext_lazy("look for the words in the text, too"),
    "word_forms": gettext_lazy("find other forms of the words, too"),
    "senders": gettext_lazy("only from these addresses or domains"),
    "deputy_name": gettext_lazy("deputy's name"),
    "deputy_address": gettext_lazy("deputy's address"),
    "deputy_gets_copy": gettext_lazy("the deputy gets a copy of each message"),
    "gives_case_numbers": gettext_lazy("each conversation gets a number"),
    "case_form": gettext_lazy("form of the number"),
    "case_prefix": gettext_lazy("before the number"),
    "hours_mode": gettext_lazy("when it answers"),
    "office_days": gettext_lazy("office days"),
    "office_opens": gettext_lazy("office opens"),
    "office_closes": gettext_lazy("office closes"),
    "holidays_are_off": gettext_lazy("closed on public holidays"),
    "position": gettext_lazy("position"),
    "notify_started": gettext_lazy("notice when it starts"),
    "notify_ending": gettext_lazy("notice the evening before the end"),
    "notify_ended": gettext_lazy("notice when it ends"),
    "notify_still_on": gettext_lazy("notice every two weeks without an end"),
    "answered_groups": gettext_lazy("group addresses that are answered"),
    "delegates": gettext_lazy("who else looks after it"),
}

# What a person looks for in one that is gone; all of it is kept, for whoever takes the deletion back.
_OF_A_DELETED = ("type", "from_date", "to_date", "time_zone", "subject", "text_body", "texts", "language")

_CHOICES: dict[str, list[tuple[str, Any]]] = {
    "type": ResponderType.choices,
    "audience": AudienceChoices.choices,
    "case_form": CaseFormChoices.choices,
    "hours_mode": HoursModeChoices.choices,
}


@dataclass(frozen=True)
class Change:
    """One changed field of an event, before and after."""

    field: str | Promise
    before: str
    after: str


def subject(event: ResponderEvent) -> str:
    """The subject of the event's responder; of a deleted one as the event kept it."""
    if event.responder:
        return event.responder.title
    return for_reading(str(next(iter(event.changes.get("subject", [])), "")))


def changes(event: ResponderEvent) -> list[Change]:
    """What the event changed, in words; of a deleted responder, what it was."""
    return [
        Change(LABELS[name], _in_words(name, _at_a_glance(event, name, before)), _in_words(name, after))
        for name, (before, after) in sorted(event.changes.items(), key=lambda item: list(LABELS).index(item[0]))
        if _is_worth_reading(event, name)
    ]


def _at_a_glance(event: ResponderEvent, name: str, value: Any) -> Any:
    """Of a deleted one … for what is filled in: nobody compares two versions of it."""
    is_text = event.kind == ResponderEvent.Kind.DELETED and name in {"subject", "text_body"}
    return for_reading(value) if is_text and value else value


def _is_worth_reading(event: ResponderEvent, name: str) -> bool:
    changed = event.changes
    if event.kind != ResponderEvent.Kind.DELETED:
        return name != "html_body" or "text_body" not in changed  # the same words, with marks
    if name == "time_zone":
        return any(changed.get(edge, [None])[0] for edge in ("from_date", "to_date"))
    return name in _OF_A_DELETED and changed[name][0] not in (None, "", [])


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value in (None, "", []):
        return "–"
    if name in _WORDS:
        return _WORDS[name](value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(dict(_CHOICES.get(name, ())).get(value, value))


def _time_in_words(value: str) -> str:
    return sentences.long_time(datetime.fromisoformat(value))


def _minutes(value: str) -> str:
    return value[:5]


def _texts_in_words(value: list[dict[str, Any]]) -> str:
    return "\n\n".join(_text_in_words(text) for text in value)


def _text_in_words(text: dict[str, Any]) -> str:
    whose = _("for colleagues") if text["for_colleagues"] else _("for everyone")
    return f"{sentences.language_name(text['language'])}, {whose}: {text['subject']}\n{text['text_body']}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "from_date": _time_in_words,
    "to_date": _time_in_words,
    "texts": _texts_in_words,
    "office_days": sentences.days_of_week,
    "office_opens": _minutes,
    "office_closes": _minutes,
    "time_zone": sentences.zone_name,
    "language": sentences.language_name,
    "holiday_country": countries.name_of,
    "position": lambda place: str(place + 1),
}
