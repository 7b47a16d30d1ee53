"""Forms about mailboxes."""

from collections.abc import Callable
from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Mailbox


class MailboxSearchForm(forms.Form):
    """Part of an address or a name, and the address after which the page begins."""

    q = forms.CharField(label=_("Address, name or case number"), required=False, max_length=200)
    after = forms.CharField(required=False, max_length=320, widget=forms.HiddenInput)

    def filter(self, mailboxes: QuerySet[Mailbox], or_those: Callable[[str], Q]) -> QuerySet[Mailbox]:
        """The mailboxes that are asked for, by address or name or by what `or_those` makes of the words."""
        words = self.cleaned_data["q"].strip()
        if words:
            mailboxes = mailboxes.filter(Q(address__icontains=words) | Q(name__icontains=words) | or_those(words))
        if self.cleaned_data["after"]:
            mailboxes = mailboxes.filter(address__gt=self.cleaned_data["after"])
        return mailboxes


class SignInForm(LoginForm):
    """Address and password. A forgotten password is a matter for the provider's support: no link that leads nowhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Address")
        self.fields["password"].help_text = _("Forgotten? The support of your mail provider sets a new one.")
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
