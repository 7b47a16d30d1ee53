"""What support staff set and lift: limits of replies and of sending, and refusals of senders' addresses."""

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Fieldset, Layout, Submit
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes import access
from mailboxes.addresses import AddressError
from mailboxes.log import by
from mailboxes.models import MAX_RECIPIENTS, Mailbox, SendingStop
from mailboxes.pages.doors import only_for
from mailboxes.services import set_limits, set_sending_limits
from responders.models import DrawnBrake
from responders.pages.views import visible_mailbox
from responders.support import refusals

SHOWN = 50


class LimitsForm(forms.Form):
    """Replies an hour, of the mailbox and of its whole domain; recipients of its own mail. Empty is as usual."""

    mailbox_limit = forms.IntegerField(
        label=gettext_lazy("Of this mailbox"), required=False, min_value=0, max_value=1_000_000,
        help_text=gettext_lazy("Empty: as usual. 0: no limit."),
    )  # fmt: skip
    domain_limit = forms.IntegerField(
        label=gettext_lazy("Of its whole domain"), required=False, min_value=0, max_value=1_000_000
    )

    recipients_per_hour = forms.IntegerField(
        label=gettext_lazy("Within an hour"), required=False, min_value=0, max_value=MAX_RECIPIENTS,
        help_text=gettext_lazy("Empty: as usual. 0: no limit."),
    )  # fmt: skip
    recipients_per_day = forms.IntegerField(
        label=gettext_lazy("Within a day"), required=False, min_value=0, max_value=MAX_RECIPIENTS
    )

    def __init__(self, *args: object, mailbox: Mailbox, **kwargs: object) -> None:
        kwargs["initial"] = {
            "mailbox_limit": mailbox.replies_per_hour, "domain_limit": mailbox.domain.replies_per_hour,
            "recipients_per_hour": mailbox.recipients_per_hour, "recipients_per_day": mailbox.recipients_per_day,
        }  # fmt: skip
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.helper = FormHelper()
        replies = _part(
            _("Automatic replies an hour"),
            _("The brake: it ends loops with machines that nothing else stops."),
            "mailbox_limit", "domain_limit",
        )  # fmt: skip
        sending = _part(
            _("Recipients of mail that its mail programs send"),
            _("It ends what a thief of the password does. Further recipients are refused for the time being."),
            "recipients_per_hour", "recipients_per_day",
        )  # fmt: skip
        self.helper.layout = Layout(replies, sending, Submit("save", _("Save")))


def _part(title: str, words: str, *fields: str) -> Fieldset:
    return Fieldset(title, HTML(format_html('<p class="muted">{}</p>', words)), *fields, css_class="sheet")


for_staff = only_for(access.is_support)


@for_staff
def limits(request: HttpRequest, pk: int) -> HttpResponse:
    """How much a mailbox (and its domain) may send, as replies and otherwise, and whether that was too little."""
    mailbox = visible_mailbox(request, pk)
    form = LimitsForm(request.POST or None, mailbox=mailbox)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        set_limits(mailbox, wanted["mailbox_limit"], wanted["domain_limit"], actor=by(request))
        hour, day = wanted["recipients_per_hour"], wanted["recipients_per_day"]
        set_sending_limits(mailbox, hour, day, actor=by(request))
        messages.success(request, _("Saved."))
        return redirect("mailbox", mailbox.pk)
    drawn = DrawnBrake.objects.filter(mailbox__domain=mailbox.domain).select_related("mailbox")[:SHOWN]
    stop = SendingStop.objects.filter(mailbox=mailbox).first()
    context = {"form": form, "mailbox": mailbox, "drawn": drawn, "stop": stop}
    return render(request, "responders/limits.html", context, status=422 if form.errors else 200)


@for_staff
def refusal_list(request: HttpRequest) -> HttpResponse:
    """Senders' addresses that refused a reply and get none for a while; POST `address` lifts one."""
    if request.method == "POST":
        address = request.POST.get("address", "")
        try:
            lifted = refusals.lift(address, actor=by(request))
        except AddressError:
            lifted = 0
        words = _("%(address)s gets replies again.") if lifted else _("%(address)s is not among them.")
        messages.success(request, words % {"address": address})
        return redirect("refusals")
    wanted = request.GET.get("q", "").replace("\0", "").strip()
    rows = refusals.in_force().filter(address__contains=wanted.lower())[:SHOWN]
    return render(request, "responders/refusals.html", {"rows": rows, "wanted": wanted})
