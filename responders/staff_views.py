"""What support staff set and lift: limits of the brake, and refusals of senders' addresses."""

from collections.abc import Callable
from functools import wraps

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from mailboxes import access
from mailboxes.addresses import AddressError
from mailboxes.models import Mailbox
from mailboxes.services import set_limits
from responders import refusals
from responders.models import DrawnBrake
from responders.views import visible_mailbox

SHOWN = 50


class LimitsForm(forms.Form):
    """Replies an hour, of the mailbox and of its whole domain; empty is as usual."""

    mailbox_limit = forms.IntegerField(
        label=gettext_lazy("Of this mailbox"), required=False, min_value=0, max_value=1_000_000,
        help_text=gettext_lazy("Empty: as usual. 0: no limit."),
    )  # fmt: skip
    domain_limit = forms.IntegerField(
        label=gettext_lazy("Of its whole domain"), required=False, min_value=0, max_value=1_000_000
    )

    def __init__(self, *args: object, mailbox: Mailbox, **kwargs: object) -> None:
        kwargs["initial"] = {
            "mailbox_limit": mailbox.replies_per_hour, "domain_limit": mailbox.domain.replies_per_hour,
        }  # fmt: skip
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.helper = FormHelper()
        self.helper.layout = Layout(Div("mailbox_limit", "domain_limit", Submit("save", _("Save")), css_class="sheet"))


def for_staff(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For everybody else there is no such page."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @login_required
    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not access.is_support(request.user):
            raise Http404
        return view(request, *args, **kwargs)

    return wrapped


@for_staff
def limits(request: HttpRequest, pk: int) -> HttpResponse:
    """How many replies an hour a mailbox and its domain may send, and whether the brake is drawn."""
    mailbox = visible_mailbox(request, pk)
    form = LimitsForm(request.POST or None, mailbox=mailbox)
    if request.method == "POST" and form.is_valid():
        set_limits(mailbox, form.cleaned_data["mailbox_limit"], form.cleaned_data["domain_limit"])
        messages.success(request, _("Saved."))
        return redirect("mailbox", mailbox.pk)
    drawn = DrawnBrake.objects.filter(mailbox__domain=mailbox.domain).select_related("mailbox")[:SHOWN]
    context = {"form": form, "mailbox": mailbox, "drawn": drawn}
    return render(request, "responders/limits.html", context, status=422 if form.errors else 200)


@for_staff
def refusal_list(request: HttpRequest) -> HttpResponse:
    """Senders' addresses that refused a reply and get none for a while; POST `address` lifts one."""
    if request.method == "POST":
        address = request.POST.get("address", "")
        try:
            lifted = refusals.lift(address)
        except AddressError:
            lifted = 0
        words = _("%(address)s gets replies again.") if lifted else _("%(address)s is not among them.")
        messages.success(request, words % {"address": address})
        return redirect("refusals")
    wanted = request.GET.get("q", "").replace("\0", "").strip()
    rows = refusals.in_force().filter(address__icontains=wanted)[:SHOWN]
    return render(request, "responders/refusals.html", {"rows": rows, "wanted": wanted})
