"""Which notices an owner gets, and the link in them that ends an autoresponder."""

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailboxes.models import Mailbox
from responders import sentences, services
from responders.notices import responder_of
from responders.views import visible_mailbox


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
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("mailbox", mailbox.pk)
    return render(request, "responders/notices.html", {"form": form, "mailbox": mailbox})


@require_http_methods(["GET", "HEAD", "POST"])
def responder_end(request: HttpRequest, token: str) -> HttpResponse:
    """The link of a notice: opening it (a scanner may) changes nothing, the button ends the autoresponder."""
    row = responder_of(token)
    if row is None:
        raise Http404
    now = services.database_now()
    if request.method == "POST":
        row = services.switch(row, on=False, actor=None, now=now)
    context = {"responder": row, "sentence": sentences.state_sentence(row, now), "is_over": not row.is_enabled}
    return render(request, "responders/end.html", context)
