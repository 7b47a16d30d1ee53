"""What people, commands and tasks do to responders.

`now` is always the database's time (`database_now`), read once at the door. Activity itself is never
stored: the hook and Postfix compute it. What is stored as `state` here is a mirror for lists and history.
"""

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import nh3
from babel.dates import format_skeleton, get_timezone_location
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import get_language, gettext_lazy, pgettext
from django.utils.translation import gettext as _

from mailboxes.models import Mailbox, User
from responders.core import schedule
from responders.core.rendering import TemplateProblem, check_template
from responders.core.schedule import State
from responders.models import Responder, ResponderEvent, ResponderType

# Off for longer than this, switching on again begins a new activation: everyone is answered afresh.
QUICK_OFF_AND_ON = timedelta(days=1)
MAX_TEXT_CHARACTERS = 50_000
Kind = ResponderEvent.Kind
Errors = dict[str, list[str]]


class ResponderInvalid(ValueError):
    """What was typed cannot be saved. `errors`: field name → sentences in the active language."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in errors.items()))
        self.errors = errors


class ResponderConflict(RuntimeError):
    """Somebody saved meanwhile. `current` is what is stored now."""

    def __init__(self, current: Responder) -> None:
        super().__init__("the responder was changed meanwhile")
        self.current = current


@dataclass(frozen=True)
class ResponderInput:
    """What a person fills in. Dates are local and naive, in `time_zone`; None leaves that end open."""

    type: str
    is_enabled: bool
    from_date: datetime | None
    to_date: datetime | None
    time_zone: str
    subject: str
    text_body: str
    html_body: str = ""
    interval_days: int = 7


def database_now() -> datetime:
    """The database's clock (UTC): the only one that decides."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT panel_now()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def as_input(responder: Responder) -> ResponderInput:
    """What is stored, as the person typed it."""
    return ResponderInput(**{field.name: getattr(responder, field.name) for field in fields(ResponderInput)})


@transaction.atomic
def save_responder(
    mailbox: Mailbox,
    values: ResponderInput,
    *,
    actor: User | None,
    now: datetime,
    responder: Responder | None = None,
    expected_version: int | None = None,
) -> Responder:
    """Make a responder of the mailbox, or change one, and write the history.

    `expected_version` is what the person saw when they began to edit. Raises ResponderInvalid, ResponderConflict.
    """
    Mailbox.objects.select_for_update().get(pk=mailbox.pk)  # one writer at a time: positions stay unique
    before = None if responder is None else _locked(responder, expected_version)
    values = _tidy(values)
    window = _checked_window(values, before, now)
    row = before or Responder(mailbox=mailbox, position=_next_position(mailbox))
    old = as_input(row) if before else None
    _remember_activation(row, values, window, now)
    if old and (old.subject, old.text_body, old.html_body) != (
        values.subject,
        values.text_body,
        values.html_body,
    ):
        row.text_revision += 1
    for name, value in asdict(values).items():
        setattr(row, name, value)
    row.from_utc, row.to_utc = window.start, window.end
    _mirror(row, now)
    row.version += 1 if before else 0
    row.save()
    _record(row, Kind.EDITED if old else Kind.CREATED, actor=actor, at=now, changes=_changes(old, values))
    return row


def check(values: ResponderInput, now: datetime, responder: Responder | None = None) -> None:
    """Whether `save_responder` would take the values. Raises ResponderInvalid."""
    _checked_window(_tidy(values), responder, now)


@transaction.atomic
def switch(responder: Responder, *, on: bool, actor: User | None, now: datetime) -> Responder:
    """Switch on or off by hand. Nothing happens if it is so already."""
    row = _locked(responder)
    if row.is_enabled == on:
        return row
    _remember_activation(row, None, row.window, now, is_enabled=on)
    row.is_enabled = on
    _mirror(row, now)
    row.version += 1
    row.save()
    _record(row, Kind.SWITCHED_ON if on else Kind.SWITCHED_OFF, actor=actor, at=now)
    return row


