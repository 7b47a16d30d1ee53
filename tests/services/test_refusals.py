"""Refusals: listed and lifted by command and by an administrator, told by `explain`, deleted when they are over."""

import io
import json
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from mailboxes.models import LogLine, Mailbox, User
from responders import explanation, services, tasks
from responders.models import Refusal, ReplyCount, Responder
from tests.lmtp.name_server import NameServer

pytestmark = pytest.mark.django_db
LETTER = b"From: jan@example.com\r\nTo: anna@firma.example\r\nSubject: x\r\n\r\nx\r\n"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("refusal", *arguments, stdout=out)
    return out.getvalue()


def refuse(address: str, *, days_ago: int = 0) -> Refusal:
    refused_at = services.database_now() - timedelta(days=days_ago)
    return Refusal.objects.create(address=address, refused_at=refused_at, words="550 5.1.1 No such user")


def test_the_command_lists_those_in_force_the_latest_first() -> None:
    for days, address in ((3, "a@x.example"), (1, "b@x.example"), (61, "old@x.example")):
        refuse(address, days_ago=days)
    rows = [json.loads(line) for line in run("list", "--json").splitlines()]
    assert [(row["address"], row["words"]) for row in rows] == [
        ("b@x.example", "550 5.1.1 No such user"), ("a@x.example", "550 5.1.1 No such user"),
    ]  # fmt: skip
    assert datetime.fromisoformat(rows[0]["refused_at"]).tzinfo is not None
    assert run("list").splitlines()[1].startswith("a@x.example\t")


def test_the_command_lifts() -> None:
    for address in ("a@x.example", "b@x.example", "c@y.example"):
        refuse(address)
    assert run("lift", "A@X.example", "nobody@x.example") == "A@X.example\t1\nnobody@x.example\t0\n"
    assert json.loads(run("lift", "@x.example", "--json")) == {"address": "@x.example", "lifted": 1}
    assert Refusal.objects.get().address == "c@y.example"


@pytest.mark.parametrize("address", ["nobody", "@", "@-"])
def test_what_is_no_address_is_one_clear_line(address: str) -> None:
    with pytest.raises(CommandError):
        run("lift", address)


def test_an_administrator_lifts_the_chosen_ones(client: Client, plain_static_files: None) -> None:
    chosen = refuse("a@x.example"), refuse("b@x.example")
    refuse("c@x.example")
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    address = reverse("admin:responders_refusal_changelist")
    assert "550 5.1.1 No such user" in client.get(address, {"q": "a@x"}).text
    typed = {"action": "lift", "_selected_action": [row.pk for row in chosen]}
    assert "may get one again" in client.post(address, typed).text
    assert Refusal.objects.count() == 3
    assert client.post(address, typed | {"confirmed": "yes"}, follow=True).status_code == 200
    assert Refusal.objects.get().address == "c@x.example"
    assert set(LogLine.objects.values_list("name", "words", "way")) == {
        ("a@x.example", "lifted: 1", "administration"), ("b@x.example", "lifted: 1", "administration"),
    }  # fmt: skip


def test_staff_without_the_right_lifts_nothing(client: Client, plain_static_files: None) -> None:
    row = refuse("a@x.example")
    client.force_login(User.objects.create_user("pomoc@hosting.example", is_staff=True))
    typed = {"action": "lift", "_selected_action": [row.pk]}
    client.post(reverse("admin:responders_refusal_changelist"), typed | {"confirmed": "yes"})
    assert Refusal.objects.exists()


def test_those_that_are_over_are_deleted() -> None:
    refuse("old@x.example", days_ago=61)
    refuse("new@x.example", days_ago=59)
    assert tasks.delete_old_refusals() == 1
    assert Refusal.objects.get().address == "new@x.example"


def explained(mailbox: Mailbox, sender: str = "jan@example.com") -> tuple[str, str]:
    found = explanation.explain_for(mailbox, LETTER, sender, mailbox.address, at=services.database_now())
    return found.reason, found.evidence


def test_explain_knows_of_a_refusal(standing_reply: Responder) -> None:
    refuse("jan@example.com")
    reason, evidence = explained(standing_reply.mailbox, "Jan@Example.com")
    assert (reason, evidence.partition(": ")[2]) == ("undeliverable", "550 5.1.1 No such user")


def test_explain_knows_of_a_drawn_brake(standing_reply: Responder) -> None:
    mailbox, now = standing_reply.mailbox, services.database_now()
    mailbox.replies_per_hour = 5
    mailbox.save()
    ReplyCount.objects.create(key=f"m{mailbox.pk}", bucket=now - timedelta(minutes=50), replies=3)
    assert explained(mailbox)[0] == "replied"
    ReplyCount.objects.create(key=f"m{mailbox.pk}", bucket=now - timedelta(minutes=5), replies=2)
    assert explained(mailbox) == ("rate-limited", "mailbox: 5 an hour")
    mailbox.replies_per_hour = 6
    mailbox.save()
    assert explained(mailbox)[0] == "replied"


def test_explain_asks_the_dns_as_the_hook_does(standing_reply: Responder, settings: Settings) -> None:
    name_server = NameServer()
    settings.CHECK_SENDER_DOMAINS, settings.DNS_SERVER = True, name_server.address
    name_server.zone["example.com"] = ["0 ."]
    assert explained(standing_reply.mailbox) == ("undeliverable", "example.com: null MX")
    assert explained(standing_reply.mailbox, "jan@firma.example")[0] == "replied"
    assert name_server.asked == ["example.com"]
    name_server.stop()
