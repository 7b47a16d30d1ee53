"""Mail from the panel to people: to owners in their language, to the operator's staff in English.

Every notice says that a machine wrote it, so that nothing answers it (RFC 3834 §5).
"""

from collections.abc import Iterable

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from responders.models import DrawnBrake
from responders.services import database_now

HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


def tell_of_drawn_brakes() -> int:
    """Tell owner and staff of each drawing once; return how many. What could not be sent is tried at the next call."""
    told = 0
    for pk in DrawnBrake.objects.filter(told_at=None).values_list("pk", flat=True):
        with transaction.atomic():
            waiting = DrawnBrake.objects.select_for_update(skip_locked=True).select_related("mailbox")
            row = waiting.filter(pk=pk, told_at=None).first()
            if row is None:  # another worker's
                continue
            _tell_of(row)
            row.told_at = database_now()
            row.save(update_fields=["told_at"])
        told += 1
    return told


def _tell_of(row: DrawnBrake) -> None:
    if not row.is_of_domain:
        with override(row.mailbox.language):
            send(_("The brake on your autoresponder"), _brake_text(row), [row.mailbox.address])
    with override("en"):
        send(f"Brake drawn: {row}", _brake_text(row), settings.STAFF_NOTICES)


def _brake_text(row: DrawnBrake) -> str:
    values = {"name": row, "count": row.replies_per_hour}
    happened = _(
        "%(name)s sent %(count)d automatic replies within an hour. That is as many as are allowed, so further messages "
        "get none until there is room again; mail itself is not touched."
    )
    meaning = _(
        "It happens when another machine answers the replies, or when a great many people write at once. The mailbox's "
        "page shows who wrote."
    )
    return f"{happened % values}\n\n{meaning}\n"


def send(subject: str, text: str, recipients: Iterable[str]) -> None:
    """Hand a notice to the mail server. Raises OSError, smtplib.SMTPException."""
    if to := list(recipients):
        EmailMessage(subject, text, to=to, headers=HEADERS).send()
