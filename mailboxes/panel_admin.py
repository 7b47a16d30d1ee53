"""What every list and form of the administration has in common.

Tables have millions of rows: no list counts them all, and the links by date ask an index, not every row.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import F, Max, Min, Model, Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Contains
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from mailboxes import log

COUNTED = 10_000
FOUND = 1_000
LOWER_CASE = {"address", "email", "outside_address"}
INDEXED_IN_LOWER_CASE = {"name", "number", "subject"}


class CountedSoFar(Paginator):  # type: ignore[type-arg]  # generic for the type checker only
    """Counts up to ten thousand: nobody turns more pages than that, and a table of millions takes seconds."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:COUNTED].count()) if isinstance(rows, QuerySet) else len(rows)


class ByIndex(QuerySet[Any]):
    """Rows whose links by date come from an index: is there a row in this month or day?"""

    def datetimes(self, field_name: str, kind: str, order: str = "ASC", tzinfo: Any = None) -> Any:
        """The beginnings of the years, months or days that hold a row; two queries. In the present time zone."""
        found = self.aggregate(first=Min(field_name), last=Max(field_name))
        if found["first"] is None:
            return []
        zone = tzinfo or timezone.get_current_timezone()
        steps = list(_steps(found["first"].astimezone(zone), found["last"].astimezone(zone), kind))
        held = self._exist([{f"{field_name}__gte": begin, f"{field_name}__lt": end} for begin, end in steps])
        begins = [begin for (begin, _end), is_held in zip(steps, held, strict=True) if is_held]
        return begins if order == "ASC" else begins[::-1]

    def _exist(self, conditions: list[dict[str, Any]]) -> list[bool]:
        """Whether there is a row for each condition; one query."""
        parts: list[str] = []
        params: list[Any] = []
        for condition in conditions:
            sql, values = self.filter(**condition).order_by().values("pk")[:1].query.sql_with_params()
            parts.append(f"EXISTS ({sql})")
            params += values
        with connections[self.db].cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)}", params)
            return [bool(one) for one in cursor.fetchone() or ()]


def _steps(first: datetime, last: datetime, kind: str) -> Iterator[tuple[datetime, datetime]]:
    """Beginning and end of each year, month or day from the one of `first` to that of `last`."""
    begin = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if kind in ("year", "month"):
        begin = begin.replace(day=1, month=1 if kind == "year" else begin.month)
    while begin <= last:
        end = begin + timedelta(days={"year": 366, "month": 31, "day": 1}[kind])
        if kind != "day":
            end = end.replace(day=1, month=1 if kind == "year" else end.month)
        yield begin, end
        begin = end


class PanelAdmin(ModelAdmin):
    """Lists that do not count, and a log that says what a field held before."""

    show_full_result_count = False
    paginator = CountedSoFar
    list_per_page = 50

    def get_sortable_by(self, request: HttpRequest) -> list[str]:
        """Columns that an index holds in order: to sort a million rows for a page of a hundred takes seconds."""
        return [name for name in self.get_list_display(request) if name in _indexed(self.model)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """What holds the words; a field with = before its name must be them. Each field has an index of its own, which
        serves only where it is asked alone; of each the first thousand count.
        """
        words = " ".join(search_term.replace("\0", " ").split())
        if not words or not self.search_fields:
            return queryset, False
        found = {pk for name in self.search_fields for pk in _found(queryset, str(name), words)}
        return queryset.filter(pk__in=found), False

    def construct_change_message(
        self, request: HttpRequest, form: "forms.ModelForm[Any]", formsets: Any, add: bool = False
    ) -> Any:
        if add or not form.changed_data:
            return super().construct_change_message(request, form, formsets, add)
        return log.changes(form, formsets or [])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return _by_index(rows) if self.date_hierarchy else rows


def _indexed(model: type[Model]) -> set[str]:
    """Fields that an index begins with."""
    options = model._meta  # noqa: SLF001 (Django's documented way to a model's fields)
    columns = [field for field in options.concrete_fields if not field.is_relation]
    alone = {field.name for field in columns if field.unique or getattr(field, "db_index", False)}
    return alone | {index.fields[0] for index in options.indexes if index.fields and index.condition is None}


def _found(rows: QuerySet[Any], name: str, words: str) -> list[Any]:
    """Keys of rows whose field holds the words, whatever their case; asked as the indexes are made."""
    column = name.rpartition("__")[2]
    if name.startswith("="):
        wanted = Q(**{name[1:]: words})
    elif column in LOWER_CASE:
        wanted = Q(Contains(F(name), words.lower()))
    elif column in INDEXED_IN_LOWER_CASE:
        wanted = Q(Contains(Lower(name), words.lower()))
    else:
        wanted = Q(**{f"{name}__icontains": words})
    return list(rows.filter(wanted).order_by().values_list("pk", flat=True)[:FOUND])


def _by_index(rows: "QuerySet[Model]") -> QuerySet[Any]:
    return ByIndex(model=rows.model, query=rows.query, using=rows.db)
