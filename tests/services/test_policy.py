"""Settings that change while the panel runs, and texts that the hosting company offers."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mailboxes.models import Mailbox, User
from responders import policy
from responders.models import HouseText, PolicyVersion, Refusal, validate_sender_pattern
from responders.services import database_now
from responders.support import refusals


def test_without_a_version_the_environment_holds(db: None, settings: Settings) -> None:
    settings.MAILBOX_REPLIES_PER_HOUR, settings.SYSTEM_SENDERS = 7, ["robot-*"]
    found = policy.policy_in_force()
    assert (found.mailbox_replies_per_hour, found.system_senders) == (7, ("robot-*",))
    assert policy.decision_retention_days() == settings.DECISION_RETENTION_DAYS


def test_the_latest_version_holds_where_it_says_something(db: None, settings: Settings) -> None:
    settings.DOMAIN_REPLIES_PER_HOUR = 9
    PolicyVersion.objects.create(mailbox_replies_per_hour=1, system_senders=["a"], decision_retention_days=5)
    PolicyVersion.objects.create(mailbox_replies_per_hour=0, refusal_days=0)
    found = policy.policy_in_force()
    assert (found.mailbox_replies_per_hour, found.domain_replies_per_hour, found.refusal_days) == (0, 9, 0)
    assert found.system_senders == tuple(settings.SYSTEM_SENDERS)
    assert policy.decision_retention_days() == settings.DECISION_RETENTION_DAYS


def test_refusals_hold_as_long_as_it_says(db: None) -> None:
    Refusal.objects.create(address="jan@example.com", refused_at=database_now())
    assert refusals.in_force().exists()
    PolicyVersion.objects.create(refusal_days=0)
    assert not refusals.in_force().exists()


@pytest.mark.parametrize("text", ["*", "", "a b", "a@b", "**", "a*b", "x" * 65])
def test_a_pattern_that_would_silence_everybody_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        validate_sender_pattern(text)


@pytest.mark.parametrize("text", ["robot", "robot-*", "*-noreply", "*bot*"])
def test_patterns(text: str) -> None:
    validate_sender_pattern(text)


@pytest.fixture
def as_admin(client: Client, db: None, plain_static_files: None) -> Client:
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    return client


def test_an_administrator_adds_a_version_and_changes_none(as_admin: Client) -> None:
    add = reverse("admin:responders_policyversion_add")
    typed = {"mailbox_replies_per_hour": "50", "system_senders": "robot-*,*-bot", "reason": "Święta"}
    assert as_admin.post(add, typed).status_code == 302
    version = PolicyVersion.objects.get()
    assert version.changed_by is not None
    assert policy.policy_in_force().system_senders == ("robot-*", "*-bot")
    page = as_admin.get(add)
    assert page.context["adminform"].form.initial["mailbox_replies_per_hour"] == 50
    assert as_admin.post(add, typed | {"system_senders": "*"}).status_code == 200
    assert as_admin.post(add, typed | {"mailbox_replies_per_hour": "-1"}).status_code == 200
    assert as_admin.post(add, typed | {"reason": ""}).status_code == 200
    change = reverse("admin:responders_policyversion_change", args=[version.pk])
    assert as_admin.post(change, typed).status_code == 403
    assert as_admin.post(reverse("admin:responders_policyversion_delete", args=[version.pk])).status_code == 403
    assert PolicyVersion.objects.count() == 1


def test_the_companys_texts_are_offered_before_our_own(as_admin: Client, mailbox: Mailbox) -> None:
    add = reverse("admin:responders_housetext_add")
    typed = {
        "language": "pl", "title": "Ferie", "type": "absence", "subject": "Ferie: {{ subject }}",
        "text_body": "Do {{ absence.end }}.",
        "position": "0",
    }  # fmt: skip
    assert as_admin.post(add, typed | {"text_body": "{{ nie.ma }}"}).status_code == 200
    assert not HouseText.objects.exists()
    assert as_admin.post(add, typed).status_code == 302
    assert mailbox.owner is not None
    as_admin.force_login(mailbox.owner)
    page = as_admin.get(reverse("responder_new", args=[mailbox.pk])).content.decode()
    assert page.index("Ferie: {{ subject }}") < page.index("Nieobecność: {{ subject }}")