@transaction.atomic
def answer_everyone_again(responder: Responder, *, actor: User | None, now: datetime) -> Responder:
    """Begin a new activation: nobody counts as answered any more."""
    row = _locked(responder)
    row.activation += 1
    row.version += 1
    row.save()
    _record(row, Kind.ANSWER_AGAIN, actor=actor, at=now)
    return row


@transaction.atomic
def delete_responder(responder: Responder, *, actor: User | None, now: datetime) -> None:
    """Delete a responder; its texts stay in the history."""
    row = _locked(responder)
    changes = {name: [_plain(value), None] for name, value in asdict(as_input(row)).items()}
    _record(row, Kind.DELETED, actor=actor, at=now, changes=changes)
    row.delete()


@transaction.atomic
def move(responder: Responder, *, up: bool, actor: User | None, now: datetime) -> None:
    """Change places with the neighbour above or below; at the edge nothing happens."""
    Mailbox.objects.select_for_update().get(pk=responder.mailbox_id)
    rows = list(Responder.objects.filter(mailbox=responder.mailbox_id).order_by("position", "pk"))
    place = next((index for index, row in enumerate(rows) if row.pk == responder.pk), None)
    if place is None:
        raise Responder.DoesNotExist
    other = place + (-1 if up else 1)
    if not 0 <= other < len(rows):
        return
    rows[place], rows[other] = rows[other], rows[place]
    for position, row in enumerate(rows):
        Responder.objects.filter(pk=row.pk).update(position=position)
    _record(rows[other], Kind.EDITED, actor=actor, at=now, changes={"position": [place + 1, other + 1]})


# One edge of the window per row and pass. The state is compared in the same statement that sets it, and rows
# that another worker holds are left to it: no transition happens twice.
_APPLY_DUE = """
WITH due AS (
    SELECT id FROM responders_responder
    WHERE next_transition_at <= %(now)s
    ORDER BY next_transition_at, id LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE responders_responder r SET
        state = CASE WHEN r.next_transition_at = r.to_utc THEN 'ended' ELSE 'active' END,
        state_changed_at = r.next_transition_at,
        next_transition_at = CASE WHEN r.next_transition_at = r.to_utc THEN NULL ELSE r.to_utc END
    FROM due
    WHERE r.id = due.id AND r.is_enabled AND r.next_transition_at <= %(now)s AND r.state IN ('scheduled', 'active')
    RETURNING r.id, r.mailbox_id, r.state, r.state_changed_at
)
INSERT INTO responders_responderevent (responder_id, mailbox_id, kind, at, recorded_at, changes)
SELECT id, mailbox_id, CASE state WHEN 'ended' THEN 'ended' ELSE 'started' END, state_changed_at, %(now)s, '{}'
FROM moved ORDER BY state_changed_at, id
"""


def apply_due_transitions(now: datetime, *, batch: int = 1000) -> int:
    """Move every responder whose time has come (scheduled → active → ended), oldest first; return how many moves.

    Each batch is a transaction of its own: killed half-way, it goes on at the next call.
    """
    moves = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_APPLY_DUE, {"now": now, "limit": batch})
            moved = int(cursor.rowcount)
        moves += moved
        if not moved:
            return moves


def state_sentence(responder: Responder, now: datetime) -> str:
    """What the responder does, in one plain sentence of the active language, in the responder's zone."""
    match responder.state_at(now):
        case State.OFF:
            return pgettext("responder", "Off")
        case State.SCHEDULED:
            return _("Starts %(time)s") % {"time": _when(responder.from_date, now, responder.time_zone)}
        case State.ENDED:
            return _("Ended %(time)s") % {"time": _when(responder.to_date, now, responder.time_zone)}
    if responder.to_date is None:
        return _("Answering until switched off")
    return _("Answering until %(time)s") % {"time": _when(responder.to_date, now, responder.time_zone)}


