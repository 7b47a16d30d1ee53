"""Form fields for what forms of Django do not know: wall-clock times, and lists typed as text."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms

from responders.core.schedule import YEARS

_SEPARATORS = re.compile(r"[,;\n]")


class LocalDateTimeField(forms.DateTimeField):
    """A wall-clock time: naive in, naive out, whatever zone is active."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:
        if not value or isinstance(value, datetime):
            return value or None
        try:
            local = datetime.fromisoformat(value.strip()).replace(tzinfo=None)
        except ValueError:
            local = None
        if local is None or local.year not in YEARS:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return local

    def prepare_value(self, value: Any) -> Any:
        return value


class ListField(forms.CharField):
    """Several words or addresses with commas, semicolons or line ends between them; a tuple once cleaned."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return tuple(item for piece in _SEPARATORS.split(text) if (item := " ".join(piece.split())))

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
