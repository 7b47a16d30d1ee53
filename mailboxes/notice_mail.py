"""Handing a notice to the mail server.

Every notice says that a machine wrote it, so that nothing answers it (RFC 3834 §5).
"""

import logging
import smtplib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.core.mail import EmailMessage

log = logging.getLogger(__name__)
HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


def send(subject: str, text: str, recipients: Iterable[str]) -> None:
    """Hand it over; to nobody is done at once. Raises OSError, smtplib.SMTPException."""
    if to := list(recipients):
        EmailMessage(subject, text, to=to, headers=HEADERS).send()


@contextmanager
def others_go_on() -> Iterator[None]:
    """Around what is for one person: a mailbox that takes no mail (full, suspended, gone) keeps nobody else waiting.

    Around a transaction it undoes that one. What is wrong with the mail server itself goes on as an exception.
    """
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refused:
        codes = sorted({str(code) for code, _words in refused.recipients.values()})
        log.warning("a notice was refused for every recipient: %s", " ".join(codes))
