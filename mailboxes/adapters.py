"""What the panel asks of django-allauth: nobody signs up by themselves, wrong passwords have a brake."""

import base64
import logging
import secrets
import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mailboxes import access, brake, log, sealing, second_factor
from mailboxes.log import By
from mailboxes.models import User

logger = logging.getLogger(__name__)
# django-allauth's name of what happened, and how the log calls it.
SIGN_IN_CHANGED = {
    "password_changed": "password changed", "password_set": "password set", "password_reset": "password set anew",
    "totp_activated": "second factor set up: app", "totp_deactivated": "second factor removed: app",
    "webauthn_added": "second factor set up: security key", "webauthn_removed": "second factor removed: security key",
    "recovery_codes_generated": "recovery codes made",
}  # fmt: skip


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by staff, together with their mailboxes."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("The address or the password is not right."),
        "enter_current_password": _("This is not your present password."),
        "incorrect_password": _("The password is not right."),
        "too_many_login_attempts": _("Too many wrong attempts. Wait five minutes, then try again."),
        "rate_limited": _("Too many wrong codes. Wait five minutes, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Where work begins: an agent's with the search, everybody else's with their mailboxes."""
        return reverse("support" if access.is_support(request.user) else "mailbox_list")

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """The brake; what it counted is taken back where the password was right."""
        try:
            self._login_failed_rl_usage = brake.consume(request, credentials["email"])
        except brake.TooManyWrongPasswords as error:
            raise self.validation_error("too_many_login_attempts") from error

    def post_login(self, request: HttpRequest, user: User, **details: Any) -> HttpResponse:
        """Signed in, with the second factor where there is one."""
        response: HttpResponse = super().post_login(request, user, **details)
        brake.remember(request, response, user.email)
        return response

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Called by django-allauth whenever a way to sign in was changed: the log tells of it."""
        if words := SIGN_IN_CHANGED.get(template_prefix.rpartition("/")[2]):
            log.record(user, words, By(user, place=log.place(self.request)))
        super().send_notification_mail(template_prefix, user, context=context, email=email)

    def is_reauthentication_required(self, *, app: str, **details: Any) -> bool:
        """Not within five minutes of signing in: whoever just typed the password is not asked for it again."""
        records = get_authentication_records(self.request, self.request.user)
        latest = max((record["at"] for record in records), default=0)
        return bool(time.time() - latest > app_settings.REAUTHENTICATION_TIMEOUT)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        words = {
            "reauthenticate": _("With the password"),
            "mfa_reauthenticate": _("With a code"),
            "mfa_reauthenticate:webauthn": _("With a security key"),
        }
        return [method | {"description": words[method["id"]]} for method in super().get_reauthentication_methods(user)]


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets are kept encrypted; staff do not remove their last factor."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code is not right. Codes change every 30 seconds and count once."),
        "cannot_delete_authenticator": _("Your work needs a second factor: set up another one before you remove this."),
        "cannot_generate_recovery_codes": _("Set up an app or a security key first."),
    }

    def encrypt(self, text: str) -> str:
        """By a key made of SECRET_KEY: whoever gets hold of the database alone has no one's second factor."""
        return sealing.seal(text, "second-factor")

    def decrypt(self, encrypted_text: str) -> str:
        """A secret that no key opens is replaced by one that nobody knows: no code fits, nobody comes in."""
        try:
            return sealing.unseal(encrypted_text, "second-factor")
        except sealing.SealedForGoodError:
            logger.warning("A second factor was made under a SECRET_KEY that is neither the present nor a fallback")
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        user = authenticator.user
        return not access.needs_second_factor(user) or second_factor.main_factors(user).count() > 1

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 (allauth's name)
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return gettext("Security key") if number == 1 else gettext("Security key %(number)d") % {"number": number}
