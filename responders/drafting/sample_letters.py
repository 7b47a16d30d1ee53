"""“Send me a test”: the real reply, to an address of the person who writes it."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from mailboxes import access
from mailboxes.models import Mailbox, User
from responders.drafting import preview
from responders.models import Responder

ADDRESSES_SHOWN = 20


class _Letter(EmailMessage):
    """A message that is composed already."""

    def __init__(self, content: bytes, recipient: str) -> None:
        super().__init__(from_email=settings.DEFAULT_FROM_EMAIL, to=[recipient])
        self._content = content

    def message(self, **_options: Any) -> "_Letter":  # type: ignore[override]
        return self

    def as_bytes(self, **_options: Any) -> bytes:
        return self._content

    def get_charset(self) -> None:
        """As the standard library's messages have it: whatever the parts say."""


def addresses(user: User, mailbox: Mailbox) -> list[str]:
    """Where a test of this mailbox's reply may go: to itself, and to the person's own mailboxes."""
    own = access.mailboxes_visible_to(user).filter(owner_id=user.pk).exclude(pk=mailbox.pk)
    return [mailbox.address, *(row.address for row in own.order_by("pk")[:ADDRESSES_SHOWN])]


def send(mailbox: Mailbox, row: Responder, recipient: str, now: datetime) -> int:
    """Hand the reply in every text of the responder to the mail server; how many. Raises OSError, SMTPException."""
    found = [_Letter(content, recipient) for content in preview.letters(mailbox, row, recipient, now)]
    return int(get_connection().send_messages(found) or 0)
