"""Django admin for people, mailboxes and aliases."""

from http import HTTPStatus
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from mailboxes import (
    addresses,
    admin_dns,  # noqa: F401 (it registers)
    hosting,
    second_factor,
    services,
)
from mailboxes.admin_hosting import HasPeople, SuspensionAdmin
from mailboxes.deletion import deleted_aliases
from mailboxes.linking import links
from mailboxes.models import (
    Alias,
    AliasTarget,
    Delegation,
    DeletedAlias,
    LogLine,
    Mailbox,
    MailboxLink,
    SendingCount,
    User,
)
from mailboxes.panel_admin import PanelAdmin, ReadOnlyAdmin, asks_first, here, of_late

admin.site.index_title = _("Administration")
admin.site.unregister(Group)
# allauth's own lists: a person's address stands on the user, secrets and session keys are for nobody to read.
for model in (EmailAddress, Authenticator, UserSession):
    admin.site.unregister(model)

WRAPPED = "whitespace-normal break-words"  # classes of django-unfold's


RIGHTS = {"view": _("look"), "add": _("add"), "change": _("change it"), "delete": _("delete it")}


def right_in_words(permission: Permission) -> str:
    """Django writes a permission's name into the database, in English: what it is about, and what it lets do."""
    verb = permission.codename.partition("_")[0]
    what = permission.content_type.app_labeled_name.replace(" | ", ": ")
    return f"{what} – {RIGHTS.get(verb, permission.name)}"


class RightsInWords:
    """Rights to choose from, in the reader's language."""

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field, with other words."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        if db_field.related_model is Permission and field is not None:
            field.label_from_instance = right_in_words
        return field


@admin.register(Group)
class GroupAdmin(RightsInWords, DjangoGroupAdmin, PanelAdmin):  # type: ignore[misc]  # one has types, the other none
    """Roles."""

    list_filter = (HasPeople,)


