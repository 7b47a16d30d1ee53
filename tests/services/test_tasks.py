"""What Celery runs."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection, transaction

from mailboxes.models import Mailbox
from responders import services, tasks
from responders.models import Decision, Responder
from webmail_panel.celery import app


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


def test_what_a_database_complains_of_is_told_with_the_way_there(db: None, caplog: pytest.LogCaptureFixture) -> None:
    @app.task(name="tests.too_slow")
    def too_slow() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(300)")

    assert too_slow.apply().state == "FAILURE"
    [record] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.getMessage().startswith("tests.too_slow failed: canceling statement")
    assert "in too_slow" in caplog.text


def test_a_bug_in_a_task_is_told_with_the_way_there(caplog: pytest.LogCaptureFixture) -> None:
    @app.task(name="tests.broken")
    def broken() -> float:
        return 1 / 0

    assert broken.apply().state == "FAILURE"
    assert "in broken" in caplog.text
