"""Django admin: what is known of domains in the DNS, to look at; changed on its page, and by the clock."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mailboxes.domain_dns import sentences
from mailboxes.domain_dns.records import State
from mailboxes.models import DkimKey, DomainClaim, DomainHealth, DomainRecord, DomainRecordChange
from mailboxes.panel_admin import ReadOnlyAdmin


class StateFilter(admin.SimpleListFilter):
    """By the states that there are, without asking every row for its own."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(state.value, sentences.STATES[state]) for state in State]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(DkimKey)
class DkimKeyAdmin(ReadOnlyAdmin):
    """Keys that sign: they are made and deleted on the domain's page. Private halves are not shown."""

    list_display = ("domain", "selector", "algorithm", "signs_since", "retired_at", "seen_at", "created_at")
    list_filter = ("algorithm", ("signs_since", EmptyFieldListFilter), ("retired_at", EmptyFieldListFilter))
    date_hierarchy = "created_at"
    search_fields = ("domain__name", "selector")
    fields = (
        "domain", "selector", "algorithm", "public_key", "created_at", "checked_at", "seen_at", "signs_since",
        "retired_at",
    )  # fmt: skip


@admin.register(DomainClaim)
class DomainClaimAdmin(ReadOnlyAdmin):
    """Domains that wait for the proof that they are the customer's."""

    list_display = ("name", "customer", "created_by", "created_at", "asked_at", "disputed_at")
    list_filter = (("disputed_at", EmptyFieldListFilter),)
    list_select_related = ("customer", "created_by")
    search_fields = ("name", "customer__name", "customer__number")
    date_hierarchy = "created_at"
    fields = ("name", "customer", "created_by", "created_at", "asked_at", "disputed_at")


@admin.register(DomainHealth)
class DomainHealthAdmin(ReadOnlyAdmin):
    """When the DNS of a domain was looked at, and since when something in it is broken."""

    list_display = ("domain", "checked_at", "broken_since", "silent_since", "next_check_at")
    list_filter = (("broken_since", EmptyFieldListFilter), ("silent_since", EmptyFieldListFilter))
    list_select_related = ("domain",)
    search_fields = ("domain__name",)
    date_hierarchy = "checked_at"


@admin.register(DomainRecord)
class DomainRecordAdmin(ReadOnlyAdmin):
    """What is known of each thing that must stand in the DNS of a domain."""

    list_display = ("health", "item", "last_state", "state", "reason", "since", "broke_at")
    list_filter = (StateFilter, ("broke_at", EmptyFieldListFilter))
    list_select_related = ("health__domain",)
    search_fields = ("health__domain__name", "=item")
    ordering = ("-pk",)
    date_hierarchy = "since"


@admin.register(DomainRecordChange)
class DomainRecordChangeAdmin(ReadOnlyAdmin):
    """The history of it."""

    list_display = ("at", "health", "item", "state", "reason")
    list_filter = (StateFilter,)
    list_select_related = ("health__domain",)
    search_fields = ("health__domain__name", "=item")
    date_hierarchy = "at"
