"""What every list and form of the administration has in common.

Tables have millions of rows: no list counts them all, and the links by date ask an index, not every row.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import get_fields_from_path, unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.paginator import Paginator
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F, Max, Min, Model, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Contains, StartsWith
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from mailboxes import log, searching
from mailboxes.models import LogLine, Way

COUNTED = 10_000
FOUND = 250  # of each field; among many more keys PostgreSQL looks for a page by walking through the whole order
LARGE = 100_000  # rows: so many addresses and names are read for a page, more are not
OF_LATE = 5_000  # rows: so many texts are read, where no index knows their words
LINES = 100  # of an object's history on a page
CHOSEN_SHOWN = 20
COUNTS_SHOWN = 36  # of ten minutes each: the latest six hours with any
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
        spans = [{f"{field_name}__gte": begin, f"{field_name}__lt": end} for begin, end in steps]
        held = self._exist(spans, field_name)
        begins = [begin for (begin, _end), is_held in zip(steps, held, strict=True) if is_held]
        return begins if order == "ASC" else begins[::-1]

    def _exist(self, conditions: list[dict[str, Any]], order: str) -> list[bool]:
        """Whether there is a row for each condition; one query. The first row in order is what an index gives; EXISTS
        takes any, and reads the table from its beginning where many are expected.
        """
        parts: list[str] = []
        params: list[Any] = []
        for condition in conditions:
            sql, values = self.filter(**condition).order_by(order).values("pk")[:1].query.sql_with_params()
            parts.append(f"({sql}) IS NOT NULL")
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


def of_late(rows: "QuerySet[Any]", count: str) -> str:
    """Lines of a table of counts, the latest first. Their keys have several columns, which Django's administration
    cannot open: so they stand on the page of what they count for.
    """
    found = rows.order_by("-bucket").values_list("bucket", count)[:COUNTS_SHOWN]
    lines = [(date_format(timezone.localtime(bucket), "SHORT_DATETIME_FORMAT"), number) for bucket, number in found]
    return format_html_join(mark_safe("<br>"), "{}: {}", lines) or "–"


def here(request: HttpRequest) -> log.By:
    """Who does it, in the administration."""
    return log.by(request, Way.ADMINISTRATION)


Act = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


def asks_first(question: Any) -> Callable[[Act], Act]:
    """An action that cannot be taken back: a page names what was chosen, and its button does it."""

    def decorate(act: Act) -> Act:
        @wraps(act)
        def asked(site: "PanelAdmin", request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
            if request.POST.get("confirmed") == "yes":
                return act(site, request, queryset)
            return _question(site, request, queryset, act.__name__, question)

        return asked

    return decorate


def _question(
    site: "PanelAdmin", request: HttpRequest, queryset: QuerySet[Any], action: str, question: Any
) -> HttpResponse:
    count = CountedSoFar(queryset, LINES).count
    context = {
        **site.admin_site.each_context(request), "opts": site.opts, "question": question, "action": action,
        "title": site.get_actions(request)[action][2], "rows": queryset[:CHOSEN_SHOWN], "count": count,
        "more": max(0, count - CHOSEN_SHOWN), "checkbox": ACTION_CHECKBOX_NAME,
        "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME), "across": request.POST.get("select_across", "0"),
    }  # fmt: skip
    return TemplateResponse(request, "admin/confirm_action.html", context)


class InOneDirection(ChangeList):
    """Rows that are alike in the column that was sorted by stand in the same direction by their keys, as in an index:
    against it, all hundred thousand that the clock began in one second would be sorted first.
    """

    def get_ordering_field(self, field_name: Any) -> Any:
        """None for what the list does not offer to sort by, whatever stands in the page's address."""
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """As Django has it, which ends in "-pk"."""
        found = super().get_ordering(request, queryset)
        is_up = len(found) > 1 and not str(found[0]).startswith("-")
        return [*found[:-1], "pk"] if is_up and found[-1] == "-pk" else found


