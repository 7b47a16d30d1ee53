"""Django admin for responders (saved through the services), and read-only views of what the hook wrote."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import INPUT_CLASSES, UnfoldAdminCheckboxSelectMultipleWidget

from mailboxes import addresses, log
from mailboxes.models import Mailbox
from mailboxes.panel_admin import PanelAdmin, ReadOnlyAdmin, asks_first, here, of_late
from responders import admin_records, personal_data, policy, reasons, sentences, services, validation  # noqa: F401 (the first registers what it holds)
from responders.core.facts import Reason
from responders.core.rendering import TemplateProblem, check_template
from responders.fields import LocalDateTimeField
from responders.models import (
    Batch,
    DailyCount,
    Decision,
    DrawnBrake,
    HouseText,
    NumberedCase,
    PolicyVersion,
    PreviousResponse,
    QuarantinedMessage,
    Refusal,
    ReplyCount,
    Responder,
    ResponderEvent,
    StaffNote,
)
from responders.support import refusals

KEYS_TOLD = 100
DAILY_COUNTS = 60  # days by reasons


class ResponderAdminForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """Refuses what the services refuse, beside the field."""

    from_date = LocalDateTimeField(label=capfirst(_("start")), required=False)
    to_date = LocalDateTimeField(label=capfirst(_("end")), required=False)
    office_days = forms.TypedMultipleChoiceField(
        label=capfirst(_("office days")), coerce=int, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office_days"].choices = sentences.days_to_choose()  # type: ignore[attr-defined]
        for name in ("from_date", "to_date"):
            self.fields[name].widget.attrs["class"] = " ".join(INPUT_CLASSES)

    class Meta:
        model = Responder
        fields = (
            "mailbox", "type", "is_enabled", "from_date", "to_date", "time_zone", "subject", "text_body", "html_body",
            "interval_days", "answers_once", "language", "audience", "addresses", "words", "words_in_body",
            "word_forms", "senders", "deputy_name", "deputy_address", "deputy_gets_copy", "gives_case_numbers",
            "case_form", "case_prefix", "hours_mode", "office_days", "office_opens", "office_closes",
            "holidays_are_off",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            try:
                stored = self.instance if self.instance.pk else None
                mailbox = stored.mailbox if stored else values["mailbox"]
                services.check(mailbox, self.as_input(), services.database_now(), stored)
            except validation.ResponderInvalid as invalid:
                for name, texts in invalid.errors.items():
                    self.add_error(name, texts)
        return values

    def _post_clean(self) -> None:
        """Only the fields' own checks: the window's constraints hold for what the services compute."""

    def as_input(self) -> validation.ResponderInput:
        """What was typed here; the further texts stay as they are."""
        typed = {name: value for name, value in self.cleaned_data.items() if name != "mailbox"}
        typed |= {name: tuple(value) for name, value in typed.items() if isinstance(value, list)}
        stored = validation.as_input(self.instance).texts if self.instance.pk else ()
        return validation.ResponderInput(**typed, texts=stored)


@admin.register(Responder)
class ResponderAdmin(PanelAdmin):
    """Responders. Every change goes through the services, so that windows, revisions and history are right."""

    form = ResponderAdminForm
    list_display = ("subject", "mailbox", "type", "is_enabled", "state", "from_date", "to_date")
    list_filter = ("state", "type", "is_enabled")
    list_select_related = ("mailbox",)
    search_fields = ("subject", "mailbox__address")
    ordering = ("-pk",)
    autocomplete_fields = ("mailbox",)
    date_hierarchy = "created_at"

    def get_readonly_fields(self, request: HttpRequest, obj: Responder | None = None) -> tuple[str, ...]:
        return ("mailbox", "replies_of_late") if obj else ()

    @admin.display(description=_("replies of the mailbox, by ten minutes"))
    def replies_of_late(self, row: Responder) -> str:
        """How many the mailbox began."""
        return of_late(ReplyCount.objects.filter(key=f"m{row.mailbox_id}"), "replies")

    def save_model(self, request: Any, obj: Responder, form: ResponderAdminForm, change: bool) -> None:
        mailbox = obj.mailbox if change else form.cleaned_data["mailbox"]
        saved = services.save_responder(
            mailbox, form.as_input(), actor=here(request), now=services.database_now(),
            responder=obj if change else None,
        )  # fmt: skip
        obj.__dict__.update(saved.__dict__)

    actions = ("end_now", "move_on")

    @admin.action(description=_("End now"), permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Responder]) -> None:
        """As the owner's switch does."""
        now, rows = services.database_now(), list(queryset.filter(is_enabled=True))
        for row in rows:
            services.switch(row, on=False, actor=here(request), now=now)
        words = ngettext("%(count)d autoresponder was ended.", "%(count)d autoresponders were ended.", len(rows))
        self.message_user(request, words % {"count": len(rows)})

    @admin.action(description=_("Bring the stored state in step with the clock"), permissions=["change"])
    def move_on(self, request: HttpRequest, queryset: QuerySet[Responder]) -> None:
        """Of the chosen ones, what the worker does every few seconds: replies go by the clock anyway."""
        keys = list(queryset.order_by().values_list("pk", flat=True))
        count = services.bring_in_step(keys, actor=here(request), now=services.database_now())
        words = ngettext("%(count)d state was moved on.", "%(count)d states were moved on.", count)
        self.message_user(request, words % {"count": count})

    def delete_model(self, request: Any, obj: Responder) -> None:
        services.delete_responder(obj, actor=here(request), now=services.database_now())

    def delete_queryset(self, request: Any, queryset: QuerySet[Responder]) -> None:
        for row in queryset:
            self.delete_model(request, row)


