"""The history is only added to, whoever asks the database."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from mailboxes.log import record
from mailboxes.models import Customer, LogLine, Mailbox, User
from responders.models import PolicyVersion, Responder, ResponderEvent
from responders.services import By, database_now, switch
from tests.conftest import PASSWORD


@pytest.fixture
def event(standing_reply: Responder, anna: User) -> ResponderEvent:
    switch(standing_reply, on=False, actor=By(anna, "bo tak", "192.0.2.1"), now=database_now())
    return ResponderEvent.objects.get()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM responders_responderevent",
        "UPDATE responders_responderevent SET reason = ''",
        "UPDATE responders_responderevent SET deleted_responder = 1",
        "UPDATE responders_responderevent SET at = at - interval '1 day'",
        "UPDATE responders_responderevent SET changes = '{}', actor_id = NULL, kind = 'created'",
        "UPDATE responders_responderevent SET actor_id = (SELECT max(id) FROM mailboxes_user)",
    ],
)
def test_nothing_in_it_is_changed_or_deleted(event: ResponderEvent, statement: str) -> None:
    User.objects.create_user("inny@firma.example")
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    event.refresh_from_db()
    assert event.reason == "bo tak"


@pytest.mark.parametrize(
    "table", ["responders_responderevent", "mailboxes_logline", "django_admin_log", "responders_policyversion"]
)
def test_no_history_is_emptied_at_once(db: None, table: str) -> None:
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL panel.emptying = 'off'; TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM mailboxes_logline",
        "UPDATE mailboxes_logline SET words = ''",
        "UPDATE mailboxes_logline SET actor_id = NULL",
        "UPDATE mailboxes_logline SET at = at - interval '1 day'",
        "DELETE FROM django_admin_log",
        "UPDATE django_admin_log SET change_message = ''",
        "UPDATE django_admin_log SET user_id = (SELECT max(id) FROM mailboxes_user)",
        "DELETE FROM responders_policyversion",
        "UPDATE responders_policyversion SET reason = 'x', changed_by_id = NULL",
        "UPDATE responders_policyversion SET changed_by_id = (SELECT max(id) FROM mailboxes_user)",
    ],
)
def test_the_log_of_the_administration_and_the_settings_stay(mailbox: Mailbox, anna: User, statement: str) -> None:
    record(mailbox, "address: a → b", anna)
    LogEntry.objects.log_actions(anna.pk, [mailbox], CHANGE, change_message="x", single_object=True)
    PolicyVersion.objects.create(reason="bo tak", changed_by=anna)
    User.objects.create_user("inny@firma.example")
    with pytest.raises(IntegrityError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    PolicyVersion.objects.update(changed_by=None)  # whom it names may be forgotten
    assert LogLine.objects.get().words == "address: a → b"
    assert LogEntry.objects.get().change_message == "x"


def test_whoever_stands_in_the_log_is_not_deleted_with_it(
    client: Client, mailbox: Mailbox, anna: User, plain_static_files: None
) -> None:
    """Nobody covers their tracks by having their account deleted: it may be switched off."""
    client.force_login(User.objects.create_superuser("admin@hosting.example", PASSWORD))
    record(mailbox, "address: a → b", anna)
    nobody = User.objects.create_user("nikt@firma.example")
    for person, is_left in ((anna, True), (nobody, False)):
        page = client.post(reverse("admin:mailboxes_user_delete", args=[person.pk]), {"post": "yes"}, follow=True)
        assert page.status_code == 200
        assert User.objects.filter(pk=person.pk).exists() is is_left
    chosen = {"action": "delete_selected", "_selected_action": [anna.pk], "post": "yes"}
    page = client.post(reverse("admin:mailboxes_user_changelist"), chosen, follow=True)
    assert "stands in the log" in page.text
    assert LogLine.objects.filter(actor=anna).exists()


def test_it_may_forget_whom_it_names(event: ResponderEvent, standing_reply: Responder, anna: User) -> None:
    standing_reply.delete()
    ResponderEvent.objects.update(actor=None)
    event.refresh_from_db()
    assert (event.responder, event.actor, event.address) == (None, None, "anna@firma.example")


def test_personal_data_are_erased_on_purpose_only(event: ResponderEvent) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL panel.erasing = 'on'")
        cursor.execute("DELETE FROM responders_responderevent")
    assert not ResponderEvent.objects.exists()


def test_the_log_says_what_was_before_and_support_reads_it(
    client: Client, support: User, mailbox: Mailbox, plain_static_files: None
) -> None:
    client.force_login(User.objects.create_superuser("admin@hosting.example", PASSWORD))
    ours = Customer.objects.create(name="Nasza", number="7")
    change = reverse("admin:mailboxes_customer_change", args=[ours.pk])
    client.post(change, {"name": "Nasza i Wasza", "number": "7", "administrators": [support.pk]})
    form = {"name": mailbox.domain_id, "customer": ours.pk, "is_active": "on", "replies_per_hour": ""}
    client.post(reverse("admin:mailboxes_domain_change", args=[mailbox.domain.pk]), form)
    client.force_login(support)
    page = client.get(reverse("support_customer", args=[ours.pk])).text
    assert "name: Nasza → Nasza i Wasza; administrators: – → pomoc@hosting.example" in page
    page = client.get(reverse("support_domain", args=[mailbox.domain_id])).text
    assert "customer: – → Nasza i Wasza" in page
    assert "admin@hosting.example" in page
    record(mailbox, "address: a → b", support)
    assert "address: a → b" in client.get(reverse("mailbox_settings", args=[mailbox.pk])).text
