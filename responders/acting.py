"""Staff act for an owner: first a reason, which stands in the history and in the owner's notice."""

import time

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes import access, log
from mailboxes.models import Mailbox, User
from responders.services import By

KEY = "acting"
LASTS = 8 * 3_600  # seconds: a day's work
KEPT = 50  # mailboxes a session remembers


class ReasonForm(forms.Form):
    """Why the owner's autoresponders are to be changed."""

    reason = forms.CharField(
        label=gettext_lazy("Why do you change it?"), max_length=500,
        help_text=gettext_lazy("The owner reads this in a notice, with what was changed, and may undo it for 14 days."),
    )  # fmt: skip

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div("reason", Div(Submit("save", _("Go on")), css_class="actions mt-3"), css_class="sheet")
        )


def person(request: HttpRequest) -> User:
    """Who is signed in. Raises PermissionDenied where nobody is."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def by(request: HttpRequest, mailbox: Mailbox) -> By:
    """Who changes the mailbox's responders, from where, and for staff why."""
    user = person(request)
    reason = reason_given(request, mailbox) if access.acts_for_owner(user, mailbox) else ""
    return By(user, reason, log.place(request))


def reason_given(request: HttpRequest, mailbox: Mailbox) -> str:
    """What was typed for this mailbox in this session; empty after a day's work."""
    reason, at = request.session.get(KEY, {}).get(str(mailbox.pk), ["", 0])
    return str(reason) if at > time.time() - LASTS else ""


def asks_first(request: HttpRequest, mailbox: Mailbox, back_to: str = "") -> HttpResponse | None:
    """The way to the page that asks for the reason, where one is needed and missing."""
    if not access.acts_for_owner(request.user, mailbox) or reason_given(request, mailbox):
        return None
    leads_to = back_to or request.get_full_path()
    if not back_to and request.method not in {"GET", "HEAD"}:
        leads_to = reverse("mailbox", args=[mailbox.pk])
    return redirect(f"{reverse('acting', args=[mailbox.pk])}?{urlencode({'next': leads_to})}")


def ask(request: HttpRequest, mailbox: Mailbox) -> HttpResponse:
    """The page itself."""
    form = ReasonForm(request.POST or None, initial={"reason": reason_given(request, mailbox)})
    leads_to = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(leads_to, None):
        leads_to = reverse("mailbox", args=[mailbox.pk])
    if request.method == "POST" and form.is_valid():
        kept = {**request.session.get(KEY, {}), str(mailbox.pk): [form.cleaned_data["reason"], int(time.time())]}
        request.session[KEY] = dict(list(kept.items())[-KEPT:])
        messages.success(request, _("What you change now is recorded with this reason."))
        return redirect(leads_to)
    context = {"form": form, "mailbox": mailbox}
    return render(request, "responders/acting.html", context, status=422 if form.errors else 200)
