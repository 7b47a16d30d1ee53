"""Handing the care of a mailbox's autoresponders to a colleague, and taking it back."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailboxes import access, services
from mailboxes.forms import DelegateForm
from mailboxes.models import Mailbox, User


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delegations(request: HttpRequest, pk: int) -> HttpResponse:
    """Who looks after the mailbox besides its owner; POST `email` adds a colleague."""
    mailbox = _mailbox(request, pk)
    form = DelegateForm(request.POST or None, mailbox=mailbox)
    if request.method == "POST" and form.is_valid():
        person = services.delegate(mailbox, form.cleaned_data["email"], actor=_actor(request)).user
        words = {"person": person.get_full_name(), "mailbox": mailbox}
        messages.success(request, _("%(person)s now looks after %(mailbox)s, too.") % words)
        return redirect("delegations", mailbox.pk)
    context = {"form": form, "mailbox": mailbox, "delegations": mailbox.delegations.select_related("user")}
    return render(request, "mailboxes/delegations.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def delegation_end(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Take it back."""
    mailbox = _mailbox(request, pk)
    delegation = get_object_or_404(mailbox.delegations.select_related("user"), pk=number)
    delegation.delete()
    words = {"person": delegation.user.get_full_name(), "mailbox": mailbox}
    messages.success(request, _("%(person)s no longer looks after %(mailbox)s.") % words)
    return redirect("delegations", mailbox.pk)


def _mailbox(request: HttpRequest, pk: int) -> Mailbox:
    return get_object_or_404(access.mailboxes_to_delegate(request.user).select_related("domain"), pk=pk)


def _actor(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
