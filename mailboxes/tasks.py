"""What Celery runs for the accounts. Safe to run twice and at the same time."""

import logging

from celery import shared_task
from django.db import connection
from django.utils import timezone

from mailboxes import customers, devices, hosting
from mailboxes.deletion import deleted_aliases, deleted_domains
from mailboxes.domain_dns import checking, claims, turns
from mailboxes.domain_dns import notices as dns_notices
from mailboxes.linking import link_notices, links
from mailboxes.models import Domain
from mailboxes.signing import dkim, dkim_first, dkim_rotation, dkim_signer

log = logging.getLogger(__name__)


@shared_task
def forget_ended_sessions() -> int:
    """Delete sessions that are over, and with them from where and with which browser people came."""
    return devices.forget_ended(timezone.now())


@shared_task
def purge_deleted_mailboxes() -> int:
    """Delete for good what was deleted MAILBOX_GRACE_DAYS ago: mailboxes, aliases, domains with all in them."""
    now = timezone.now()
    gone = hosting.purge_deleted(now) + deleted_aliases.purge_aliases(now)
    return gone + deleted_domains.purge_domains(now) + customers.purge_customers(now)


@shared_task
def tell_of_links() -> int:
    """Tell the one side of a link what the other did, and forget those that ended long ago; return how many mails."""
    links.forget_ended(timezone.now())
    return link_notices.tell(timezone.now())


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
def make_first_dkim_keys() -> int:
    """Domains that came lately get a key, whose record is among those to publish."""
    return dkim_first.make_first_keys(timezone.now())


@shared_task
def start_published_dkim_keys() -> int:
    """New keys whose records are in the DNS now begin to sign."""
    return dkim_rotation.start_published(timezone.now())


@shared_task
def check_domains() -> int:
    """Look at the DNS of the domains whose turn it is, and tell of what broke; return how many were looked at."""
    done = turns.check_due(timezone.now)
    if done.checked:
        log.info("DNS looked at domains=%d broken=%d", done.checked, done.broken)
    checking.forget_old_history(timezone.now())
    dns_notices.tell_of_broken(timezone.now())
    return done.checked


@shared_task
def check_domain(pk: int, tries: int = 10) -> None:
    """Look at the DNS of one domain now: somebody waits for it, and for another worker that began before."""
    domain = Domain.objects.filter(pk=pk).first()
    if domain is None or turns.check_now(domain, timezone.now()):
        return
    if tries > 1:  # else the task that runs every few minutes takes it up
        check_domain.apply_async((pk, tries - 1), countdown=3)


@shared_task
def look_at_claims() -> int:
    """Look for the proofs that domains wait for; return how many were found."""
    proven = claims.look_at_due(timezone.now)
    dns_notices.tell_of_disputes(timezone.now())
    return proven
