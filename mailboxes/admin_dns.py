"""Django admin: what is known of domains in the DNS, to look at; changed on its page, and by the clock."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
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


class InWords(ReadOnlyAdmin):
    """Rows of a thing in the DNS and its state, in the words of the domain's page."""

    @admin.display(description=_("what"), ordering="item")
    def item_in_words(self, row: DomainRecord | DomainRecordChange) -> str:
        """As stored where it is of a version that knew other things."""
        kind, _colon, which = row.item.partition(":")
        title = sentences.TITLES.get(kind, kind)
        return f"{title} · {which}" if which else str(title)

    @admin.display(description=_("state"), ordering="state")
    def state_in_words(self, row: DomainRecord | DomainRecordChange) -> str:
        """As stored where it is no state of now."""
        return str(sentences.STATES.get(row.state, row.state))

    @admin.display(description=_("at the last check"), ordering="last_state")
    def last_state_in_words(self, row: DomainRecord) -> str:
        """The same of the last check."""
        return str(sentences.STATES.get(row.last_state, row.last_state))

    @admin.display(description=_("reason"), ordering="reason")
    def reason_in_words(self, row: DomainRecord | DomainRecordChange) -> str:
        """The sentence; as stored where there is none."""
        kind = row.item.partition(":")[0]
        return str(sentences.SENTENCES.get(f"{kind} {row.reason}", row.reason))

    @admin.display(description=_("found in the DNS"))
    def found_in_lines(self, row: DomainRecord | DomainRecordChange) -> str:
        """A record a line; a key is longer than a screen is wide."""
        return format_html_join("", '<div class="whitespace-normal break-all">{}</div>', ([one] for one in row.found))


@admin.register(DomainRecord)
class DomainRecordAdmin(InWords):
    """What is known of each thing that must stand in the DNS of a domain."""

    list_display = (
        "health", "item_in_words", "last_state_in_words", "state_in_words", "reason_in_words", "since", "broke_at",
    )  # fmt: skip
    fields = (
        "health", "item_in_words", "last_state_in_words", "state_in_words", "reason_in_words", "found_in_lines",
        "wanted", "since", "worked", "times_bad", "bad_at", "broke_at", "told_at",
    )  # fmt: skip
    list_filter = (StateFilter, ("broke_at", EmptyFieldListFilter))
    list_select_related = ("health__domain",)
    search_fields = ("health__domain__name", "=item")
    ordering = ("-pk",)
    date_hierarchy = "since"


@admin.register(DomainRecordChange)
class DomainRecordChangeAdmin(InWords):
    """The history of it."""

    list_display = ("at", "health", "item_in_words", "state_in_words", "reason_in_words")
    fields = ("health", "item_in_words", "state_in_words", "reason_in_words", "found_in_lines", "at")
    list_filter = (StateFilter,)
    list_select_related = ("health__domain",)
    search_fields = ("health__domain__name", "=item")
    date_hierarchy = "at"
