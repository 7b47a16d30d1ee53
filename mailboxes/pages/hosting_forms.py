"""What is typed about domains, aliases and addresses."""

import re
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses, services
from mailboxes.models import MAX_MAILBOXES, MAX_QUOTA_MB, MAX_TOTAL_QUOTA_MB, Alias, Domain, Mailbox


def _sheet(*fields: Any, words: Any) -> FormHelper:
    helper = FormHelper()
    helper.layout = Layout(Div(*fields, Div(Submit("save", words), css_class="actions mt-3"), css_class="sheet"))
    return helper


class DomainForm(forms.Form):
    """The catch-all, the sender of replies; for staff, limits too."""

    catch_all = forms.CharField(
        label=_("Catch-all"), max_length=320, required=False,
        help_text=_(
            "The mailbox that gets mail to addresses of the domain that nobody has; spam mostly. Such mail is never "
            "answered. Empty: it is refused."
        ),
    )  # fmt: skip
    has_bounce_address = forms.BooleanField(
        label=_("Replies have a bounce address"), required=False,
        help_text=_(
            "Automatic replies have no sender in the envelope, as the standards want it, so that nothing answers "
            "them. Some servers refuse such mail: with this the replies of the domain come from an address that takes "
            "reports and answers none."
        ),
    )  # fmt: skip
    quota_mb = forms.IntegerField(
        label=_("Space of each mailbox, MB"), required=False, min_value=1, max_value=MAX_QUOTA_MB,
        help_text=_("Empty: no limit. A mailbox may have a space of its own."),
    )  # fmt: skip
    total_quota_mb = forms.IntegerField(
        label=_("Space of all mailboxes together, MB"), required=False, min_value=1, max_value=MAX_TOTAL_QUOTA_MB,
        help_text=_(
            "As much as may be allotted to them, deleted ones that may be taken back included; then each needs a "
            "space. Less than is allotted takes nothing away, but nothing more is given. Empty: no limit."
        ),
    )  # fmt: skip
    max_mailboxes = forms.IntegerField(
        label=_("Mailboxes at most"),
        required=False,
        min_value=0,
        max_value=MAX_MAILBOXES,
        help_text=_("Empty: no limit."),
    )

    def __init__(self, *args: Any, domain: Domain, sets_limits: bool, **kwargs: Any) -> None:
        self._domain = domain
        kwargs["initial"] = {
            "catch_all": domain.catch_all.address if domain.catch_all else "", "quota_mb": domain.quota_mb,
            "total_quota_mb": domain.total_quota_mb, "max_mailboxes": domain.max_mailboxes,
            "has_bounce_address": domain.has_bounce_address,
        }  # fmt: skip
        super().__init__(*args, **kwargs)
        if not sets_limits:
            del self.fields["quota_mb"], self.fields["total_quota_mb"], self.fields["max_mailboxes"]
        self.helper = _sheet(*self.fields, words=_("Save"))

    def clean_catch_all(self) -> Mailbox | None:
        typed = self.cleaned_data["catch_all"].strip()
        if not typed:
            return None
        typed = typed if "@" in typed else f"{typed}@{self._domain.name}"
        address = addresses.normal_form_or_none(typed) or ""
        mailbox = Mailbox.objects.filter(domain=self._domain, address=address, deleted_at=None).first()
        if mailbox is None:
            raise forms.ValidationError(gettext("The domain has no mailbox of this address."))
        return mailbox


class AliasForm(forms.Form):
    """An alias and where it leads."""

    local_part = forms.CharField(label=_("Before the @"), max_length=64)
    targets = forms.CharField(
        label=_("Leads to"), max_length=100_000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Mailboxes, or addresses elsewhere; one on each line. Several make a group."),
    )  # fmt: skip
    is_active = forms.BooleanField(label=_("Receives mail"), required=False, initial=True)

    def __init__(self, *args: Any, domain: Domain, sees_all: bool, alias: Alias | None = None, **kwargs: Any) -> None:
        self._domain, self._asks_within = domain, None if sees_all else domain
        # A larger group, which a command or an import made, is not made smaller by saving it.
        self._most_targets = max(services.MAX_TARGETS, alias.targets.count() if alias else 0)
        super().__init__(*args, **kwargs)
        if alias is not None:
            del self.fields["local_part"]
        self.helper = _sheet(*self.fields, words=_("Save") if alias else _("Make the alias"))

    def clean_local_part(self) -> str:
        try:
            local_part = services.deliverable(self.cleaned_data["local_part"], self._domain)
        except services.MailboxesError as error:
            raise forms.ValidationError(str(error)) from error
        try:
            services.refuse_taken(local_part, self._domain)
        except services.MailboxesError as error:
            raise forms.ValidationError(gettext("This address is taken already.")) from error
        return f"{local_part}@{self._domain.name}"

    def clean_targets(self) -> list[str]:
        typed = [word for word in re.split(r"[\s,;]+", self.cleaned_data["targets"]) if word]
        if not typed:
            raise forms.ValidationError(gettext("Write at least one address."))
        if words := services.too_many_targets(len(typed), self._most_targets):
            raise forms.ValidationError(words)
        for word in typed:
            try:
                services.check_target(word, self._asks_within)
            except services.MailboxesError as error:
                raise forms.ValidationError(str(error)) from error
        return typed


class RenameForm(forms.Form):
    """What stands before the @ from now on."""

    local_part = forms.CharField(label=_("New address: before the @"), max_length=64)

    def __init__(self, *args: Any, mailbox: Mailbox, **kwargs: Any) -> None:
        kwargs["initial"] = {"local_part": mailbox.local_part}
        super().__init__(*args, **kwargs)
        self.fields["local_part"].help_text = f"@{addresses.display_domain(mailbox.domain_id)}"
        self.helper = _sheet("local_part", words=_("Change the address"))


class AppPasswordForm(forms.Form):
    """Which program or device it is for."""

    name = forms.CharField(label=_("Program or device"), max_length=100, help_text=_("Thunderbird at work, my phone …"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = _sheet("name", words=_("Make a password"))
