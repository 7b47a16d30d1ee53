"""What a customer's administrator types about mailboxes."""

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes import services
from mailboxes.models import Alias, Domain, Mailbox, User


class NewMailboxForm(forms.Form):
    """Address, name and language of a new mailbox."""

    local_part = forms.CharField(label=_("Before the @"), max_length=64)
    domain = forms.ModelChoiceField(Domain.objects.none(), label=_("Domain"), to_field_name="name", empty_label=None)
    name = forms.CharField(
        label=_("Name"), max_length=200, required=False, help_text=_("As replies show it: Anna Nowak")
    )
    language = forms.ChoiceField(label=_("Language of the mailbox"), choices=settings.LANGUAGES)
    address = ""

    def __init__(self, *args: Any, domains: QuerySet[Domain], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = domains.order_by("name")  # type: ignore[attr-defined]
        self.fields["language"].initial = settings.DEFAULT_MAILBOX_LANGUAGE
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div(
                Div("local_part", "domain", css_class="dates"), "name", "language",
                Div(Submit("save", _("Make the mailbox")), css_class="actions mt-3"), css_class="sheet",
            )
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "local_part" in values and "domain" in values:
            self._check_address(values["local_part"], values["domain"])
        return values

    def _check_address(self, typed: str, domain: Domain) -> None:
        try:
            local_part = services.deliverable_mailbox(typed, domain)
        except services.MailboxesError as error:
            self.add_error("local_part", str(error))
            return
        self.address = f"{local_part}@{domain.name}"
        if any(model.objects.filter(address=self.address).exists() for model in (Mailbox, Alias)):
            self.add_error("local_part", gettext("This address is taken already."))
        elif User.objects.filter(email=self.address).exists():
            self.add_error("local_part", gettext("Somebody signs in with this address already. Ask our support."))


class MailboxForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """What is managed of a mailbox that is there."""

    class Meta:
        model = Mailbox
        fields = ("name", "language", "is_active", "quota_mb")

    def __init__(self, *args: Any, sets_limits: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["is_active"].label = _("Receives mail")
        self.fields["quota_mb"].help_text = _("Empty: as set for the domain.")
        if self.instance.suspended_at is not None:
            del self.fields["is_active"]
        if not sets_limits:
            del self.fields["quota_mb"]
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div(*self.fields, Div(Submit("save", _("Save")), css_class="actions mt-3"), css_class="sheet")
        )
