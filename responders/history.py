"""The history of a responder as a person reads it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from responders import services
from responders.models import ResponderEvent, ResponderType

LABELS: dict[str, str | Promise] = {
    "type": gettext_lazy("type"),
    "is_enabled": gettext_lazy("on"),
    "from_date": gettext_lazy("start"),
    "to_date": gettext_lazy("end"),
    "time_zone": gettext_lazy("time zone"),
    "subject": gettext_lazy("subject"),
    "text_body": gettext_lazy("text"),
    "html_body": gettext_lazy("formatted text"),
    "interval_days": gettext_lazy("answer the same sender again after (days)"),
    "position": gettext_lazy("position"),
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
        return event.responder.subject
    return str(next(iter(event.changes.get("subject", [])), ""))


def changes(event: ResponderEvent) -> list[Change]:
    """What the event changed, in words."""
    in_order = sorted(event.changes.items(), key=lambda item: list(LABELS).index(item[0]))
    return [Change(LABELS[name], _in_words(name, before), _in_words(name, after)) for name, (before, after) in in_order]


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value in (None, ""):
        return "–"
    if name in {"from_date", "to_date"}:
        return services.long_time(datetime.fromisoformat(value))
    if name == "type" and value in ResponderType.values:
        return str(ResponderType(value).label)
    return str(value)
