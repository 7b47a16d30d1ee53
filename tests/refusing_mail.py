"""A mail server of Django's that refuses what is for some people alone, as Postfix does where a mailbox is full."""

import smtplib
from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend

BACKEND = f"{__name__}.Refusing"
full: set[str] = set()


class Refusing(EmailBackend):
    """Takes everything but what is for `full` alone (smtplib says so only where no recipient is left)."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:  # type: ignore[override]
        for letter in messages:
            if full.issuperset(letter.to):
                refused = dict.fromkeys(letter.to, (552, b"5.2.2 This mailbox is full"))
                raise smtplib.SMTPRecipientsRefused(refused)
        return int(super().send_messages(messages))
