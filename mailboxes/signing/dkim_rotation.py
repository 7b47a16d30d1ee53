"""New keys begin to sign once their records are in the DNS, never before: a signature that nobody can check harms."""

import time
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from mailboxes.log import Actor
from mailboxes.models import DkimKey, Domain
from mailboxes.signing import dkim
from mailboxes.signing.dkim_records import State, look, look_for_all

SECONDS = 120.0  # for one round of the task
# After these, somebody who forgot about a key makes no work for the DNS any more; the page's button still looks.
GIVEN_UP_AFTER = timedelta(days=60)


def look_at(domain: Domain, *, now: datetime, actor: Actor = None) -> dict[int, State]:
    """Ask the DNS for the records of all keys of the domain; who waited and is seen signs from now on."""
    keys = list(domain.dkim_keys.order_by("created_at"))
    states = dict(zip(keys, look_for_all(keys), strict=True))
    return {key.pk: _learn(key, state, now, actor) for key, state in states.items()}


def look_and_let_sign(key: DkimKey, *, now: datetime, actor: Actor = None) -> State:
    """Ask the DNS for the record; a key that waits and whose record is there signs from now on."""
    return _learn(key, look(key), now, actor)


def _learn(key: DkimKey, state: State, now: datetime, actor: Actor) -> State:
    seen = {"seen_at": now} if state == State.SEEN else {}
    DkimKey.objects.filter(pk=key.pk).update(checked_at=now, **seen)
    if state == State.SEEN and key.waits:
        dkim.let_sign(key, now=now, actor=actor)
    return state


def start_published(now: datetime, *, seconds: float = SECONDS) -> int:
    """Let keys sign whose records have come, those first that were looked for longest ago; return how many."""
    ends, started = time.monotonic() + seconds, 0
    waiting = DkimKey.objects.filter(signs_since=None, created_at__gt=now - GIVEN_UP_AFTER, domain__deleted_at=None)
    for key in waiting.order_by(F("checked_at").asc(nulls_first=True), "pk").iterator(chunk_size=100):
        if time.monotonic() > ends:
            break
        started += look_and_let_sign(key, now=timezone.now()) == State.SEEN
    return started