def window_sentence(responder: Responder) -> str:
    """From when to when it answers, in words of the active language and the responder's time."""
    start = responder.from_date and long_time(responder.from_date)
    end = responder.to_date and long_time(responder.to_date)
    if start and end:
        return _("from %(start)s until %(end)s") % {"start": start, "end": end}
    if start:
        return _("from %(start)s until you switch it off") % {"start": start}
    if end:
        return _("until %(end)s") % {"end": end}
    return _("until you switch it off")


def long_time(local: datetime) -> str:
    """“Thu, 24 Dec 2026, 17:00” in the active language."""
    return f"{format_skeleton('yMMMEd', local, locale=_locale())}, {local:%H:%M}"


def zone_name(zone: str) -> str:
    """“Warsaw time”, in the active language; zones that are no city's have their own name."""
    if "/" not in zone or zone.startswith("Etc/"):
        return zone
    return _("%(city)s time") % {"city": get_timezone_location(zone, locale=_locale(), return_city=True)}


def _locale() -> str:
    return "pl" if (get_language() or "en")[:2] == "pl" else "en_GB"


def _when(local: datetime | None, now: datetime, zone: str) -> str:
    """“Mon 7 Dec, 08:00”; with the year where it is not this one."""
    if local is None:
        return ""
    is_this_year = local.year == schedule.to_local(now, zone).year
    day = format_skeleton("MMMEd" if is_this_year else "yMMMEd", local, locale=_locale())
    return f"{day}, {local:%H:%M}"


def _locked(responder: Responder, expected_version: int | None = None) -> Responder:
    row = Responder.objects.select_for_update().get(pk=responder.pk)
    if expected_version is not None and row.version != expected_version:
        raise ResponderConflict(row)
    return row


def _next_position(mailbox: Mailbox) -> int:
    highest: int | None = mailbox.responders.aggregate(highest=Max("position"))["highest"]
    return 0 if highest is None else highest + 1


def _tidy(values: ResponderInput) -> ResponderInput:
    """Without what cannot be stored or shown safely; a standing reply has no dates."""
    is_standing = values.type == ResponderType.STANDING
    tidy = asdict(values) | {
        "subject": " ".join(values.subject.replace("\0", "").split()),
        "text_body": values.text_body.replace("\0", "").replace("\r\n", "\n").strip(),
        "html_body": nh3.clean(values.html_body.replace("\0", "")).strip(),
        "from_date": None if is_standing else _whole_seconds(values.from_date),
        "to_date": None if is_standing else _whole_seconds(values.to_date),
    }
    return ResponderInput(**tidy)


def _whole_seconds(local: datetime | None) -> datetime | None:
    return None if local is None else local.replace(microsecond=0)


def _checked_window(values: ResponderInput, before: Responder | None, now: datetime) -> schedule.Window:
    """The window in UTC. Raises ResponderInvalid with everything that is wrong, not only with the first."""
    errors: Errors = {}
    if values.type not in ResponderType.values:
        errors["type"] = [_("Choose one of the types.")]
    start = _moment("from_date", values.from_date, values.time_zone, errors)
    end = _moment("to_date", values.to_date, values.time_zone, errors)
    if start and end and start >= end:
        errors["to_date"] = [_("The end must be later than the start.")]
    elif end and end <= now and (before is None or before.to_utc != end):
        errors["to_date"] = [_("This end is in the past: nobody would get an answer.")]
    if values.interval_days < 1:
        errors["interval_days"] = [_("At least one day must pass.")]
    _check_texts(values, errors)
    if errors:
        raise ResponderInvalid(errors)
    return schedule.Window(start, end)


