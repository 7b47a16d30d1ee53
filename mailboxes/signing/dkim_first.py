"""The first key of a new domain: made without being asked for, so that its record is among those to publish.

A key that waits harms nothing: it signs once its record is in the DNS.
"""

import time
from datetime import datetime, timedelta

from django.conf import settings

from mailboxes.log import BY_ITSELF
from mailboxes.models import DkimKey, Domain
from mailboxes.services import MailboxesError
from mailboxes.signing import dkim

SECONDS = 40.0  # for one round of the task, which runs every minute
# After these, a domain has no key because somebody deleted it, or signs elsewhere.
NEW_FOR = timedelta(days=2)


def make_first_keys(now: datetime, *, seconds: float = SECONDS) -> int:
    """For the domains that came lately and have no key, the oldest of them first; return how many were made.

    None where DKIM_FOR_NEW_DOMAINS is off.
    """
    if not settings.DKIM_FOR_NEW_DOMAINS:
        return 0
    ends, made = time.monotonic() + seconds, 0
    waiting = Domain.objects.filter(created_at__gt=now - NEW_FOR, is_active=True, dkim_keys=None)
    for domain in waiting.order_by("created_at", "pk").iterator(chunk_size=100):
        if time.monotonic() > ends:
            break
        made += _make(domain, now)
    return made


def _make(domain: Domain, now: datetime) -> bool:
    """Whether it got one: somebody else may have made it meanwhile, deleted the domain, or given it too long a name."""
    try:
        dkim.make_key(domain, DkimKey.Algorithm.RSA, now=now, actor=BY_ITSELF)
    except (MailboxesError, Domain.DoesNotExist):
        return False
    return True
