"""Django admin for customers and domains."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import EmptyFieldListFilter
from django.contrib.auth.models import Group
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailboxes import customers, hosting, services
from mailboxes.deletion import deleted_domains
from mailboxes.models import Customer, Domain, User
from mailboxes.panel_admin import PanelAdmin, asks_first, here


class HasPeople(admin.SimpleListFilter):
    """Whether anybody is in a group, or at a customer: what nobody looks after is worth a look."""

    title = _("people")
    parameter_name = "people"
    links: dict[type[Model], tuple[type[Model], str]] = {
        Group: (User.groups.through, "group"), Customer: (Customer.administrators.through, "customer"),
    }  # fmt: skip

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Has some")), ("no", _("Has nobody"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in {"yes", "no"}:
            return queryset
        through, column = self.links[queryset.model]
        some = Exists(through._default_manager.filter(**{column: OuterRef("pk")}))  # noqa: SLF001 (Django's name of it)
        return queryset.filter(some if self.value() == "yes" else ~some)


class DeletedWithContents(PanelAdmin):
    """Customers and domains: deleted with what is in them, to be taken back for days, then removed piece by piece."""

    goes_with_it: Any = ""

    def bring_back(self, request: HttpRequest, row: Any) -> None:
        """Raises MailboxesError."""
        raise NotImplementedError

    def end(self, request: HttpRequest, row: Any) -> bool:
        """Let it go for good; whether there was anything to do."""
        raise NotImplementedError

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was deleted is brought back first."""
        return super().has_change_permission(request, obj) and (obj is None or obj.deleted_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The same."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.deleted_at is None)

    def has_restore_permission(self, request: HttpRequest) -> bool:
        """Who brings back: who deletes."""
        return self.has_delete_permission(request)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Without the names of what goes with it: of a domain there may be a hundred thousand."""
        told = [str(row) for row in objs]
        return [*told, self.goes_with_it], {self.opts.verbose_name_plural: len(told)}, set(), []

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """The services do."""

    @admin.action(description=_("Bring back what was deleted"), permissions=["restore"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """As before it was deleted."""
        for row in queryset.filter(deleted_at__isnull=False):
            try:
                self.bring_back(request, row)
            except services.MailboxesError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, _("%(row)s is back, as it was.") % {"row": row})

    @admin.action(description=_("Delete for good"), permissions=["purge"])
    @asks_first(
        _("What was deleted before goes for ever, with every mailbox, alias, autoresponder and key in it; others stay."
          " It is removed piece by piece, from the next hour on. The mail itself lies on until `mailbox orphans`"
          " removes it.")
    )  # fmt: skip
    def purge(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Before MAILBOX_GRACE_DAYS are over."""
        for row in queryset.filter(deleted_at__isnull=False):
            if self.end(request, row):
                self.message_user(request, _("%(row)s is being removed for good.") % {"row": row})


@admin.register(Customer)
class CustomerAdmin(DeletedWithContents):
    """Customers."""

    list_display = ("name", "number", "deleted_at", "created_at")
    list_filter = (HasPeople, ("deleted_at", EmptyFieldListFilter))
    date_hierarchy = "created_at"
    search_fields = ("name", "number")
    autocomplete_fields = ("administrators",)
    readonly_fields = ("deleted_at", "is_going")
    actions = ("suspend", "resume", "restore", "purge")
    goes_with_it = _("all domains of each, with their mailboxes and aliases")

    def delete_model(self, request: HttpRequest, obj: Customer) -> None:
        customers.delete_customer(obj, now=timezone.now(), actor=here(request))

    def bring_back(self, request: HttpRequest, row: Customer) -> None:
        customers.restore_customer(row, actor=here(request))

    def end(self, request: HttpRequest, row: Customer) -> bool:
        return customers.end_customer(row, actor=here(request))

    @admin.action(description=_("Suspend all domains"), permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        """Nobody signs in, senders come again later."""
        for row in queryset:
            customers.suspend(row, now=timezone.now(), actor=here(request))
        self.message_user(request, _("Suspended: nobody signs in, and senders are asked to come again later."))

    @admin.action(description=_("End the suspension of all domains"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        """Whoever suspended them."""
        for row in queryset:
            customers.resume(row, actor=here(request))
        self.message_user(request, _("As before they were suspended."))


class SuspensionAdmin(PanelAdmin):
    """Actions that domains and mailboxes have in common."""

    actions: tuple[str, ...] = ("suspend", "resume")

    @admin.action(description=_("Suspend"), permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Nobody signs in, senders come again later."""
        for row in queryset.exclude(deleted_at__isnull=False):
            hosting.suspend(row, now=timezone.now(), actor=here(request))
        self.message_user(request, _("Suspended: nobody signs in, and senders are asked to come again later."))

    @admin.action(description=_("End the suspension"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """As before."""
        for row in queryset:
            hosting.resume(row, actor=here(request))
        self.message_user(request, _("The suspension is over: it is as it was before."))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Whoever is suspended or deleted receives mail again by the actions."""
        mine = super().get_readonly_fields(request, obj)
        is_off = obj is not None and (obj.suspended_at is not None or obj.deleted_at is not None)
        return (*mine, "is_active") if is_off else mine


class DomainSpaceForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """Of a domain: what its mailboxes have goes with its limits. It is held until it is saved."""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("customer") is not None:
            try:
                services.hold_customer(values["customer"])
            except services.MailboxesError as error:
                self.add_error("customer", str(error))
        changed = {"quota_mb", "total_quota_mb"} & set(self.changed_data) & values.keys()
        if self.instance.pk and changed:
            problem = hosting.space_problem(self.instance, {name: values[name] for name in changed})
            if problem:
                self.add_error("total_quota_mb" if "total_quota_mb" in changed else "quota_mb", problem)
        return values


@admin.register(Domain)
class DomainAdmin(SuspensionAdmin, DeletedWithContents):
    """Domains."""

    form = DomainSpaceForm
    list_display = ("name", "customer", "is_active", "suspended_at", "deleted_at", "created_at")
    list_filter = ("is_active", ("suspended_at", EmptyFieldListFilter), ("deleted_at", EmptyFieldListFilter))
    actions = (*SuspensionAdmin.actions, "restore", "purge")
    goes_with_it = _("every mailbox and alias in each")
    date_hierarchy = "created_at"
    list_select_related = ("customer",)
    search_fields = ("name", "customer__name", "customer__number")
    autocomplete_fields = ("customer", "catch_all")
    readonly_fields = ("suspended_at", "refuses_from", "deleted_at", "is_going")

    def delete_model(self, request: HttpRequest, obj: Domain) -> None:
        deleted_domains.delete_domain(obj, now=timezone.now(), actor=here(request))

    def bring_back(self, request: HttpRequest, row: Domain) -> None:
        deleted_domains.restore_domain(row, actor=here(request))

    def end(self, request: HttpRequest, row: Domain) -> bool:
        return deleted_domains.end_domain(row, actor=here(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Addresses are made of the name, so it stays."""
        mine = super().get_readonly_fields(request, obj)
        return (*mine, "name") if obj is not None else mine

    def save_model(self, request: HttpRequest, obj: Domain, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "customer" in form.changed_data:
            hosting.part_from_former_company(obj, actor=here(request))
