"""Addresses that refused a reply for good: to look at, and to lift."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from mailboxes import addresses
from mailboxes.log import Actor, write
from responders.models import Refusal
from responders.policy import policy_in_force
from responders.services import database_now


def in_force(now: datetime | None = None) -> QuerySet[Refusal]:
    """Those that keep an address from replies now, the latest first."""
    days = timedelta(days=policy_in_force().refusal_days)
    return Refusal.objects.filter(refused_at__gt=(now or database_now()) - days)


@transaction.atomic
def lift(wanted: str, *, actor: Actor) -> int:
    """Forget the refusal of an address, or of every address of a domain (`@example.com`); return how many there were.

    Raises AddressError.
    """
    if wanted.startswith("@"):
        wanted = f"@{addresses.normalise_domain(wanted[1:])}"
        chosen = Q(address__endswith=wanted)
    else:
        wanted = addresses.normalise(wanted)
        chosen = Q(address=wanted)
    lifted = Refusal.objects.filter(chosen).delete()[0]
    if lifted:
        write(Refusal, f"lifted: {lifted}", actor, name=wanted)
    return lifted


def delete_old() -> int:
    """Delete those that are over; return how many."""
    before = database_now() - timedelta(days=policy_in_force().refusal_days)
    return Refusal.objects.filter(refused_at__lte=before).delete()[0]
