"""Staff: a domain or a customer deleted with all that is in it, after a page that says what goes; and taken back."""

from datetime import datetime
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Div, Layout
from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes import access, addresses, customers, hosting
from mailboxes.deletion import deleted_domains
from mailboxes.log import by
from mailboxes.models import Customer, Domain
from mailboxes.pages.doors import only_for
from mailboxes.pages.hosting_views import say_deleted
from mailboxes.services import MailboxesError
from responders.mailbox_lists import answers_at
from responders.models import Responder

SHOWN = 20


class ConfirmForm(forms.Form):
    """The name, typed: a click is not enough to stop a company's mail."""

    name = forms.CharField(max_length=300)

    def __init__(self, *args: Any, label: Any, wanted: str, is_domain: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wanted, self._is_domain = wanted, is_domain
        self.fields["name"].label = label
        self.fields["name"].widget.attrs |= {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        self.helper = FormHelper()
        button = HTML('<button class="btn btn-danger">{{ delete_words }}</button>')
        cancel = HTML('<a class="btn btn-quiet" href="{{ back }}">{{ cancel_words }}</a>')
        self.helper.layout = Layout("name", Div(button, cancel, css_class="actions mt-3"))

    def clean_name(self) -> str:
        """As it is written anywhere: in capitals, in its own letters."""
        typed: str = self.cleaned_data["name"].strip()
        if self._normal(typed) != self._wanted:
            raise forms.ValidationError(gettext("This is another one than the page is about."))
        return typed

    def _normal(self, typed: str) -> str:
        if not self._is_domain:
            return typed
        try:
            return addresses.normalise_domain(typed.rstrip("."))
        except addresses.AddressError:
            return ""


def _goes(domains: QuerySet[Domain], now: datetime) -> dict[str, Any]:
    """What is said on the page: how much of each kind goes."""
    held = deleted_domains.contents(domains)
    answering = Responder.objects.filter(
        answers_at(now), mailbox__is_active=True, mailbox__domain__in=domains.values("name")
    )
    return {"held": held, "answering": answering.count(), "days": hosting.grace_days()}


@only_for(access.may_delete_domains)
def domain_delete(request: HttpRequest, name: str) -> HttpResponse:
    """What goes with the domain; POST with its name deletes it."""
    domain = get_object_or_404(access.domains_managed_by(request.user).select_related("customer"), name=name)
    back, words = reverse("domain", args=[name]), gettext("Delete the domain")
    label = _("To confirm, write the name of the domain")
    form = ConfirmForm(request.POST or None, label=label, wanted=name, is_domain=True)
    if request.method == "POST" and form.is_valid():
        deleted_domains.delete_domain(domain, now=timezone.now(), actor=by(request))
        say_deleted(request, domain, reverse("domain_restore", args=[name]))
        return redirect(f"{reverse('domains')}?show=deleted")
    rows = Domain.objects.filter(pk=domain.pk)
    context = {
        "domain": domain, "form": form, "back": back, "delete_words": words, "cancel_words": gettext("Cancel"),
        **_goes(rows, timezone.now()),
    }  # fmt: skip
    return render(request, "support/domain_delete.html", context, status=422 if form.errors else 200)


@only_for(access.may_delete_domains)
def domain_restore(request: HttpRequest, name: str) -> HttpResponse:
    """POST takes a deleted domain back. A GET (a sign-in that came in between leads here) shows what was deleted."""
    domain = get_object_or_404(access.deleted_domains(request.user), name=name)
    if request.method == "POST":
        try:
            deleted_domains.restore_domain(domain, actor=by(request))
        except MailboxesError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, gettext("%(row)s is back, as it was.") % {"row": domain})
            return redirect("domain", name)
    return redirect(f"{reverse('domains')}?show=deleted")


@only_for(access.may_delete_customers)
def customer_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """What goes with the customer; POST with its number deletes it."""
    customer = get_object_or_404(Customer, pk=pk, deleted_at=None)
    back, words = reverse("support_customer", args=[pk]), gettext("Delete the customer")
    label = _("To confirm, write the number of the customer")
    wanted = customer.number.strip()
    form = ConfirmForm(request.POST or None, label=label, wanted=wanted, is_domain=False)
    if request.method == "POST" and form.is_valid():
        customers.delete_customer(customer, now=timezone.now(), actor=by(request))
        say_deleted(request, customer, reverse("customer_restore", args=[pk]))
        return redirect("support_customer", pk)
    domains = customer.domains.filter(deleted_at=None)
    context = {
        "customer": customer, "form": form, "back": back, "delete_words": words, "cancel_words": gettext("Cancel"),
        "domains": domains.order_by("name")[:SHOWN], "domain_count": domains.count(),
        "people": customer.administrators.count(), **_goes(domains, timezone.now()),
    }  # fmt: skip
    return render(request, "support/customer_delete.html", context, status=422 if form.errors else 200)


@only_for(access.may_delete_customers)
def customer_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """POST takes a deleted customer back. A GET shows it."""
    customer = get_object_or_404(Customer, pk=pk, deleted_at__isnull=False)
    if request.method == "POST":
        try:
            customers.restore_customer(customer, actor=by(request))
        except MailboxesError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, gettext("%(row)s is back, as it was.") % {"row": customer})
    return redirect("support_customer", pk)
