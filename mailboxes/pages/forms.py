"""Forms about mailboxes and about the account of the person who is signed in."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm, LoginForm, ReauthenticateForm
from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as CodeAgainForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Layout, Submit
from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.cache import cache
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

from mailboxes import access, addresses, brake, countries, time_zones
from mailboxes.models import Mailbox, User

MAX_ANSWER = 20_000  # characters; a key's answer has about 1,500


class DelegateForm(forms.Form):
    """The colleague who is to look after a mailbox: somebody with a mailbox of the same customer."""

    email = forms.CharField(label=_("Colleague's address"), max_length=320)

    def __init__(self, *args: Any, mailbox: Mailbox, **kwargs: Any) -> None:
        self._mailbox = mailbox
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.layout = Layout(Div("email", Submit("add", _("Add")), css_class="sheet"))

    def clean_email(self) -> User:
        """The person. Who has no mailbox of the same customer is not told apart from who does not exist."""
        address = addresses.normal_form_or_none(self.cleaned_data["email"]) or ""
        theirs = access.colleagues_of(self._mailbox).filter(owner__email=address, owner__is_active=True)
        found = theirs.select_related("owner").first()
        if found is None or found.owner is None:
            raise forms.ValidationError(gettext("No colleague of your company signs in with this address."))
        if found.owner_id == self._mailbox.owner_id:
            raise forms.ValidationError(gettext("The mailbox is theirs already."))
        return found.owner


class SignInForm(LoginForm):
    """Address and password. A forgotten password is a matter for the provider's support: no link that leads nowhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("Address")
        self.fields["login"].widget.attrs["autocomplete"] = "username"
        self.fields["password"].help_text = _("Forgotten? The support of your mail provider sets a new one.")
        _without_placeholders(self)

    def clean_login(self) -> str:
        """In normal form: one account is not counted under several spellings."""
        typed = super().clean_login()
        return addresses.normal_form_or_none(typed) or typed


class PasswordAgainForm(ReauthenticateForm):
    """The password before something that matters."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""
        _without_placeholders(self)


class PasswordForm(ChangePasswordForm):
    """A new password, with the present one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = {
            "oldpassword": (_("Present password"), ""),
            "password1": (_("New password"), " ".join(password_validators_help_texts())),
            "password2": (_("New password again"), ""),
        }
        for name, (label, help_text) in words.items():
            self.fields[name].label, self.fields[name].help_text = label, help_text
        if others := _who_opens_mailboxes_of(self.user):
            self.fields["keep_links"] = forms.BooleanField(
                label=_("Let them go on"), required=False,
                help_text=gettext("These sign-ins open a mailbox of yours, because they showed the present password: "
                                  "%(others)s. Otherwise that ends now.") % {"others": ", ".join(others)},
            )  # fmt: skip
        _without_placeholders(self)


def _who_opens_mailboxes_of(user: User) -> list[str]:
    rows = access.links_to_mailboxes_of(user).order_by("user__email").values_list("user__email", flat=True)
    return list(rows.distinct())


class _CodeField(forms.CharField):
    """Six digits of an app, or a recovery code, with or without spaces."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {
            "autocomplete": "one-time-code",
            "inputmode": "numeric",
            "spellcheck": "false",
        }
        super().__init__(max_length=40, widget=forms.TextInput(attrs=attrs), **kwargs)


class _CodeMixin:
    """Draws the brake on wrong codes, and lets a code count once (RFC 6238 §5.2)."""

    user: User

    def clean_code(self) -> str:
        try:
            usage = brake.consume(context.request, self.user.email, codes=True)
        except brake.TooManyWrongPasswords as error:
            raise get_adapter().validation_error("too_many_login_attempts") from error
        code: str = super().clean_code()  # type: ignore[misc]  # of the form it is mixed into
        _use_up(self.user, code)
        usage.rollback()
        return code


def _use_up(user: User, code: str) -> None:
    """With the tolerance for clocks an app's code would be good for a minute and a half."""
    seconds = mfa_settings.TOTP_PERIOD * (2 * mfa_settings.TOTP_TOLERANCE + 1)
    if not cache.add(f"second-factor:{user.pk}:{normalize_user_code(code)}", 1, seconds):
        raise get_mfa_adapter().validation_error("incorrect_code")


class SecondFactorForm(_CodeMixin, AuthenticateForm):
    """The second step of signing in."""

    code = _CodeField(label=_("Code from your app, or a recovery code"))


class SecondFactorAgainForm(_CodeMixin, CodeAgainForm):
    """A code before something that matters."""

    code = _CodeField(label=_("Code from your app, or a recovery code"))


class AppForm(ActivateTOTPForm):
    """The first code of an app shows that it took the secret."""

    code = _CodeField(label=_("Code that the app shows"))


class _AnswerField(forms.JSONField):
    """What a key answered, as the browser wrote it down (WebAuthn §5.1). Strangers may send anything in its place."""

    widget = forms.HiddenInput

    def __init__(self, kind: type[RegistrationResponse] | type[AuthenticationResponse]) -> None:
        super().__init__(error_messages={"invalid": _("The key's answer cannot be read.")})
        self.kind = kind

    def to_python(self, value: Any) -> Any:
        try:
            answer = super().to_python((value or "")[:MAX_ANSWER])  # a part of an answer is none
            if answer is not None:
                self.kind.from_dict(answer)
        except (LookupError, RecursionError, TypeError, ValueError) as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error
        return answer

    def bound_data(self, data: Any, initial: Any) -> None:
        """An answer counts once: the form that is shown again has none."""

    def prepare_value(self, value: Any) -> str:
        return ""


class KeyStepForm(AuthenticateWebAuthnForm):
    """A key at the second step of signing in."""

    credential = _AnswerField(AuthenticationResponse)


class KeyAgainForm(ReauthenticateWebAuthnForm):
    """A key before something that matters."""

    credential = _AnswerField(AuthenticationResponse)


class KeyForm(AddWebAuthnForm):
    """A security key or passkey under a name."""

    credential = _AnswerField(RegistrationResponse)

    name = forms.CharField(
        label=_("Name"), required=False, max_length=100, help_text=_("So that you know it again among several.")
    )


class KeyNameForm(EditWebAuthnForm):
    """Another name for a key."""

    name = forms.CharField(label=_("Name"), max_length=100)


class LanguageForm(forms.Form):
    """The language of the pages."""

    language = forms.ChoiceField(
        label=_("Language of the panel"),
        required=False,
        choices=[("", _("As the browser asks")), ("pl", "Polski"), ("en", "English")],
        help_text=_("On every device. The language of automatic replies is each mailbox's own."),
    )


class TimeZoneForm(forms.Form):
    """The time zone of a mailbox, and whose public holidays are days off."""

    def __init__(self, data: Any = None, *, mailbox: Mailbox) -> None:
        super().__init__(data, initial={"time_zone": mailbox.time_zone, "holiday_country": mailbox.holiday_country})
        self.fields["time_zone"] = forms.ChoiceField(
            label=_("Time zone"), choices=time_zones.choices(mailbox.time_zone)
        )
        usual = gettext("As usual here: %(country)s") % {"country": countries.name_of(settings.HOLIDAY_COUNTRY)}
        self.fields["holiday_country"] = forms.ChoiceField(
            label=_("Public holidays of"), required=False, choices=[("", usual), *countries.choices()],
            help_text=_("For the day you are back, for office hours, and for the calendar. They count at once."),
        )  # fmt: skip


def _without_placeholders(form: forms.Form) -> None:
    """A label says it, and stays."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
