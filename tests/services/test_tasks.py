"""What Celery runs."""

from datetime import UTC, datetime, timedelta

from django.core.cache import cache

from mailboxes.models import Mailbox
from responders import services, tasks
from responders.models import Decision, Responder


def test_the_transitions_task_moves_what_is_due_and_leaves_a_sign_of_life(mailbox: Mailbox) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    row = Responder.objects.create(
        mailbox=mailbox, subject="x", text_body="x", state="scheduled", from_date=datetime(2020, 1, 1), from_utc=past,
        next_transition_at=past,
    )  # fmt: skip
    cache.delete("beat-alive")
    assert tasks.apply_due_transitions() == 1
    row.refresh_from_db()
    assert (row.state, row.state_changed_at) == ("active", past)
    assert cache.get("beat-alive")


def test_old_decisions_are_deleted_in_batches(mailbox: Mailbox) -> None:
    now = services.database_now()
    for days in (1, 89, 91, 92, 93, 400):
        Decision.objects.create(
            mailbox=mailbox, forward_path="x@y", reason="replied", decided_at=now - timedelta(days=days)
        )
    assert tasks.delete_old_decisions(batch=2) == 4
    assert Decision.objects.count() == 2
