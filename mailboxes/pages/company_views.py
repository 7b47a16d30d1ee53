"""A customer's own administrator: that company's mailboxes and their owners, nobody else's."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from mailboxes import access, passwords, services
from mailboxes.linking import own_sign_ins
from mailboxes.log import by, log_of
from mailboxes.models import Mailbox
from mailboxes.pages.company_forms import MailboxForm, NewMailboxForm


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sensitive_variables("password")
def mailbox_new(request: HttpRequest) -> HttpResponse:
    """Make a mailbox in a domain of the company; its owner's first password is shown once."""
    if not access.may_add_mailboxes(request.user):
        raise Http404
    form = NewMailboxForm(request.POST or None, domains=access.domains_managed_by(request.user))
    if request.method != "POST" or not form.is_valid():
        return render(request, "mailboxes/new.html", {"form": form}, status=422 if form.errors else 200)
    password = passwords.by_chance()
    values = {name: form.cleaned_data[name] for name in ("name", "language")}
    try:
        mailbox = services.add_mailbox(form.address, password=password, actor=by(request), **values)
    except services.MailboxesError as error:  # the domain is full, or somebody was faster
        form.add_error("local_part", str(error))
        return render(request, "mailboxes/new.html", {"form": form}, status=422)
    return _shown_once(request, mailbox, password)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sensitive_variables("password")
def mailbox_settings(request: HttpRequest, pk: int) -> HttpResponse:
    """Name, language, whether it receives mail; POST `give_password` makes the owner a new one, `own_sign_in` parts it
    from the owner's other mailboxes, `end_succession` and `let_in` take back what was done for somebody who left.
    """
    mailbox = get_object_or_404(
        access.mailboxes_managed_by(request.user).select_related("owner", "successor", "domain"), pk=pk
    )
    may_give = access.may_make_sign_in(request.user, mailbox)
    if "give_password" in request.POST:
        if not may_give:
            raise PermissionDenied
        password = services.give_password(mailbox, now=timezone.now(), actor=by(request))
        return _shown_once(request, mailbox, password)
    may_part = access.may_part(request.user, mailbox)
    if "own_sign_in" in request.POST:
        return _part(request, mailbox, allowed=may_part)
    may_let_in = mailbox.owner is not None and access.may_let_in(request.user, mailbox.owner)
    if "end_succession" in request.POST or ("let_in" in request.POST and may_let_in):
        _let_back(request, mailbox)
        return redirect("mailbox_settings", mailbox.pk)
    is_support = access.is_support(request.user)
    form = MailboxForm(request.POST or None, instance=mailbox, sets_limits=is_support)
    if request.method == "POST" and form.is_valid():
        stored = Mailbox.objects.get(pk=mailbox.pk)
        try:
            services.change_mailbox(stored, actor=by(request), **form.cleaned_data)
        except services.NoSpace as error:
            form.add_error("quota_mb", str(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("mailbox", mailbox.pk)
    context = {
        "form": form, "mailbox": mailbox, "may_give": may_give, "may_let_in": may_let_in, "is_support": is_support,
        "may_part": may_part, "log": log_of(mailbox),
        "links": access.links_to_end(request.user).filter(mailbox=mailbox).select_related("user"),
    }  # fmt: skip
    return render(request, "mailboxes/settings.html", context, status=422 if form.errors else 200)


def _part(request: HttpRequest, mailbox: Mailbox, *, allowed: bool) -> HttpResponse:
    """A sign-in of its own, whose password is shown once."""
    if not allowed:
        raise PermissionDenied
    try:
        password = own_sign_ins.part_by_chance(mailbox, now=timezone.now(), actor=by(request))
    except services.MailboxesError as error:
        messages.error(request, str(error))
        return redirect("mailbox_settings", mailbox.pk)
    return _shown_once(request, mailbox, password)


def _let_back(request: HttpRequest, mailbox: Mailbox) -> None:
    """Somebody who left is back: mail stays here, or the owner may sign in."""
    if "let_in" in request.POST:
        services.set_sign_in(mailbox, allowed=True, actor=by(request))
    else:
        services.set_successor(mailbox, None, None, actor=by(request))
    messages.success(request, _("Saved."))


def _shown_once(request: HttpRequest, mailbox: Mailbox, password: str) -> HttpResponse:
    response = render(request, "mailboxes/password.html", {"mailbox": mailbox, "password": password})
    response["Cache-Control"] = "no-store"
    return response