class InGroup(admin.SimpleListFilter):
    """People by role. Django's own filter joins the groups and sorts a million people, to have each of them once."""

    title = _("groups")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        groups = Group.objects.order_by("name").values_list("pk", "name")
        return [*((str(pk), name) for pk, name in groups), ("none", _("No group"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        wanted = self.value() or ""
        memberships = User.groups.through._default_manager.filter(user=OuterRef("pk"))  # noqa: SLF001 (Django's name of it)
        if wanted == "none":
            return queryset.filter(~Exists(memberships))
        return queryset.filter(Exists(memberships.filter(group_id=wanted))) if wanted.isdecimal() else queryset


class EmailUserCreationForm(UserCreationForm):
    """A new user by address."""

    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("email",)


@admin.register(User)
class UserAdmin(RightsInWords, DjangoUserAdmin, PanelAdmin):  # type: ignore[misc,type-arg]  # as above
    """People who sign in."""

    form = UserChangeForm
    add_form = EmailUserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    date_hierarchy = "date_joined"
    list_filter = ("is_active", "is_staff", "is_superuser", InGroup)
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ("groups", "user_permissions")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password", "name", "language")}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)
    actions = ("remove_second_factor",)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Nobody makes a superuser, or gives single permissions, but a superuser: roles are enough for the rest."""
        mine = super().get_readonly_fields(request, obj)
        return mine if request.user.is_superuser else (*mine, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only a superuser changes a superuser: a new password would be a way to become one."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """The same for deleting."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Whoever did something here stays in the log, so the account stays, too: it may be switched off."""
        rows, counts, needed, _lines = super().get_deleted_objects(objs, request)
        named = set(LogLine.objects.filter(actor__in=objs).values_list("actor__email", flat=True))
        words = [
            _("%(person)s stands in the log: take the right to sign in away instead.") % {"person": name}
            for name in sorted(named)
        ]
        # Nobody may delete lines of the log; links go with whom they are of.
        nobodys = {str(model._meta.verbose_name) for model in (LogLine, MailboxLink)}  # noqa: SLF001 (Django's documented way)
        return rows, counts, {str(name) for name in needed} - nobodys, words

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whose sign-in is taken away here gets it back from staff alone."""
        if "is_active" in form.changed_data:
            obj.is_blocked_by_staff = not obj.is_active
        super().save_model(request, obj, form, change)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Whoever knew the old password may have made secrets of their own, to come back: they end."""
        with transaction.atomic():
            answer: HttpResponse = super().user_change_password(request, id, form_url)
            if request.method == "POST" and answer.status_code == HTTPStatus.FOUND:
                for person in User.objects.filter(pk=unquote(id)):
                    services.end_secrets(person, now=timezone.now(), actor=here(request))
        return answer

    @admin.action(description=_("Remove the second factor, and sign out everywhere"), permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For people who lost phone and codes; whoever does it has made sure that it is them."""
        for user in queryset:
            if not self.has_change_permission(request, user):
                continue
            second_factor.remove(user, actor=here(request))
        messages.success(request, _("Removed. At the next sign-in the password is enough; staff set up a new one."))


class AddressForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """Of a mailbox or an alias: the two share no address. That no two of one kind do the model itself says."""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if {"domain", "local_part"} <= values.keys():
            address = addresses.normal_form_or_none(f"{values['local_part']}@{values['domain'].name}")
            if values["domain"].deleted_at is not None:
                self.add_error("domain", gettext("This domain was deleted: bring it back first."))
            other: type[Mailbox | Alias] = Alias if isinstance(self.instance, Mailbox) else Mailbox
            if address and other.objects.filter(address=address).exists():
                self.add_error("local_part", gettext("This address is taken already."))
        return values


class MailboxSpaceForm(AddressForm):
    """Of a mailbox: its domain has that much to give. The domain is held until the mailbox is saved."""

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        changed = not self.instance.pk or {"quota_mb", "domain"} & set(self.changed_data)
        if changed and {"quota_mb", "domain"} <= values.keys():
            problem = services.space_problem(values["domain"].name, values["quota_mb"], pk=self.instance.pk)
            if problem:
                self.add_error("quota_mb", problem)
        return values


class AddressAdmin(PanelAdmin):
    """What mailboxes and aliases have in common."""

    form = AddressForm
    noted: tuple[str, ...] = ()  # by the panel, of one that is there
    search_fields: tuple[str, ...] = ("address",)
    list_filter: tuple[Any, ...] = ("is_active",)
    autocomplete_fields: tuple[str, ...] = ("domain",)
    readonly_fields: tuple[str, ...] = ("address", "created_at")

    def get_fields(self, request: Any, obj: Any = None) -> Any:
        """Without the address before there is one: the database makes it."""
        hidden = set() if obj else {"address", "created_at", *self.noted}
        return [name for name in super().get_fields(request, obj) if name not in hidden]


@admin.register(Mailbox)
class MailboxAdmin(SuspensionAdmin, AddressAdmin):
    """Mailboxes. Deleting one is what it is in the panel: it may be taken back for days."""

    list_display = ("address", "name", "owner", "is_active", "suspended_at", "deleted_at")
    list_filter = (
        "is_active", ("suspended_at", EmptyFieldListFilter), ("deleted_at", EmptyFieldListFilter), "language",
    )  # fmt: skip
    form = MailboxSpaceForm
    noted = ("home", "suspended_at", "refuses_from", "deleted_at", "recipients_of_late")
    readonly_fields = (*AddressAdmin.readonly_fields, *noted)
    date_hierarchy = "created_at"
    actions = (*SuspensionAdmin.actions, "restore", "purge")
    list_select_related = ("owner",)
    search_fields = ("address", "name", "owner__email")
    autocomplete_fields = ("domain", "owner", "successor")
    parts: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (None, ("domain", "local_part", "address", "is_active", "name", "owner")),
        (_("Language and time"), ("language", "time_zone", "holiday_country")),
        (_("Limits"), ("replies_per_hour", "quota_mb", "recipients_per_hour", "recipients_per_day")),
        (_("When the person has left"), ("successor", "successor_from")),
        (_("The owner gets an e-mail"), ("notify_started", "notify_ended", "notify_ending", "notify_still_on")),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Mailbox | None = None) -> Any:
        """In parts; what belongs to none of them comes last."""
        fields = self.get_fields(request, obj)
        parts = [(title, [name for name in names if name in fields]) for title, names in self.parts]
        sorted_in = {name for _title, names in parts for name in names}
        rest = [name for name in fields if name not in sorted_in]
        return [(title, {"fields": names}) for title, names in [*parts, (_("What the panel notes"), rest)] if names]

    def save_model(self, request: HttpRequest, obj: Mailbox, form: Any, change: bool) -> None:
        """Who showed the former owner's password has shown nothing of the new one's."""
        super().save_model(request, obj, form, change)
        if change and "owner" in form.changed_data:
            links.end_of_mailbox(obj, actor=here(request))

    @admin.display(description=_("recipients, by ten minutes"))
    def recipients_of_late(self, row: Mailbox) -> str:
        """To how many its mail programs sent."""
        return of_late(SendingCount.objects.filter(mailbox_id=row.pk), "recipients")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing goes with it while it may be taken back."""
        return [str(row) for row in objs], {_("mailboxes"): len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Mailbox) -> None:
        hosting.delete_mailbox(obj, now=timezone.now(), actor=here(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Mailbox]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """The service does."""

    @admin.action(description=_("Delete for good"), permissions=["purge"])
    @asks_first(
        _("Mailboxes that were deleted before go at once and for ever, with their autoresponders and what is known of"
          " their messages; others stay. The mail itself lies on until `mailbox orphans` removes it.")
    )  # fmt: skip
    def purge(self, request: HttpRequest, queryset: QuerySet[Mailbox]) -> None:
        """Before MAILBOX_GRACE_DAYS are over."""
        now, by = timezone.now(), here(request)
        count = sum(hosting.purge_now(row, now=now, actor=by) for row in queryset.filter(deleted_at__isnull=False))
        words = ngettext("%(count)d mailbox was deleted for good.", "%(count)d mailboxes were deleted for good.", count)
        self.message_user(request, words % {"count": count})

    @admin.action(description=_("Bring back what was deleted"), permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Mailbox]) -> None:
        """As before it was deleted."""
        rows = queryset.filter(deleted_at__isnull=False)
        for row in rows.filter(domain__deleted_at=None):
            hosting.restore_mailbox(row, actor=here(request))
        if rows.filter(domain__deleted_at__isnull=False).exists():
            self.message_user(request, _("Their domain was deleted: bring it back first."), messages.ERROR)
        else:
            self.message_user(request, _("They are back, with their mail."))


class AliasTargetInline(TabularInline):
    """Where an alias leads."""

    model = AliasTarget
    autocomplete_fields = ("mailbox",)
    extra = 1


@admin.register(Delegation)
class DelegationAdmin(PanelAdmin):
    """Who looks after whose autoresponders."""

    list_display = ("mailbox", "user", "created_at", "created_by")
    list_filter = ("user__is_active", ("created_by", EmptyFieldListFilter))
    date_hierarchy = "created_at"
    list_select_related = ("mailbox", "user", "created_by")
    search_fields = ("mailbox__address", "user__email")
    autocomplete_fields = ("mailbox", "user")
    readonly_fields = ("created_by",)


@admin.register(MailboxLink)
class MailboxLinkAdmin(ReadOnlyAdmin):
    """Who opens whose mailbox; ended on the mailbox's settings page or by `mailbox unlink`."""

    list_display = ("mailbox", "user", "made_at", "ended_at", "end")
    list_filter = (("ended_at", EmptyFieldListFilter),)
    list_select_related = ("mailbox", "user")
    search_fields = ("mailbox__address", "user__email")
    date_hierarchy = "made_at"
    fields = ("mailbox", "user", "owner", "with_second_factor", "made_at", "place", "ended_at", "end")


@admin.register(Alias)
class AliasAdmin(AddressAdmin):
    """Aliases with their targets."""

    list_display = ("address", "is_active", "created_at")
    date_hierarchy = "created_at"
    inlines = (AliasTargetInline,)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """It goes to those that may be taken back, with its targets."""
        return [str(row) for row in objs], {_("aliases"): len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Alias) -> None:
        deleted_aliases.delete_alias(obj, now=timezone.now(), actor=here(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Alias]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """The service does."""


@admin.register(DeletedAlias)
class DeletedAliasAdmin(ReadOnlyAdmin):
    """Aliases that may be taken back."""

    list_display = ("address", "leads_to", "deleted_at")
    fields = ("address", "leads_to", "is_active", "created_at", "deleted_at")
    search_fields = ("local_part", "domain__name")
    date_hierarchy = "deleted_at"
    actions = ("restore",)

    def has_restore_permission(self, request: HttpRequest) -> bool:
        """Who may take one back: whoever may make one."""
        return bool(request.user.has_perm("mailboxes.add_alias"))

    @admin.display(description=_("address"))
    def address(self, row: DeletedAlias) -> str:
        return str(row)

    @admin.display(description=_("targets"))
    def leads_to(self, row: DeletedAlias) -> str:
        return ", ".join(row.led_to)

    @admin.action(description=_("Bring back what was deleted"), permissions=["restore"])
    def restore(self, request: HttpRequest, queryset: QuerySet[DeletedAlias]) -> None:
        """As before it was deleted; whose address somebody has now stays where it is, and the page says so."""
        for row in queryset:
            try:
                deleted_aliases.restore_alias(row, actor=here(request))
            except services.MailboxesError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, _("%(alias)s is back, with its targets.") % {"alias": row})


@admin.register(AliasTarget)
class AliasTargetAdmin(PanelAdmin):
    """Targets, to find by mailbox."""

    list_display = ("alias", "mailbox", "outside_address", "is_own_address")
    list_filter = (("mailbox", EmptyFieldListFilter),)
    list_select_related = ("alias", "mailbox")
    search_fields = ("alias__address", "mailbox__address", "outside_address")
    autocomplete_fields = ("alias", "mailbox")


@admin.register(LogLine)
class LogLineAdmin(ReadOnlyAdmin):
    """Who changed what, when, from where."""

    list_display = ("moment", "about", "change", "who")
    fields = ("at", "model", "name", "change", "actor", "place", "way")
    list_filter = ("way",)
    list_select_related = ("actor",)
    search_fields = ("=name", "=actor__email")
    search_help_text = _("A whole address, domain or name, or the address of who did it")
    date_hierarchy = "at"

    @admin.display(description=_("time"), ordering="at")
    def moment(self, row: LogLine) -> str:
        """Day and time of day below each other: one line is too wide beside addresses, and breaks in four."""
        at = timezone.localtime(row.at)
        day, clock = date_format(at, "j E Y"), date_format(at, "H:i:s")
        return format_html('<span class="whitespace-nowrap">{}<br>{}</span>', day, clock)

    def get_sortable_by(self, request: HttpRequest) -> list[str]:
        """The time has an index."""
        return ["moment"]

    @admin.display(description=_("what"))
    def about(self, row: LogLine) -> str:
        return format_html('<span class="{}">{}<br>{}</span>', WRAPPED, row.name or "–", row.kind)

    @admin.display(description=_("change"))
    def change(self, row: LogLine) -> str:
        return format_html('<span class="{}">{}</span>', WRAPPED, row.sentence)

    @admin.display(description=_("by"))
    def who(self, row: LogLine) -> str:
        """A person, or nobody; then from where and by which door."""
        marks = " · ".join(filter(None, [row.place, str(row.get_way_display()) if row.way else ""]))
        return format_html('<span class="{}">{}<br>{}</span>', WRAPPED, row.actor or "–", marks)

    def get_fields(self, request: HttpRequest, obj: LogLine | None = None) -> Any:
        return self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: LogLine | None = None) -> Any:
        return self.fields
