"""Django admin: every list opens, and responders are saved through the services."""

from datetime import datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from mailboxes.models import Domain, Mailbox, User
from responders.models import Decision, QuarantinedMessage, Responder, ResponderEvent
from responders.services import database_now

MODELS = [model for model in admin.site._registry if model._meta.app_label in {"mailboxes", "responders"}]


@pytest.fixture
def as_admin(client: Client, standing_reply: Responder) -> Client:
    """Signed in as an administrator, with something in the tables."""
    Decision.objects.create(
        mailbox=standing_reply.mailbox, decided_at=datetime.now().astimezone(), forward_path="x@y", reason="replied"
    )
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_every_list_opens_and_searches(as_admin: Client, model: type) -> None:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")  # type: ignore[attr-defined]
    assert as_admin.get(address).status_code == 200
    assert as_admin.get(address, {"q": "anna"}).status_code == 200


@pytest.mark.parametrize("model", [User, Mailbox, Responder, Decision], ids=lambda model: model._meta.model_name)
def test_a_row_opens(as_admin: Client, model: type) -> None:
    row = model.objects.first()  # type: ignore[attr-defined]
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    assert as_admin.get(address).status_code == 200


def test_a_responder_is_saved_through_the_services(as_admin: Client, mailbox: Mailbox) -> None:
    typed = {
        "mailbox": mailbox.pk, "type": "absence", "is_enabled": "on", "from_date": "2099-07-01T08:00", "to_date": "",
        "time_zone": "Europe/Warsaw", "subject": "x", "text_body": "y", "html_body": "", "interval_days": "7",
        "audience": "everyone", "case_form": "year", "hours_mode": "always",
        "office_days": "0,1,2,3,4", "office_opens": "08:00", "office_closes": "16:00",
    }  # fmt: skip
    address = reverse("admin:responders_responder_add")
    assert as_admin.post(address, typed).status_code == 302
    row = Responder.objects.get(subject="x")
    assert (row.state, row.from_date, row.position) == ("scheduled", datetime(2099, 7, 1, 8, 0), 1)
    assert row.next_transition_at == row.from_utc
    event = ResponderEvent.objects.get(responder=row)
    assert (event.kind, event.actor and event.actor.email) == ("created", "admin@hosting.example")
    change = reverse("admin:responders_responder_change", args=[row.pk])
    page = as_admin.post(change, typed | {"from_date": "2099-03-29T02:30"})
    assert "does not exist" in page.text
    as_admin.post(change, typed | {"text_body": "z"})
    row.refresh_from_db()
    assert (row.text_revision, row.text_body) == (2, "z")
    as_admin.post(reverse("admin:responders_responder_delete", args=[row.pk]), {"post": "yes"})
    assert ResponderEvent.objects.filter(kind="deleted").count() == 1


def test_what_the_hook_wrote_cannot_be_changed(as_admin: Client) -> None:
    assert as_admin.get(reverse("admin:responders_decision_add")).status_code == 403


def test_an_owner_does_not_come_in(client: Client, anna: User) -> None:
    client.force_login(anna)
    assert client.get(reverse("admin:index")).status_code == 302


def act(client: Client, row: Mailbox | Domain | Responder | QuarantinedMessage, action: str, **more: str) -> None:
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
    assert client.post(address, {"action": action, "_selected_action": row.pk} | more).status_code in {200, 302}
    row.refresh_from_db()


def test_suspended_and_taken_back_by_actions(as_admin: Client, mailbox: Mailbox) -> None:
    for row in (mailbox, mailbox.domain):
        act(as_admin, row, "suspend")
        assert row.suspended_at is not None
        change = reverse(f"admin:mailboxes_{row._meta.model_name}_change", args=[row.pk])
        assert 'name="is_active"' not in as_admin.get(change).text
        act(as_admin, row, "resume")
        assert (row.suspended_at, row.is_active) == (None, True)


def test_a_mailbox_deleted_here_may_be_brought_back(as_admin: Client, mailbox: Mailbox) -> None:
    page = reverse("admin:mailboxes_mailbox_delete", args=[mailbox.pk])
    assert as_admin.get(page).status_code == 200
    as_admin.post(page, {"post": "yes"})
    mailbox.refresh_from_db()
    assert mailbox.deleted_at is not None
    act(as_admin, mailbox, "restore")
    assert mailbox.is_active
    act(as_admin, mailbox, "delete_selected", post="yes")
    assert mailbox.deleted_at is not None


def test_responders_are_ended_and_moved_on_by_actions(as_admin: Client, standing_reply: Responder) -> None:
    act(as_admin, standing_reply, "end_now")
    assert not standing_reply.is_enabled
    assert ResponderEvent.objects.get().actor == User.objects.get(email="admin@hosting.example")
    past = database_now() - timedelta(minutes=5)
    Responder.objects.filter(pk=standing_reply.pk).update(
        is_enabled=True, type="absence", state="scheduled", next_transition_at=past, from_utc=past,
        from_date=past.replace(tzinfo=None),
    )  # fmt: skip
    act(as_admin, standing_reply, "move_on")
    assert standing_reply.state == "active"


def test_a_quarantined_message_is_purged_by_whoever_may(as_admin: Client, roles: None) -> None:
    row = QuarantinedMessage.objects.create(received_at=database_now(), forward_path="x@y", traceback="x", content=b"x")
    lead = User.objects.create_user("lead@hosting.example", is_staff=True)
    lead.groups.add(Group.objects.get(name="support lead"))
    other = Client()
    other.force_login(lead)
    address = reverse("admin:responders_quarantinedmessage_changelist")
    other.post(address, {"action": "purge", "_selected_action": row.pk})
    assert QuarantinedMessage.objects.exists()
    as_admin.post(address, {"action": "purge", "_selected_action": row.pk})
    assert not QuarantinedMessage.objects.exists()