LATEST = 50_000  # decisions


class ReasonFilter(admin.SimpleListFilter):
    """By the words that there are, without asking every row for its own. No index is kept for reasons: one that is rare
    is looked for among the latest decisions, or those of a day or of whom was searched for.
    """

    title = _("reason (of the latest 50,000, or of a day)")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(reason.value, reason.value) for reason in Reason]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Decision]) -> QuerySet[Decision]:
        if not self.value():
            return queryset
        rows = queryset.filter(reason=self.value())
        if request.GET.get("q") or "decided_at__day" in request.GET:
            return rows
        latest = Decision.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return rows.filter(pk__gt=latest - LATEST)


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """Why somebody did or did not get a reply."""

    list_display = ("decided_at", "reverse_path", "forward_path", "mailbox", "reason", "evidence")
    list_filter = (ReasonFilter,)
    list_after_template = "admin/decisions_by_day.html"
    list_select_related = ("mailbox",)
    search_fields = ("reverse_path", "message_id", "mailbox__address")
    search_help_text = _("A whole address of a sender or a mailbox, or a whole Message-ID")
    date_hierarchy = "decided_at"
    actions = ("export_senders", "erase_senders", "purge")
    shown = (
        "mailbox", "responder", "decided_at", "reverse_path", "forward_path", "reason", "in_words", "evidence",
        "passed", "message_id", "queue_id",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Decision | None = None) -> Any:
        return self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Decision | None = None) -> Any:
        return self.shown

    @admin.display(description=_("in words"))
    def in_words(self, row: Decision) -> str:
        """As support reads it."""
        return str(reasons.sentence(row.reason))

    @admin.display(description=_("What it passed before"))
    def passed(self, row: Decision) -> str:
        """A sentence a line."""
        return format_html_join(mark_safe("<br>"), "{}", [(words,) for words in reasons.passed(row.misses)]) or "–"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """With how many there were of each reason on the latest days."""
        latest = DailyCount.objects.order_by("-day", "-decisions")[:DAILY_COUNTS]
        return super().changelist_view(request, {"daily_counts": latest} | (extra_context or {}))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Decision], search_term: str
    ) -> tuple[QuerySet[Decision], bool]:
        """What indexes find, among millions."""
        asked = search_term.replace("\0", "").strip()
        if not asked:
            return queryset, False
        mailboxes = list(Mailbox.objects.filter(address=asked.lower()).values_list("pk", flat=True))
        wanted = Q(reverse_path__in={asked, asked.lower()}) | Q(message_id=asked) | Q(mailbox_id__in=mailboxes)
        return queryset.filter(wanted), False

    @admin.action(description=_("What is kept about these senders, as a file (GDPR)"), permissions=["erase"])
    def export_senders(self, request: HttpRequest, queryset: QuerySet[Decision]) -> HttpResponse:
        """One JSON object by address, as `manage.py person export` prints it."""
        senders = sorted(_senders(queryset))
        found = {sender: personal_data.export(sender) for sender in senders}
        return JsonResponse(
            found, json_dumps_params={"indent": 2, "ensure_ascii": False},
            headers={"Content-Disposition": 'attachment; filename="people.json"', "Cache-Control": "no-store"},
        )  # fmt: skip

    @admin.action(description=_("Forget these senders everywhere (GDPR)"), permissions=["erase"])
    @asks_first(
        _("All that is known of the senders of these messages is forgotten for good, in every mailbox: their decisions,"
          " numbered conversations, memory and refusals.")
    )  # fmt: skip
    def erase_senders(self, request: HttpRequest, queryset: QuerySet[Decision]) -> None:
        """Their decisions, numbered conversations, memory and refusals. Whoever does it keeps the request on file."""
        by = here(request)
        count = sum(1 for sender in _senders(queryset) if personal_data.erase(sender, actor=by))
        words = ngettext("%(count)d person was forgotten.", "%(count)d people were forgotten.", count)
        self.message_user(request, words % {"count": count})

    @admin.action(description=_("Delete for good what is older than it is kept"), permissions=["purge"])
    @asks_first(
        _("Of these, decisions that are older than they are kept go at once and for ever; others stay. The clock"
          " deletes them by itself, some days later.")
    )  # fmt: skip
    def purge(self, request: HttpRequest, queryset: QuerySet[Decision]) -> None:
        """After the days were shortened, without waiting for the whole part of the table to be over."""
        over = services.database_now() - timedelta(days=policy.decision_retention_days())
        count = _purged(request, queryset.filter(decided_at__lt=over))
        words = ngettext("%(count)d decision was deleted.", "%(count)d decisions were deleted.", count)
        self.message_user(request, words % {"count": count})

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Administrators: whoever may delete people."""
        return bool(request.user.has_perm("mailboxes.delete_user"))


def _senders(rows: QuerySet[Decision]) -> set[str]:
    """Those that are addresses."""
    found = rows.exclude(reverse_path="").order_by().values_list("reverse_path", flat=True)
    return {sender for sender in found if addresses.normal_form_or_none(sender)}


@transaction.atomic
def _purged(request: HttpRequest, rows: QuerySet[Any]) -> int:
    """Delete them, and let the log tell how many and which, not whose they were."""
    keys = sorted(rows.order_by().values_list("pk", flat=True))
    if keys:
        rows.model.objects.filter(pk__in=keys).delete()
        shown = ", ".join(map(str, keys[:KEYS_TOLD])) + (", …" if len(keys) > KEYS_TOLD else "")
        log.write(rows.model, f"purged: {len(keys)} ({shown})", here(request))
    return len(keys)


@admin.register(DrawnBrake)
class DrawnBrakeAdmin(ReadOnlyAdmin):
    """Where so many replies went out within an hour that the brake was drawn."""

    list_display = ("__str__", "replies_per_hour", "drawn_at", "last_at", "told_at")
    list_filter = ("is_of_domain",)
    list_select_related = ("mailbox",)
    search_fields = ("mailbox__address",)
    date_hierarchy = "last_at"
    readonly_fields = ("replies_of_late",)

    @admin.display(description=_("replies, by ten minutes"))
    def replies_of_late(self, row: DrawnBrake) -> str:
        """How many the mailbox or the domain began."""
        return of_late(ReplyCount.objects.filter(key=row.key), "replies")


@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin):
    """Addresses that refused a reply for good, and get none until it is lifted or over."""

    list_display = ("address", "refused_at", "words")
    search_fields = ("address",)
    date_hierarchy = "refused_at"
    actions = ("lift",)

    @admin.action(description=_("Let replies go there again"), permissions=["lift"])
    @asks_first(_("These addresses refused a reply for good; from now on they may get one again."))
    def lift(self, request: HttpRequest, queryset: QuerySet[Refusal]) -> None:
        by = here(request)
        count = sum(refusals.lift(row.address, actor=by) for row in queryset)
        words = ngettext("%(count)d address gets replies again.", "%(count)d addresses get replies again.", count)
        self.message_user(request, words % {"count": count})

    def has_lift_permission(self, request: HttpRequest) -> bool:
        """Who may delete refusals: an administrator, and staff that was given the right."""
        return bool(request.user.has_perm("responders.delete_refusal"))


@admin.register(NumberedCase)
class NumberedCaseAdmin(ReadOnlyAdmin):
    """Conversations that were given a number."""

    list_display = ("number", "mailbox", "reverse_path", "subject", "opened_at")
    list_select_related = ("mailbox",)
    search_fields = ("=number", "=reverse_path", "mailbox__address")
    date_hierarchy = "opened_at"


class ClaimStateOfLate(admin.SimpleListFilter):
    """Among the latest alone: no index knows the states, for it would cost the hook more than it is worth."""

    title = _("state, of the latest 100,000")
    parameter_name = "state"
    latest = 100_000

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(PreviousResponse.ClaimState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[PreviousResponse]) -> QuerySet[PreviousResponse]:
        if self.value() not in PreviousResponse.ClaimState:
            return queryset
        newest = PreviousResponse.objects.aggregate(pk=Max("pk"))["pk"] or 0
        return queryset.filter(state=self.value(), pk__gt=newest - self.latest)


@admin.register(PreviousResponse)
class PreviousResponseAdmin(ReadOnlyAdmin):
    """Whom a responder remembers."""

    list_display = ("reverse_path_key", "responder", "state", "claimed_at", "replied_at")
    list_filter = (ClaimStateOfLate,)
    list_select_related = ("responder",)
    search_fields = ("=reverse_path_key", "=responder__mailbox__address")
    search_help_text = _("A whole address of a sender or a mailbox")
    date_hierarchy = "claimed_at"
    actions = ("purge",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PreviousResponse], search_term: str
    ) -> tuple[QuerySet[PreviousResponse], bool]:
        """As the memory writes addresses, and as mailboxes are called: what indexes find, among millions."""
        asked = search_term.replace("\0", "").strip()
        if not asked:
            return queryset, False
        plain = addresses.normal_form_or_none(asked) or asked
        keys = {addresses.memory_key(plain), asked} if plain != asked or "@" in asked else {asked}
        theirs = list(Responder.objects.filter(mailbox__address=plain).values_list("pk", flat=True))
        in_memory = queryset.alias(person=Lower("reverse_path_key"))
        of_senders = Q(person__in=[key.lower() for key in keys], reverse_path_key__in=keys)
        return in_memory.filter(of_senders | Q(responder_id__in=theirs)), False

    @admin.action(description=_("Forget that they were answered"), permissions=["purge"])
    @asks_first(_("These senders count as never answered by these autoresponders: their next message gets a reply."))
    def purge(self, request: HttpRequest, queryset: QuerySet[PreviousResponse]) -> None:
        """Of single senders; an owner lets everybody be answered again."""
        count = _purged(request, queryset)
        words = ngettext("%(count)d was forgotten.", "%(count)d were forgotten.", count)
        self.message_user(request, words % {"count": count})


@admin.register(ResponderEvent)
class ResponderEventAdmin(ReadOnlyAdmin):
    """The history."""

    list_display = ("at", "mailbox", "kind", "responder", "actor", "place", "way")
    list_filter = ("kind",)
    list_select_related = ("mailbox", "responder", "actor")
    search_fields = ("mailbox__address", "actor__email")
    date_hierarchy = "at"


@admin.register(QuarantinedMessage)
class QuarantinedMessageAdmin(ReadOnlyAdmin):
    """What the hook failed on."""

    list_display = ("received_at", "reverse_path", "forward_path")
    search_fields = ("reverse_path", "forward_path", "traceback")
    search_help_text = _("Addresses and texts of the latest 5,000 messages")
    date_hierarchy = "received_at"
    exclude = ("content",)
    actions = ("purge",)

    @admin.action(description=_("Delete for good"), permissions=["purge"])
    @asks_first(_("These messages go for ever: `quarantine retry` cannot give them to the hook again."))
    def purge(self, request: HttpRequest, queryset: QuerySet[QuarantinedMessage]) -> None:
        """When the bug is mended, or the message is nobody's business any more."""
        count = _purged(request, queryset)
        words = ngettext("%(count)d message was deleted.", "%(count)d messages were deleted.", count)
        self.message_user(request, words % {"count": count})