def _moment(field: str, local: datetime | None, zone: str, errors: Errors) -> datetime | None:
    if local is None:
        return None
    try:
        return schedule.to_utc(local, zone)
    except schedule.LocalTimeError as error:
        sentence = (
            _("On this day the clock goes forward: this time does not exist. The nearest are %(before)s and %(after)s.")
            if isinstance(error, schedule.SkippedTimeError)
            else _("On this day the clock goes back: this time comes twice. The nearest are %(before)s and %(after)s.")
        )
        errors[field] = [sentence % {"before": f"{error.before:%H:%M}", "after": f"{error.after:%H:%M}"}]
        return None


_TEXT_FIELDS = {
    "subject": gettext_lazy("Write a subject."),
    "text_body": gettext_lazy("Write the text of the reply."),
    "html_body": "",
}


def _check_texts(values: ResponderInput, errors: Errors) -> None:
    for name, missing in _TEXT_FIELDS.items():
        text = getattr(values, name)
        if not text:
            if missing:
                errors[name] = [str(missing)]
            continue
        if len(text) > (500 if name == "subject" else MAX_TEXT_CHARACTERS):
            errors[name] = [_("This text is too long.")]
            continue
        try:
            check_template(text)
        except TemplateProblem as problem:
            errors[name] = [template_sentence(problem)]


_PROBLEMS = {
    "placeholder": gettext_lazy("There is no placeholder “%(name)s” (line %(line)s)."),
    "tag": gettext_lazy("“{%% %(name)s %%}” cannot be used here (line %(line)s)."),
    "filter": gettext_lazy("There is no filter “%(name)s” (line %(line)s)."),
    "unclosed-tag": gettext_lazy("“{%% %(name)s %%}” is not closed: “{%% end%(name)s %%}” is missing."),
    "unclosed-brace": gettext_lazy("A placeholder is not closed: “}}” is missing (line %(line)s)."),
    "too-many": gettext_lazy("There are too many placeholders in this text."),
    "syntax": gettext_lazy("A placeholder is written wrongly (line %(line)s)."),
}


def template_sentence(problem: TemplateProblem) -> str:
    """What is wrong with a text, in the active language."""
    return str(_PROBLEMS[problem.kind]) % {"name": problem.name, "line": problem.line or 1}


def _remember_activation(
    row: Responder,
    values: ResponderInput | None,
    window: schedule.Window,
    now: datetime,
    *,
    is_enabled: bool = True,
) -> None:
    """Count a new activation where a new window begins or a long pause ends; keep when it was switched off."""
    is_enabled = values.is_enabled if values else is_enabled
    was_over = row.pk is not None and row.window.end is not None and row.window.end <= now
    is_over = window.end is not None and window.end <= now
    was_off_long = row.disabled_at is not None and now - row.disabled_at > QUICK_OFF_AND_ON
    if (was_over and not is_over) or (is_enabled and not row.is_enabled and was_off_long):
        row.activation += 1
    if is_enabled:
        row.disabled_at = None
    elif row.is_enabled or row.disabled_at is None:
        row.disabled_at = now


def _mirror(row: Responder, now: datetime) -> None:
    """Set the stored state to what the clock says."""
    state = row.state_at(now)
    if row.state != state:
        row.state, row.state_changed_at = state.value, now
    row.next_transition_at = row.next_transition(now)


def _changes(old: ResponderInput | None, new: ResponderInput) -> dict[str, list[Any]]:
    if old is None:
        return {}
    pairs = {field.name: (getattr(old, field.name), getattr(new, field.name)) for field in fields(ResponderInput)}
    return {name: [_plain(was), _plain(is_now)] for name, (was, is_now) in pairs.items() if was != is_now}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _record(
    row: Responder,
    kind: Kind,
    *,
    actor: User | None,
    at: datetime,
    changes: dict[str, list[Any]] | None = None,
) -> None:
    ResponderEvent.objects.create(
        mailbox_id=row.mailbox_id, responder=row, kind=kind, at=at, actor=actor, changes=changes or {}
    )
