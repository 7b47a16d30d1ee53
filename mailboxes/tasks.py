"""What Celery runs for the accounts. Safe to run twice and at the same time."""

from celery import shared_task
from django.utils import timezone

from mailboxes import devices


@shared_task
def forget_ended_sessions() -> int:
    """Delete sessions that are over, and with them from where and with which browser people came."""
    return devices.forget_ended(timezone.now())
