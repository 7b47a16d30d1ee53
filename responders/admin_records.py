"""Django admin: what is written down beside responders, to look at."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mailboxes.models import AppPassword, SendingStop
from mailboxes.panel_admin import ReadOnlyAdmin
from responders.models import (
    BatchItem,
    CalendarFeed,
    CaseMessage,
    CaseSeries,
    ChangeNotice,
    Draft,
    HelpVote,
    HookSign,
    Notice,
    NumberedCase,
)
from responders.services import database_now

LATEST = 50_000  # cases
SILENT_AFTER = timedelta(minutes=5)


class IsHeard(admin.SimpleListFilter):
    """Hosts whose hook gives a sign of life twice a minute, and those whose hook does not."""

    title = _("heard of within five minutes")
    parameter_name = "heard"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[HookSign]) -> QuerySet[HookSign]:
        limit = database_now() - SILENT_AFTER
        return {"yes": queryset.filter(at__gte=limit), "no": queryset.filter(at__lt=limit)}.get(
            self.value() or "", queryset
        )


class CaseOpened(admin.SimpleListFilter):
    """By the age of the conversation. No index is kept for it: among the latest ones alone."""

    title = _("opened (of the latest 50,000)")
    parameter_name = "opened"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("Past day")), ("7", _("Past week")), ("31", _("Past month"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CaseMessage]) -> QuerySet[CaseMessage]:
        if self.value() not in {"1", "7", "31"}:
            return queryset
        latest = NumberedCase.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        since = database_now() - timedelta(days=int(self.value() or 0))
        return queryset.filter(case_id__gt=latest - LATEST, case__opened_at__gte=since)


@admin.register(AppPassword)
class AppPasswordAdmin(ReadOnlyAdmin):
    """Passwords of mail programs; what could open anything is not shown."""

    list_display = ("mailbox", "name", "created_at")
    list_filter = ("mailbox__is_active",)
    list_select_related = ("mailbox",)
    search_fields = ("mailbox__address", "name")
    search_help_text = _("An address, or a name of the latest 5,000 passwords")
    date_hierarchy = "created_at"
    fields = ("mailbox", "name", "created_at")


@admin.register(SendingStop)
class SendingStopAdmin(ReadOnlyAdmin):
    """Mailboxes whose mail programs sent to as many recipients as they may."""

    list_display = ("mailbox", "recipients", "hours", "stopped_at", "last_at", "told_at")
    list_filter = (("told_at", EmptyFieldListFilter),)
    list_select_related = ("mailbox",)
    search_fields = ("mailbox__address",)
    date_hierarchy = "last_at"


@admin.register(CaseSeries)
class CaseSeriesAdmin(ReadOnlyAdmin):
    """How far the numbers of conversations have come."""

    list_display = ("mailbox", "head", "last")
    list_filter = ("mailbox__is_active",)
    list_select_related = ("mailbox",)
    search_fields = ("mailbox__address",)


@admin.register(CaseMessage)
class CaseMessageAdmin(ReadOnlyAdmin):
    """By which messages a conversation is recognised."""

    list_display = ("case", "message_id")
    list_filter = (CaseOpened,)
    list_select_related = ("case",)
    search_fields = ("=message_id", "=case__number")


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """What owners were told of by mail."""

    list_display = ("sent_at", "kind", "responder", "about")
    list_filter = ("kind",)
    list_select_related = ("responder",)
    search_fields = ("responder__mailbox__address",)
    date_hierarchy = "sent_at"


@admin.register(ChangeNotice)
class ChangeNoticeAdmin(ReadOnlyAdmin):
    """That owners were told of what staff changed for them."""

    list_display = ("sent_at", "event")
    list_select_related = ("event",)
    search_fields = ("event__mailbox__address",)
    date_hierarchy = "sent_at"


@admin.register(CalendarFeed)
class CalendarFeedAdmin(ReadOnlyAdmin):
    """Who reads absences in a calendar program. The secret is not shown."""

    list_display = ("user",)
    list_filter = ("user__is_active",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user",)


@admin.register(HelpVote)
class HelpVoteAdmin(ReadOnlyAdmin):
    """Whether articles of the help were of use."""

    list_display = ("at", "slug", "is_helpful", "comment", "user")
    list_filter = ("is_helpful",)
    list_select_related = ("user",)
    search_fields = ("=slug", "user__email")
    date_hierarchy = "at"


@admin.register(BatchItem)
class BatchItemAdmin(ReadOnlyAdmin):
    """What changes of many mailboxes do to each."""

    list_display = ("batch", "number", "address", "state", "note")
    list_filter = ("state", "batch__kind")
    list_select_related = ("batch",)
    search_fields = ("mailbox__address",)


@admin.register(HookSign)
class HookSignAdmin(ReadOnlyAdmin):
    """When each host's delivery hook was last heard of."""

    list_display = ("host", "at", "oldest_copy")
    list_filter = (IsHeard,)
    search_fields = ("=host",)
    date_hierarchy = "at"


@admin.register(Draft)
class DraftAdmin(ReadOnlyAdmin):
    """Who is writing something. What they write is theirs alone."""

    list_display = ("changed_at", "began_at", "user", "mailbox")
    list_select_related = ("user", "mailbox")
    search_fields = ("user__email",)
    fields = ("user", "mailbox", "responder", "began_at", "changed_at")
    date_hierarchy = "changed_at"
