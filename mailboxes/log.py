"""The administration's log: what people changed of customers, domains, mailboxes, aliases and people.

The database refuses to change or delete its rows (`responders/migrations/0025_log_stays.py`).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

SHOWN = 20
CHARACTERS = 200  # of one value


def log_of(row: Model) -> list[LogEntry]:
    """What was done to a customer, domain, mailbox or alias itself, the latest first."""
    kind = ContentType.objects.get_for_model(row)
    found = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk))
    return list(found.select_related("user").order_by("-action_time")[:SHOWN])


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
    return " ".join(str(value).split())[:CHARACTERS] if value not in (None, "") else "–"


def _of_rows(formsets: Iterable[Any]) -> Iterator[str]:
    """Such as the targets of an alias."""
    for formset in formsets:
        yield from (f"+ {row}" for row in formset.new_objects)
        yield from (f"{row}: {', '.join(names)}" for row, names in formset.changed_objects)
        yield from (f"− {row}" for row in formset.deleted_objects)
