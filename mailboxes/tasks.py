"""What Celery runs for the accounts. Safe to run twice and at the same time."""

from celery import shared_task
from django.db import connection
from django.utils import timezone

from mailboxes import devices, dkim, dkim_rotation, dkim_signer, hosting


@shared_task
def forget_ended_sessions() -> int:
    """Delete sessions that are over, and with them from where and with which browser people came."""
    return devices.forget_ended(timezone.now())


@shared_task
def purge_deleted_mailboxes() -> int:
    """Delete for good the mailboxes that were deleted MAILBOX_GRACE_DAYS ago."""
    return hosting.purge_deleted(timezone.now())


@shared_task
def delete_old_sending_counts() -> int:
    """Delete the counts that no limit of sending looks at any more."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM mailboxes_sendingcount WHERE bucket < panel_now() - interval '26 hours'")
        return int(cursor.rowcount)


@shared_task
def write_dkim_keys() -> int:
    """Mend what rspamd reads: after a change that did not reach Redis, or a Redis that lost it. Forget old keys."""
    dkim.delete_old(timezone.now())
    return dkim_signer.write()


@shared_task
def start_published_dkim_keys() -> int:
    """New keys whose records are in the DNS now begin to sign."""
    return dkim_rotation.start_published(timezone.now())
