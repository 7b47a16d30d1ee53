"""What is typed to add another mailbox to one's sign-in, and to give a mailbox a sign-in of its own."""

from typing import Any

from allauth.account.adapter import get_adapter
from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses, brake
from mailboxes.linking import links
from mailboxes.models import Mailbox, User

MAX_PASSWORD = 4096  # octets that are hashed


class LinkForm(forms.Form):
    """Address and password of the other mailbox; wrong ones have the brake of the sign-in."""

    email = forms.CharField(
        label=_("Address of the other mailbox"), max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )  # fmt: skip
    password = forms.CharField(
        label=_("Its password"), max_length=MAX_PASSWORD, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("The one with which that mailbox signs in. It stays its own."),
    )  # fmt: skip

    def __init__(self, *args: Any, request: HttpRequest, person: User, **kwargs: Any) -> None:
        self._request, self._person = request, person
        super().__init__(*args, **kwargs)
        self.mailbox: Mailbox | None = None
        self.helper = FormHelper()
        self.helper.layout = Layout(
            Div(
                "email",
                "password",
                Div(Submit("add", _("Add the mailbox")), css_class="actions mt-3"),
                css_class="sheet",
            )
        )

    def clean(self) -> dict[str, Any]:
        """The mailbox, whose password this is. What does not exist is not told apart from what is wrong."""
        values = super().clean() or {}
        if self.errors:
            return values
        typed = values["email"].strip()
        try:
            brake.count_linking(self._request, self._person.pk)
            counted = brake.consume(self._request, links.sign_in_of(addresses.normal_form_or_none(typed) or typed))
        except brake.TooManyWrongPasswords as error:
            raise forms.ValidationError(
                {"password": get_adapter().validation_error("too_many_login_attempts")}
            ) from error
        self.mailbox = links.prove(addresses.normal_form_or_none(typed) or "", values["password"])
        if self.mailbox is None or self.mailbox.owner is None:
            raise _of_the_password("email_password_mismatch")
        counted.rollback()
        try:
            links.check(self._person, self.mailbox.owner, self.mailbox)
        except links.LinkError as error:
            raise forms.ValidationError({"email": str(error)}) from error
        return values


def _of_the_password(code: str) -> forms.ValidationError:
    """The sign-in's own words."""
    return forms.ValidationError({"password": get_adapter().validation_error(code)})


class OwnPasswordForm(forms.Form):
    """The first password of a mailbox that gets a sign-in of its own."""

    password1 = forms.CharField(
        label=_("Password of this mailbox"), max_length=MAX_PASSWORD, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    password2 = forms.CharField(
        label=_("The same again"), max_length=MAX_PASSWORD, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def __init__(self, *args: Any, mailbox: Mailbox, **kwargs: Any) -> None:
        self._mailbox = mailbox
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = " ".join(password_validators_help_texts())
        self.helper = FormHelper()
        button = Submit("save", _("Give it its own password"))
        self.helper.layout = Layout(
            Div("password1", "password2", Div(button, css_class="actions mt-3"), css_class="sheet")
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        first, second = values.get("password1"), values.get("password2")
        if first and second and first != second:
            self.add_error("password2", gettext("The two passwords differ."))
        elif first:
            try:
                validate_password(first, User(email=self._mailbox.address, name=self._mailbox.name))
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return values