@admin.register(PolicyVersion)
class PolicyVersionAdmin(PanelAdmin):
    """Settings that hold from the moment they are saved. Nothing is changed: a new version is added."""

    list_display = (
        "changed_at", "reason", "changed_by", "mailbox_replies_per_hour", "domain_replies_per_hour", "refusal_days",
        "decision_retention_days", "system_senders",
    )  # fmt: skip
    list_select_related = ("changed_by",)
    search_fields = ("reason", "changed_by__email")
    date_hierarchy = "changed_at"
    fields = (
        "mailbox_replies_per_hour", "domain_replies_per_hour", "refusal_days", "decision_retention_days",
        "system_senders", "reason",
    )  # fmt: skip

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What holds now."""
        latest = PolicyVersion.objects.first()
        return {name: getattr(latest, name) for name in self.fields if name != "reason"} if latest else {}

    def save_model(self, request: Any, obj: PolicyVersion, form: Any, change: bool) -> None:
        obj.changed_by = request.user
        obj.save()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HouseTextForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """Refuses what a responder's form refuses."""

    class Meta:
        model = HouseText
        fields = ("language", "title", "type", "subject", "text_body", "position")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name in ("subject", "text_body"):
            try:
                check_template(values.get(name, ""))
            except TemplateProblem as problem:
                self.add_error(name, validation.template_sentence(problem))
        return values


@admin.register(HouseText)
class HouseTextAdmin(PanelAdmin):
    """Texts that owners may start from, before the panel's own."""

    form = HouseTextForm
    list_display = ("title", "language", "type", "position", "subject")
    list_filter = ("language", "type")
    search_fields = ("title", "subject", "text_body")


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    """Changes of many mailboxes; they are made and taken back in the panel."""

    list_display = ("created_at", "kind", "scope", "state", "created_by", "reason")
    list_filter = ("kind", "state")
    list_select_related = ("created_by",)
    search_fields = ("scope", "reason", "created_by__email")
    date_hierarchy = "created_at"


@admin.register(StaffNote)
class StaffNoteAdmin(ReadOnlyAdmin):
    """What staff noted; written in the panel."""

    list_display = ("at", "mailbox", "customer", "author", "text")
    list_select_related = ("mailbox", "customer", "author")
    search_fields = ("text", "mailbox__address", "customer__name", "author__email")
    search_help_text = _("An address, a customer, or words of the latest 5,000 notes")
    date_hierarchy = "at"
