"""`explain`: what would be decided, with every rule; it changes nothing."""

import io
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mailboxes.models import Alias, Mailbox
from responders import services, validation
from responders.core.decision import RULES
from responders.models import Decision, PreviousResponse, Responder

MESSAGE = (
    b"From: Jan <jan@example.com>\r\nTo: anna@firma.example\r\nSubject: Oferta\r\n"
    b"Message-ID: <1@example.com>\r\n\r\nHej\r\n"
)


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on a message."""

    def run(*arguments: str, message: bytes = MESSAGE) -> str:
        out = io.StringIO()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(message)))
        call_command("explain", *arguments, stdout=out)
        return out.getvalue()

    return run


def test_it_shows_the_decision_every_rule_and_the_reply(explain: Any, standing_reply: Responder) -> None:
    shown = json.loads(explain("--sender", "jan@example.com", "--recipient", "Anna@firma.example", "--json"))
    assert (shown["reason"], shown["mailbox"]) == ("replied", "anna@firma.example")
    assert [row["rule"] for row in shown["rules"]] == [rule.reason.value for rule in RULES]
    assert {row["outcome"] for row in shown["rules"]} == {"miss"}
    assert "Subject: Auto: Oferta" in shown["reply"]
    assert not Decision.objects.exists()
    assert not PreviousResponse.objects.exists()


def test_it_goes_on_after_the_first_hit(explain: Any, standing_reply: Responder) -> None:
    message = b"List-Id: x\r\nAuto-Submitted: auto-generated\r\n" + MESSAGE
    text = explain("--sender", "jan@example.com", "--recipient", "anna@firma.example", message=message)
    assert "decision  auto-submitted: The message says itself that a machine wrote it." in text
    assert "hit   list-or-bulk            List-Id: x" in text
    assert "reply\n" not in text


@pytest.mark.parametrize(("at", "reason"), [("2099-07-01T07:59:59", "inactive"), ("2099-07-01T08:00", "replied")])
def test_a_moment_without_an_offset_is_in_the_mailboxs_zone(
    explain: Any, mailbox: Mailbox, at: str, reason: str
) -> None:
    values = validation.ResponderInput(
        type="absence", is_enabled=True, from_date=datetime(2099, 7, 1, 8, 0), to_date=None,
        time_zone="Europe/Warsaw", subject="x", text_body="x",
    )  # fmt: skip
    services.save_responder(mailbox, values, actor=None, now=services.database_now())
    shown = explain("--sender", "jan@example.com", "--recipient", mailbox.address, "--at", at, "--json")
    assert json.loads(shown)["reason"] == reason


def test_it_knows_whom_the_responder_answered(explain: Any, standing_reply: Responder) -> None:
    now = services.database_now()
    PreviousResponse.objects.create(
        responder=standing_reply, text_revision=1, activation=1, reverse_path_key="jan@example.com", queue_id="A",
        state="replied", claimed_at=now, lease_until=now, replied_at=now,
    )  # fmt: skip
    assert "already-replied" in explain("--sender", "JAN@example.com", "--recipient", "anna@firma.example")


def test_an_address_without_a_mailbox_is_said(explain: Any, mailbox: Mailbox) -> None:
    assert "no-mailbox" in explain("--sender", "jan@example.com", "--recipient", "ewa@firma.example")


def test_an_alias_of_two_is_explained_for_each(
    explain: Any, standing_reply: Responder, add_alias: Callable[..., Alias]
) -> None:
    ewa = Mailbox.objects.create(domain=standing_reply.mailbox.domain, local_part="ewa")
    add_alias("zespol", standing_reply.mailbox, ewa)
    shown = explain("--sender", "jan@example.com", "--recipient", "zespol+x@firma.example", "--json").splitlines()
    assert [json.loads(line)["mailbox"] for line in shown] == ["anna@firma.example", "ewa@firma.example"]
    # Anna stands in To herself; the group does not count as Ewa's own address.
    assert [json.loads(line)["reason"] for line in shown] == ["replied", "not-addressed"]


def test_what_is_no_address_is_said_in_one_line(explain: Any, mailbox: Mailbox) -> None:
    with pytest.raises(CommandError, match="is not an address"):
        explain("--sender", "x", "--recipient", "nobody")
