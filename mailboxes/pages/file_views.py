"""Customers, domains, mailboxes and aliases from a CSV file: what would be made, then all of it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from mailboxes import access
from mailboxes.files import address_files, customer_files, domain_files
from mailboxes.files.file_kinds import Kind, Made
from mailboxes.log import by
from mailboxes.pages.file_forms import FileForm
from mailboxes.services import MailboxesError


@dataclass(frozen=True)
class Page:
    """How a page speaks of its kind; `back` is the page that it came from."""

    title: str
    column: str
    words: str
    back: str
    back_title: str
    larger: str = ""  # where a larger file goes, as a job


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def address_import(request: HttpRequest) -> HttpResponse:
    """Mailboxes and aliases; the passwords of the new mailboxes are shown once."""
    domains = access.domains_managed_by(request.user)
    if not domains.exists():
        raise Http404
    words = _("The first line names the columns: address, name, quota_mb, targets. With targets it is an alias.")
    larger = reverse("batch_new", args=["make"]) if access.may_change_many(request.user) else ""
    page = Page(_("Mailboxes and aliases from a file"), _("Address"), words, "domains", _("Domains"), larger)
    return _shown(request, address_files.kind_for(domains, sets_limits=access.is_support(request.user)), page)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def customer_import(request: HttpRequest) -> HttpResponse:
    """Customers, for administrators of the panel."""
    if not access.may_import_customers(request.user):
        raise Http404
    words = _(
        "The first line names the columns: number, name, max_mailboxes, administrators. max_mailboxes counts in all "
        "domains together; empty: no limit. Administrators are addresses of people who sign in already."
    )
    page = Page(_("Customers from a file"), _("Customer number"), words, "domains", _("Domains"))
    return _shown(request, customer_files.KIND, page)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def domain_import(request: HttpRequest) -> HttpResponse:
    """Domains and whose they are, for administrators of the panel."""
    if not access.may_import_customers(request.user):
        raise Http404
    words = _(
        "The first line names the columns: domain, customer, quota_mb, total_quota_mb, max_mailboxes, "
        "replies_per_hour. customer is the customer's number; empty: nobody's. quota_mb is for each mailbox, "
        "total_quota_mb for all of them together. An empty limit: as the customer's other domains have it; “-”: no "
        "limit."
    )
    page = Page(_("Domains from a file"), _("Domain"), words, "domains", _("Domains"))
    return _shown(request, domain_files.KIND, page)


@sensitive_variables("made")
def _shown(request: HttpRequest, kind: Kind, page: Page) -> HttpResponse:
    form = FileForm(request.POST or None, request.FILES or None, kind=kind, words=page.words)
    context: dict[str, Any] = {"form": form, "page": page, "most": kind.max_rows}
    if request.method == "POST" and form.is_valid():
        planned = kind.plan(form.cleaned_data["lines"])
        if "make" in request.POST and not any(line.problem for line in planned):
            try:
                return _made(request, kind.make(planned, actor=by(request)), page)
            except MailboxesError as error:  # somebody was faster
                form.add_error(None, str(error))
                planned = kind.plan(form.cleaned_data["lines"])
        context |= _preview(kind, planned)
    return _not_kept(render(request, "mailboxes/import.html", context, status=422 if form.errors else 200))


def _preview(kind: Kind, planned: list[Any]) -> dict[str, Any]:
    problems = sum(bool(line.problem) for line in planned)
    return {
        "planned": planned, "problems": problems, "has_problems": bool(problems), "text": kind.as_text(planned),
    }  # fmt: skip


def _made(request: HttpRequest, made: list[Made], page: Page) -> HttpResponse:
    """Passwords are shown on the answer itself, once; without any, going back makes nothing twice."""
    if any(row.password for row in made):
        return _not_kept(render(request, "mailboxes/import.html", {"made": made, "page": page}))
    words = ngettext("%(count)d line of the file: made.", "%(count)d lines of the file: made.", len(made))
    messages.success(request, words % {"count": len(made)})
    return redirect(page.back)


def _not_kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
