"""Django admin: every list opens, and responders are saved through the services."""

from datetime import datetime

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox, User
from responders.models import Decision, Responder, ResponderEvent

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
