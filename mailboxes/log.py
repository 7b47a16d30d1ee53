"""The log: what was changed of customers, domains, mailboxes, aliases and people, by whom, from where, by which door.

The database refuses to change or delete its rows (`responders/migrations/0029_log_of_its_own.py`). What happens to
responders is in their history (`responders.models.ResponderEvent`), with the same marks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from allauth.core.internal import ratelimit
from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q
from django.http import HttpRequest

from mailboxes.models import LogLine, User, Way

SHOWN = 20
CHARACTERS = 200  # of one value
NAME_CHARACTERS = 320  # what the column holds


@dataclass(frozen=True)
class By:
    """Who does it, where staff do it for an owner why, from where (an IP address), and by which door.

    `undoes`: an earlier event of a responder's history that is taken back with it.
    """

    user: User | None
    reason: str = ""
    place: str | None = None
    way: str = Way.PANEL.value
    undoes: Any = None


Actor = By | User | None
COMMAND, IMPORT = By(None, way=Way.COMMAND.value), By(None, way=Way.IMPORT.value)
BY_ITSELF = By(None, way="")  # the clock, or what a task found


def as_by(actor: Actor) -> By:
    """Somebody alone counts as a person at the panel, nobody as the clock."""
    if isinstance(actor, By):
        return actor
    return By(actor) if actor is not None else BY_ITSELF


def by(request: HttpRequest, way: Way = Way.PANEL) -> By:
    """Who is signed in, and from where. Raises PermissionDenied where nobody is."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return By(request.user, place=place(request), way=way.value)


def place(request: HttpRequest) -> str | None:
    """The IP address that a request came from."""
    return ratelimit.get_ip(request) or None


def record(row: Model, words: str, actor: Actor) -> None:
    """A line about a row, under the name that it has now."""
    write(row, words, actor, key=str(row.pk), name=str(row))


def record_each(rows: Iterable[Model], words: str, actor: Actor) -> None:
    """The same line about each of many, in one statement."""
    who = as_by(actor)
    LogLine.objects.bulk_create(
        LogLine(
            model=row._meta.label_lower, key=str(row.pk), name=str(row)[:NAME_CHARACTERS], words=words,  # noqa: SLF001 (Django's documented way to a model's name)
            actor=who.user, place=who.place, way=who.way,
        )
        for row in rows
    )  # fmt: skip


def write(model: type[Model] | Model, words: str, actor: Actor, *, key: str = "", name: str = "") -> None:
    """A line about rows of a kind, where there is not one alone."""
    who = as_by(actor)
    label = model._meta.label_lower  # noqa: SLF001 (Django's documented way to a model's name)
    LogLine.objects.create(
        model=label, key=key, name=name[:NAME_CHARACTERS], words=words, actor=who.user, place=who.place, way=who.way
    )


def log_of(*rows: Model | None) -> list[LogLine]:
    """What was done to customers, domains, mailboxes, aliases or people, the latest first. Of no rows: nothing."""
    wanted = [Q(model=row._meta.label_lower, key=str(row.pk)) for row in rows if row is not None]  # noqa: SLF001 (as above)
    if not wanted:
        return []
    found = LogLine.objects.filter(Q(*wanted, _connector=Q.OR))
    return list(found.select_related("actor").order_by("-id")[:SHOWN])


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """“name: A → B; is_active: True → False”, of the fields that differ; empty where none does."""
    changed = [name for name in after if before[name] != after[name]]
    return "; ".join(f"{name}: {_plain(before[name])} → {_plain(after[name])}" for name in changed)


def changes(form: "forms.ModelForm[Any]", formsets: Iterable[Any]) -> str:
    """Each field that was changed with what it held before and holds now, then the rows that stand below the form."""
    return "; ".join([*(_change(form, name) for name in form.changed_data), *_of_rows(formsets)])


def _change(form: "forms.ModelForm[Any]", name: str) -> str:
    field = form.fields.get(name)
    if field is None:  # so Django's form says that the password is another; neither is for a log
        return name
    return f"{name}: {_shown(field, form.initial.get(name))} → {_shown(field, form.cleaned_data.get(name))}"


def _shown(field: forms.Field, value: Any) -> str:
    if isinstance(field, forms.ModelMultipleChoiceField):
        return ", ".join(sorted(map(str, value or []))) or "–"
    if isinstance(field, forms.ModelChoiceField) and value is not None and not isinstance(value, Model):
        value = field.to_python(value)
    return _plain(value)


def _plain(value: Any) -> str:
    """Without what stands between fields and between before and after: a name makes no change that never was."""
    if value in (None, ""):
        return "–"
    return " ".join(str(value).split()).replace("; ", ", ").replace(" → ", " -> ")[:CHARACTERS]


def _of_rows(formsets: Iterable[Any]) -> Iterator[str]:
    """Such as the targets of an alias."""
    for formset in formsets:
        yield from (f"+ {row}" for row in formset.new_objects)
        yield from (f"{row}: {', '.join(names)}" for row, names in formset.changed_objects)
        yield from (f"− {row}" for row in formset.deleted_objects)