class PanelAdmin(ModelAdmin):
    """Lists that do not count, and a log that says what a field held before."""

    show_full_result_count = False
    paginator = CountedSoFar
    list_per_page = 50

    def get_ordering(self, request: HttpRequest) -> Any:
        """By date where a date was chosen: in another order its rows may stand anywhere, and each row is looked at."""
        if self.date_hierarchy and any(name.startswith(f"{self.date_hierarchy}__") for name in request.GET):
            return (f"-{self.date_hierarchy}", "-pk")
        return super().get_ordering(request)

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> Any:
        """Ours."""
        return InOneDirection

    def get_sortable_by(self, request: HttpRequest) -> list[str]:
        """Columns that an index holds in order: to sort a million rows for a page of a hundred takes seconds."""
        return [name for name in self.get_list_display(request) if name in _indexed(self.model)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """What holds the words; a field with = before its name must be them. Each field has an index of its own, which
        serves only where it is asked alone; of each the first ones count.
        """
        words = " ".join(search_term.replace("\0", " ").split())
        if not words or not self.search_fields:
            return queryset, False
        found = {pk for name in self.search_fields for pk in _found(queryset, str(name), words)}
        return queryset.filter(pk__in=found), False

    def construct_change_message(
        self, request: HttpRequest, form: "forms.ModelForm[Any]", formsets: Any, add: bool = False
    ) -> Any:
        """In words: what each field held before and holds now."""
        return "made" if add else log.changes(form, formsets or []) or "saved as it was"

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Into the panel's own log, as everything else does; not into Django's, which knows no place."""
        log.record(obj, str(message), here(request))

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """The same."""
        log.record(obj, str(message), here(request))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """The same, before they are gone."""
        for row in queryset:
            log.record(row, "deleted", here(request))

    object_history_template = "admin/log_of_object.html"

    def history_view(self, request: Any, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The lines of the log, the latest first."""
        lines = LogLine.objects.filter(model=self.opts.label_lower, key=unquote(object_id)).select_related("actor")
        page = Paginator(lines.order_by("-id"), LINES).get_page(request.GET.get(PAGE_VAR, 1))
        shown = {"action_list": page, "pagination_required": page.paginator.num_pages > 1}
        found: HttpResponse = super().history_view(request, object_id, shown | (extra_context or {}))
        return found

    def has_purge_permission(self, request: HttpRequest) -> bool:
        """Who may delete for good: whoever may delete people."""
        return bool(request.user.has_perm("mailboxes.delete_user"))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Links by date only where nothing else narrows the list: no index knows the days of what a filter left."""
        found = super().get_changelist_instance(request)
        if found.query or any(not name.startswith(f"{self.date_hierarchy}__") for name in found.get_filters_params()):
            found.date_hierarchy = None
        return found

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return _by_index(rows) if self.date_hierarchy else rows


class ReadOnlyAdmin(PanelAdmin):
    """To look at; written by the hook, the services and the clock."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _indexed(model: type[Model]) -> set[str]:
    """Fields that an index begins with. Not those that may be empty or have few values: nearly all rows are alike in
    them, and would have to be sorted by their keys.
    """
    options = model._meta  # noqa: SLF001 (Django's documented way to a model's fields)
    columns = [field for field in options.concrete_fields if not (field.is_relation or field.null or field.choices)]
    begun = {index.fields[0].lstrip("-") for index in options.indexes if index.fields and index.condition is None}
    return {field.name for field in columns if field.unique or getattr(field, "db_index", False) or field.name in begun}


def _found(rows: QuerySet[Any], name: str, words: str) -> list[Any]:
    """Keys of rows whose field holds the words, whatever their case; asked as the indexes are made."""
    if name.startswith("="):
        return _keys(rows.filter(**{name[1:]: words}))
    field, lower = get_fields_from_path(rows.model, name)[-1], words.lower()
    column = F(name) if field.name in LOWER_CASE else Lower(name) if field.name in INDEXED_IN_LOWER_CASE else None
    if column is not None and (_size(field.model) <= LARGE or searching.finds(lower, lambda: _some(field))):
        return _keys(rows.filter(Contains(column, lower)))
    if field.name in LOWER_CASE:
        return _keys(rows.filter(StartsWith(column, lower)))
    return _keys(_of_late(rows).filter(**{f"{name}__icontains": words}))


def _of_late(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The latest ones. From a key on: among chosen keys PostgreSQL would look into every text before it chooses."""
    older = rows.order_by("-pk").values_list("pk", flat=True)[OF_LATE : OF_LATE + 1]
    return rows.filter(pk__gt=older[0]) if older else rows


def _keys(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by().values_list("pk", flat=True)[:FOUND])


def _some(field: Any) -> list[str]:
    """Of the field, as it is searched."""
    lower = field.model._default_manager.annotate(searched=Lower(field.name)).order_by("pk")  # noqa: SLF001 (as above)
    return list(lower.values_list("searched", flat=True)[: searching.SAMPLE])


def _size(model: type[Model]) -> int:
    """How many rows there are, by what PostgreSQL remembers of the last time it counted."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        table = model._meta.db_table  # noqa: SLF001 (as above)
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])


def _by_index(rows: "QuerySet[Model]") -> QuerySet[Any]:
    return ByIndex(model=rows.model, query=rows.query, using=rows.db)
