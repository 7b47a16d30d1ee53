"""What is known about one person, and forgetting it."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from mailboxes.models import Mailbox, User
from responders.models import (
    Decision,
    NumberedCase,
    PreviousResponse,
    QuarantinedMessage,
    Refusal,
    Responder,
    ResponderEvent,
)
from responders.services import By, database_now, switch

JAN, OLA = "jan@bücher.example", "ola@bücher.example"
JAN_PLAIN = "jan@xn--bcher-kva.example"


def person(action: str, address: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("person", action, address, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@pytest.fixture
def traces(standing_reply: Responder, mailbox: Mailbox) -> Responder:
    """Jan and Ola both wrote, in several spellings."""
    now = database_now()
    for address, plain in ((JAN, JAN_PLAIN), (OLA, "ola@xn--bcher-kva.example")):
        for sender in (address, plain):
            Decision.objects.create(
                mailbox=mailbox, decided_at=now, reverse_path=sender, forward_path=mailbox.address, reason="replied",
                evidence=f"from {sender}", message_id=f"<1@{sender}>",
            )  # fmt: skip
        NumberedCase.objects.create(
            mailbox=mailbox, number=f"1{address[0]}", opened_at=now, opened_by=f"<1@{plain}>", reverse_path=plain,
            reverse_path_key=plain, subject="Skarga",
        )  # fmt: skip
        PreviousResponse.objects.create(
            responder=standing_reply, text_revision=1, activation=1, reverse_path_key=plain, queue_id="q",
            claimed_at=now, lease_until=now,
        )  # fmt: skip
        Refusal.objects.create(address=plain, refused_at=now)
        QuarantinedMessage.objects.create(
            received_at=now, reverse_path=plain, forward_path=mailbox.address, traceback="x", content=b"x"
        )
    return standing_reply


def test_everything_about_one_person_is_told_and_nothing_about_another(traces: Responder) -> None:
    found = person("export", "Jan@BÜCHER.example")
    assert found["address"] == JAN_PLAIN
    assert found["account"] is None
    counts = {name: len(rows) for name, rows in found.items() if isinstance(rows, list)}
    assert counts == {
        "decisions": 2, "cases": 1, "previous_responses": 1, "refusals": 1, "quarantine": 1, "deputies": 0,
    }  # fmt: skip
    assert "ola" not in json.dumps(found)


def test_a_sender_is_forgotten_and_the_counts_stay(traces: Responder) -> None:
    assert person("erase", JAN) == {
        "decisions": 2, "cases": 1, "previous_responses": 1, "refusals": 1, "quarantine": 1, "deputies": 0,
        "drafts": 0, "history": 0,
    }  # fmt: skip
    after = person("export", JAN)
    assert {name: rows for name, rows in after.items() if rows and name != "address"} == {}
    assert Decision.objects.filter(reason="replied").count() == 4
    kept = "".join(str(list(model.objects.values())) for model in (Decision, NumberedCase, PreviousResponse, Refusal))
    assert "jan" not in kept
    assert len(person("export", OLA)["decisions"]) == 2


def test_an_owner_is_told_what_they_did_and_it_is_forgotten_who_it_was(standing_reply: Responder, anna: User) -> None:
    switch(standing_reply, on=False, actor=By(anna, place="192.0.2.7"), now=database_now())
    account = person("export", "anna@firma.example")["account"]
    assert (account["email"], account["did"][0]["place"]) == ("anna@firma.example", "192.0.2.7")
    assert account["mailboxes"][0]["address"] == "anna@firma.example"
    assert account["responders"][0]["text_body"] == "Dziękuję za wiadomość."
    assert person("erase", "anna@firma.example")["history"] == 1
    event = ResponderEvent.objects.get()
    assert (event.actor, event.place, event.kind) == (None, None, "switched-off")


@pytest.mark.parametrize("address", ["", "nobody", "a@b@c"])
def test_what_is_no_address_is_one_line(db: None, address: str) -> None:
    with pytest.raises(CommandError) as told:
        person("erase", address)
    assert len(str(told.value).strip().splitlines()) <= 2


def test_an_administrator_does_it_in_the_administration(traces: Responder, plain_static_files: None) -> None:
    boss = User.objects.create_superuser("szef@hosting.example")
    client = Client()
    client.force_login(boss)
    chosen = list(Decision.objects.filter(reverse_path=JAN).values_list("pk", flat=True))
    told = client.post("/admin/responders/decision/", {"action": "export_senders", "_selected_action": chosen})
    assert list(told.json()) == [JAN]
    assert len(told.json()[JAN]["decisions"]) == len(person("export", JAN)["decisions"])
    assert "attachment" in told["Content-Disposition"]
    asked = client.post("/admin/responders/decision/", {"action": "erase_senders", "_selected_action": chosen})
    assert "is forgotten for good" in asked.text
    assert Decision.objects.filter(reverse_path__startswith="jan").exists()
    client.post(
        "/admin/responders/decision/", {"action": "erase_senders", "_selected_action": chosen, "confirmed": "yes"}
    )
    assert not Decision.objects.filter(reverse_path__startswith="jan").exists()
    assert Decision.objects.filter(reverse_path=OLA).exists()
