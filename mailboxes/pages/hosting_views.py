"""Domains, aliases, addresses: for a customer's administrator, of that customer's domains; for staff, of all."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Prefetch, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from mailboxes import access, hosting, services, space
from mailboxes.deletion import deleted_aliases
from mailboxes.log import by
from mailboxes.models import Alias, AliasTarget, Customer, Domain, Mailbox
from mailboxes.pages.hosting_forms import AliasForm, AppPasswordForm, DomainForm, RenameForm
from mailboxes.services import AddressTaken, MailboxesError, NoSpace

SHOWN = 100
View = Callable[..., HttpResponse]


def of_domain(view: View) -> View:
    """For whoever manages the domain of that name; for everybody else there is none."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @login_required
    @wraps(view)
    def wrapped(request: HttpRequest, name: str) -> HttpResponse:
        domains = access.domains_managed_by(request.user).select_related("catch_all", "customer")
        return view(request, get_object_or_404(domains, name=name))

    return wrapped


def of_mailbox(view: View) -> View:
    """For whoever manages the mailbox of that number."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @login_required
    @wraps(view)
    def wrapped(request: HttpRequest, pk: int) -> HttpResponse:
        return view(request, get_object_or_404(access.mailboxes_managed_by(request.user), pk=pk))

    return wrapped


@require_http_methods(["GET", "HEAD"])
@login_required
def domain_list(request: HttpRequest) -> HttpResponse:
    """The domains that the person manages, a page of them by name; `after` is where it goes on. `show=deleted`: those
    that may be taken back.
    """
    shows_deleted = request.GET.get("show") == "deleted"
    domains = access.deleted_domains(request.user) if shows_deleted else access.domains_managed_by(request.user)
    may_add = access.may_add_domains(request.user)
    if not may_add and not access.domains_managed_by(request.user).exists():
        raise Http404
    after = request.GET.get("after", "")[:253].replace("\0", "")
    names = list(domains.filter(name__gt=after).order_by("name").values_list("name", flat=True)[: SHOWN + 1])
    # Of the page's domains alone: together with the choice of them every mailbox there is would be counted.
    counted = Count("mailbox", filter=Q(mailbox__deleted_at=None))
    rows = Domain.objects.filter(name__in=names[:SHOWN]).annotate(mailbox_count=counted).order_by("name")
    context = {
        "domains": rows, "after": names[SHOWN - 1] if len(names) > SHOWN else "", "may_add": may_add,
        "may_import": access.may_import_customers(request.user),
        "claims": access.claims_of(request.user).order_by("name")[:SHOWN],
        "shows_deleted": shows_deleted, "may_restore": access.may_delete_domains(request.user),
        "has_deleted": shows_deleted or access.deleted_domains(request.user).exists(),
    }  # fmt: skip
    return render(request, "mailboxes/domains.html", context)


@of_domain
def domain_page(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Aliases, catch-all, what was deleted; for staff limits, and POST `suspend` or `resume`."""
    is_support = access.is_support(request.user)
    if is_support and ("suspend" in request.POST or "resume" in request.POST):
        _suspend_or_resume(request, domain)
        return redirect("domain", domain.name)
    form = DomainForm(request.POST or None, domain=domain, sets_limits=is_support)
    if request.method == "POST" and form.is_valid():
        try:
            hosting.set_domain(domain, actor=by(request), **form.cleaned_data)
        except MailboxesError as error:  # of what changed since the form was checked: somebody may have deleted it
            form.add_error(_limit_of(form) if isinstance(error, NoSpace) else None, str(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("domain", domain.name)
    mailbox_count, allotted = space.counted(domain)
    context = {
        "domain": domain, "form": form, "is_support": is_support,
        "may_delete": access.may_delete_domains(request.user), **_addresses_of(request, domain),
        "space": allotted, "mailbox_count": mailbox_count,
        "deleted": access.deleted_mailboxes(request.user).filter(domain=domain).order_by("-deleted_at")[:SHOWN],
        "aliases_deleted": access.deleted_aliases(request.user).filter(domain=domain)[:SHOWN],
    }  # fmt: skip
    return render(request, "mailboxes/domain.html", context, status=422 if form.errors else 200)


def _limit_of(form: DomainForm) -> str:
    """Which of the two does not go with what its mailboxes have."""
    return "total_quota_mb" if "total_quota_mb" in form.changed_data else "quota_mb"


def _addresses_of(request: HttpRequest, domain: Domain) -> dict[str, Any]:
    """A page of the aliases by address; `after` is where it goes on."""
    after = request.GET.get("after", "")[:320].replace("\0", "")
    rows = Alias.objects.filter(domain=domain, address__gt=after).order_by("address")
    targets = Prefetch("targets", AliasTarget.objects.select_related("mailbox"))
    shown = list(rows.prefetch_related(targets)[: SHOWN + 1])
    return {"aliases": shown[:SHOWN], "after": shown[SHOWN - 1].address if len(shown) > SHOWN else ""}


def _suspend_or_resume(request: HttpRequest, row: Domain | Mailbox) -> None:
    if "suspend" in request.POST:
        try:
            hosting.suspend(row, now=timezone.now(), actor=by(request))
        except MailboxesError as error:  # somebody deleted it a moment ago
            messages.error(request, str(error))
            return
        messages.success(request, _("Suspended: nobody signs in, and senders are asked to come again later."))
    else:
        hosting.resume(row, actor=by(request))
        off = _("The suspension is over. It was switched off before, and still is.")
        messages.success(request, _("It receives mail again.") if row.is_active else off)


@of_domain
def alias_new(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Make an alias in the domain."""
    form = AliasForm(request.POST or None, domain=domain, sees_all=access.is_support(request.user))
    if request.method == "POST" and form.is_valid():
        try:
            alias = services.add_alias(form.cleaned_data["local_part"], form.cleaned_data["targets"], actor=by(request))
        except MailboxesError as error:  # of what changed since the form was checked
            form.add_error("local_part" if isinstance(error, AddressTaken) else "targets", str(error))
        else:
            messages.success(request, _("%(alias)s was made.") % {"alias": alias})
            return redirect("domain", domain.name)
    context = {"form": form, "domain": domain}
    return render(request, "mailboxes/alias.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def alias_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Where an alias leads; POST `delete` deletes it."""
    alias = get_object_or_404(access.aliases_managed_by(request.user).select_related("domain"), pk=pk)
    if "delete" in request.POST:
        deleted_aliases.delete_alias(alias, now=timezone.now(), actor=by(request))
        say_deleted(request, alias, reverse("alias_restore", args=[alias.pk]))
        return redirect("domain", alias.domain_id)
    stored = {"targets": "\n".join(services.targets_of(alias)), "is_active": alias.is_active}
    sees_all = access.is_support(request.user)
    form = AliasForm(request.POST or None, domain=alias.domain, alias=alias, sees_all=sees_all, initial=stored)
    if request.method == "POST" and form.is_valid():
        try:
            services.set_targets(alias, form.cleaned_data["targets"], actor=by(request))
        except MailboxesError as error:  # of what changed since the form was checked
            form.add_error("targets", str(error))
        else:
            services.change_alias(alias, is_active=form.cleaned_data["is_active"], actor=by(request))
            messages.success(request, _("Saved."))
            return redirect("domain", alias.domain_id)
    context = {"form": form, "domain": alias.domain, "alias": alias, "days": hosting.grace_days()}
    return render(request, "mailboxes/alias.html", context, status=422 if form.errors else 200)


def say_deleted(request: HttpRequest, row: Alias | Mailbox | Domain | Customer, undo: str) -> None:
    """With a button that takes it back: base.html."""
    days = hosting.grace_days()
    words = ngettext(
        "%(row)s was deleted. It can be taken back for %(days)s day.",
        "%(row)s was deleted. It can be taken back for %(days)s days.",
        days,
    )
    messages.success(request, words % {"row": row, "days": days}, extra_tags=undo)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def alias_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """POST takes a deleted alias back. A GET (a sign-in that came in between leads here) shows the domain."""
    row = get_object_or_404(access.deleted_aliases(request.user).select_related("domain"), pk=pk)
    if request.method == "POST":
        try:
            deleted_aliases.restore_alias(row, actor=by(request))
        except MailboxesError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%(alias)s is back, with its targets.") % {"alias": row})
    return redirect("domain", row.domain_id)


@of_mailbox
def mailbox_rename(request: HttpRequest, mailbox: Mailbox) -> HttpResponse:
    """Another address; the old one stays as an alias."""
    form = RenameForm(request.POST or None, mailbox=mailbox)
    if request.method == "POST" and not access.may_rename(request.user, mailbox):
        form.add_error("local_part", _("With this address somebody signs in who opens more than it. Ask our support."))
    if request.method == "POST" and form.is_valid():
        try:
            hosting.rename(mailbox, form.cleaned_data["local_part"], actor=by(request))
        except MailboxesError as error:
            form.add_error("local_part", str(error))
        else:
            messages.success(request, _("The address is %(mailbox)s now.") % {"mailbox": mailbox})
            return redirect("mailbox_settings", mailbox.pk)
    context = {"form": form, "mailbox": mailbox}
    return render(request, "mailboxes/rename.html", context, status=422 if form.errors else 200)


@of_mailbox
def mailbox_delete(request: HttpRequest, mailbox: Mailbox) -> HttpResponse:
    """What deleting means; POST does it."""
    if request.method != "POST":
        return render(request, "mailboxes/delete.html", {"mailbox": mailbox, "days": hosting.grace_days()})
    hosting.delete_mailbox(mailbox, now=timezone.now(), actor=by(request))
    say_deleted(request, mailbox, reverse("mailbox_restore", args=[mailbox.pk]))
    return redirect("domain", mailbox.domain_id)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def mailbox_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """POST takes a deleted mailbox back. A GET (a sign-in that came in between leads here) shows the domain."""
    mailbox = get_object_or_404(access.deleted_mailboxes(request.user), pk=pk)
    if request.method != "POST":
        return redirect("domain", mailbox.domain_id)
    try:
        hosting.restore_mailbox(mailbox, actor=by(request))
    except MailboxesError as error:  # somebody deleted its domain a moment ago
        messages.error(request, str(error))
        return redirect("domains")
    messages.success(request, _("%(mailbox)s is back, with its mail.") % {"mailbox": mailbox})
    return redirect("mailbox_settings", mailbox.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def mailbox_suspend(request: HttpRequest, pk: int) -> HttpResponse:
    """Staff: POST `suspend` or `resume`."""
    if not access.is_support(request.user):
        raise Http404
    mailbox = get_object_or_404(access.mailboxes_managed_by(request.user), pk=pk)
    if request.method == "POST":
        _suspend_or_resume(request, mailbox)
    return redirect("mailbox_settings", mailbox.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]
@sensitive_variables("password")
def app_passwords(request: HttpRequest, pk: int) -> HttpResponse:
    """Passwords of the owner's mail programs. POST makes one, and shows it once; `end` with its number ends one."""
    mailbox = get_object_or_404(access.own_mailboxes(request.user), pk=pk)
    if "end" in request.POST:
        number = request.POST["end"]
        rows = hosting.app_passwords_of(mailbox)
        services.end_app_password(
            get_object_or_404(rows, pk=number if number.isdecimal() and len(number) < 18 else 0), actor=by(request)
        )
        messages.success(request, _("The program that has this password signs in no more."))
        return redirect("app_passwords", mailbox.pk)
    form, password = AppPasswordForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _made, password = hosting.make_app_password(mailbox, form.cleaned_data["name"], actor=by(request))
            form = AppPasswordForm()
        except MailboxesError as error:
            form.add_error("name", str(error))
    context = {
        "form": form, "mailbox": mailbox, "password": password, "rows": hosting.app_passwords_of(mailbox),
        "needs_them": access.has_second_factor(request.user),
    }  # fmt: skip
    response = render(request, "mailboxes/app_passwords.html", context, status=422 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response
