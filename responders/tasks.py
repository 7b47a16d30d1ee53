"""What Celery runs. Each task is safe to run twice and at the same time."""

import logging

from celery import shared_task
from django.core.cache import cache
from django.db import connection, transaction

from responders import decision_partitions, notices, policy, services
from responders.drafting import writing
from responders.many import batches, new_addresses
from responders.support import attention, refusals

log = logging.getLogger(__name__)


@shared_task
def apply_due_transitions() -> int:
    """Move responders whose time has come; leaves the sign of life that the health checks look for."""
    cache.set("beat-alive", True, timeout=60)
    moves = services.apply_due_transitions(services.database_now())
    if moves:
        log.info("transitions applied=%d", moves)
    return moves


@shared_task
def delete_old_decisions(batch: int = 10_000) -> int:
    """Make room for the decisions of the next days, and drop those that are older than they are kept.

    Returns how many were deleted one by one, out of parts that go on for ever.
    """
    now, days = services.database_now(), policy.decision_retention_days()
    made, dropped = decision_partitions.make_ahead(days, now), decision_partitions.drop_over(days, now)
    if made or dropped:
        log.info("decisions: parts made=%s dropped=%s", ",".join(made), ",".join(dropped))
    return decision_partitions.delete_old_elsewhere(days, now, batch=batch)


@shared_task
def tell_of_drawn_brakes() -> int:
    """Tell owner and staff once of each brake that was drawn."""
    return notices.tell_of_drawn_brakes()


@shared_task
def tell_of_stopped_senders() -> int:
    """Tell owner and staff once of each mailbox that sent to as many recipients as it may."""
    return notices.tell_of_stopped_senders()


@shared_task
def delete_old_refusals() -> int:
    """Delete the refusals that keep nobody from a reply any more."""
    return refusals.delete_old()


@shared_task
def delete_old_drafts() -> int:
    """Delete what people began to write and never came back to."""
    return writing.delete_old(services.database_now())


@shared_task
def delete_old_reply_counts() -> int:
    """Delete the counts that no brake looks at any more."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM responders_replycount WHERE bucket < panel_now() - interval '2 hours'")
        return int(cursor.rowcount)


@shared_task
def send_notices() -> int:
    """Tell owners by mail what their autoresponders did and will do."""
    return notices.send_due(services.database_now())


@shared_task
def run_batch(pk: int) -> None:
    """Work on a change of many mailboxes; what is left after a minute is a task of its own."""
    if not batches.run(pk, seconds=60):
        run_batch.delay(pk)


@shared_task
def go_on_with_batches() -> int:
    """Take up again what a worker that was killed left behind; return how many."""
    now = services.database_now()
    for batch in new_addresses.forgotten_by(now):
        with transaction.atomic():
            new_addresses.forget(batch)
    left = batches.abandoned(now)
    for pk in left:
        run_batch.delay(pk)
    return len(left)


@shared_task
def count_decisions() -> int:
    """Count today's and yesterday's decisions by reason, for charts; return how many rows were written."""
    return attention.count_decisions(services.database_now())
