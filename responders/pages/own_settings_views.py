"""What an owner sets about the mailbox: notices, time zone, group addresses, who else looks after it.

Staff may do it in the owner's place, as everything here: with a reason, a notice to the owner, and a way back.
"""

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailboxes import access
from mailboxes.addresses import display
from mailboxes.models import Mailbox
from mailboxes.pages.forms import DelegateForm, TimeZoneForm
from mailboxes.services import group_targets
from responders import acting
from responders.mailbox_changes import DELEGATES, GROUPS, change, current
from responders.pages.views import visible_mailbox


class NoticesForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """One tick for each kind."""

    class Meta:
        model = Mailbox
        fields = ("notify_started", "notify_ending", "notify_ended", "notify_still_on")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div(*self.fields, Div(Submit("save", _("Save")), css_class="actions mt-3"), css_class="sheet")
        )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def notices(request: HttpRequest, pk: int) -> HttpResponse:
    """Which notices the mailbox gets."""
    mailbox = visible_mailbox(request, pk)
    form = NoticesForm(request.POST or None, instance=mailbox)
    if request.method == "POST" and (first := acting.asks_first(request, mailbox, request.path)) is not None:
        return first
    if request.method == "POST" and form.is_valid():
        change(mailbox, form.cleaned_data, acting.by(request, mailbox))
        messages.success(request, _("Saved."))
        return redirect("mailbox", mailbox.pk)
    return render(request, "responders/notices.html", {"form": form, "mailbox": mailbox})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def time_zone(request: HttpRequest, pk: int) -> HttpResponse:
    """The time zone of a mailbox, of what is written from now on, and whose public holidays are days off."""
    mailbox = visible_mailbox(request, pk)
    if request.method == "POST" and (first := acting.asks_first(request, mailbox, request.path)) is not None:
        return first
    form = TimeZoneForm(request.POST if request.method == "POST" else None, mailbox=mailbox)
    if form.is_valid():
        change(mailbox, form.cleaned_data, acting.by(request, mailbox))
        messages.success(request, _("Saved."))
        return redirect("account") if mailbox.owner_id == request.user.pk else redirect("mailbox", mailbox.pk)
    context = {"form": form, "mailbox": mailbox}
    return render(request, "account/time_zone.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def group_address(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether mail to a group alias is answered for this mailbox: POST `target` and `on` with 1 or 0."""
    mailbox = visible_mailbox(request, pk)
    if request.method != "POST":
        return redirect("mailbox", mailbox.pk)
    targets = {str(target.pk): target.alias.address for target in group_targets(mailbox)}
    address = targets.get(request.POST.get("target", ""))
    if address is None:
        raise Http404
    if (first := acting.asks_first(request, mailbox)) is not None:
        return first
    is_own = request.POST.get("on") == "1"
    others = set(current(mailbox, GROUPS)) - {address}
    change(mailbox, {GROUPS: sorted(others | ({address} if is_own else set()))}, acting.by(request, mailbox))
    sentence = _("Mail to %(address)s is answered now, too.") if is_own else _("Mail to %(address)s is not answered.")
    messages.success(request, sentence % {"address": display(address)})
    return redirect("mailbox", mailbox.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delegations(request: HttpRequest, pk: int) -> HttpResponse:
    """Who looks after the mailbox besides its owner; POST `email` adds a colleague."""
    mailbox = _to_delegate(request, pk)
    if request.method == "POST" and (first := acting.asks_first(request, mailbox, request.path)) is not None:
        return first
    form = DelegateForm(request.POST or None, mailbox=mailbox)
    if request.method == "POST" and form.is_valid():
        person = form.cleaned_data["email"]
        wanted = sorted({*current(mailbox, DELEGATES), person.email})
        change(mailbox, {DELEGATES: wanted}, acting.by(request, mailbox))
        words = {"person": person.get_full_name(), "mailbox": mailbox}
        messages.success(request, _("%(person)s now looks after %(mailbox)s, too.") % words)
        return redirect("delegations", mailbox.pk)
    context = {
        "form": form, "mailbox": mailbox, "delegations": mailbox.delegations.select_related("user"),
        "links": access.links_to_end(request.user).filter(mailbox=mailbox).select_related("user"),
    }  # fmt: skip
    return render(request, "mailboxes/delegations.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def delegation_end(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """POST takes it back. A GET (a sign-in that came in between leads here) shows who there is."""
    mailbox = _to_delegate(request, pk)
    if request.method != "POST":
        return redirect("delegations", mailbox.pk)
    delegation = get_object_or_404(mailbox.delegations.select_related("user"), pk=number)
    if (first := acting.asks_first(request, mailbox)) is not None:
        return first
    wanted = [email for email in current(mailbox, DELEGATES) if email != delegation.user.email]
    change(mailbox, {DELEGATES: wanted}, acting.by(request, mailbox))
    words = {"person": delegation.user.get_full_name(), "mailbox": mailbox}
    messages.success(request, _("%(person)s no longer looks after %(mailbox)s.") % words)
    return redirect("delegations", mailbox.pk)


def _to_delegate(request: HttpRequest, pk: int) -> Mailbox:
    return get_object_or_404(access.mailboxes_to_delegate(request.user).select_related("domain"), pk=pk)
