"""A reply that the sender's server refuses, after Postfix took it: the next message is not answered."""

import json
import smtplib

import pytest
from django.conf import settings

from responders.hook.refusals import REPORTS, envelope_id
from responders.models import Refusal
from tests.mta.conftest import Hosting
from tests.mta.stack import STRANGER, TRUSTED, Stack, message, until

NO_SUCH_USER = "550 5.1.1 No such user here"


def test_who_refuses_a_reply_gets_no_other(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna, ewa = hosting.away("anna"), hosting.away("ewa")
    stack.sink.refuse(sender, NO_SUCH_USER)
    stack.send(sender, anna)
    refusal = until(lambda: Refusal.objects.filter(address=sender).first(), "the refusal")
    assert NO_SUCH_USER in refusal.words
    assert hosting.decisions(anna) == ["replied"]
    stack.wait_for_empty_queue()

    stack.send(sender, ewa)
    until(lambda: hosting.decisions(ewa) == ["undeliverable"], "the decision")
    stack.wait_until_stored(ewa)

    [listed] = [row for line in stack.manage("refusal", "list", "--json").splitlines()
                if (row := json.loads(line))["address"] == sender]  # fmt: skip
    assert NO_SUCH_USER in listed["words"]
    assert json.loads(stack.manage("refusal", "lift", sender, "--json")) == {"address": sender, "lifted": 1}
    stack.sink.accept(sender)
    stack.send(sender, ewa)
    stack.sink.wait_for(sender)


def test_a_reply_that_is_refused_for_now_is_no_refusal(stack: Stack, hosting: Hosting, sender: str) -> None:
    """It expires in the queue; Postfix reports that, too."""
    anna = hosting.away("anna")
    stack.sink.refuse(sender, "451 4.3.0 Later")
    written = stack.log_length()
    with stack.postfix_with(maximal_queue_lifetime="3s", bounce_queue_lifetime="3s"):
        stack.send(sender, anna)
        until(lambda: "status=expired" in stack.log(written), "an expired reply")
        until(lambda: f"to=<{REPORTS}@autoreply.invalid>" in stack.log(written), "the report")
        stack.wait_for_empty_queue()
    assert not Refusal.objects.filter(address=sender).exists()


def test_nobody_can_plant_a_refusal_through_an_alias(stack: Stack, hosting: Hosting, sender: str) -> None:
    """A message with the null sender, through us to a server that does not like it; it bears a name, but not ours."""
    hosting.mailbox("anna")
    alias = hosting.alias("do-partnera", sender)
    stack.sink.refuse(sender, "550 5.7.1 Spam")
    written = stack.log_length()
    name_of_another = envelope_id(settings.SECRET_KEY.encode(), "attacker@klient.example")
    content = message("attacker@klient.example", alias).as_bytes()
    stack.send("", alias, content, options=(f"ENVID={name_of_another}",))
    until(lambda: f"to=<{REPORTS}@autoreply.invalid>" in stack.log(written), "the report")
    stack.wait_for_empty_queue()
    assert "250 2.0.0 Read" in stack.log(written)
    assert not Refusal.objects.filter(address=sender).exists()


@pytest.mark.parametrize("client", [STRANGER, TRUSTED], ids=["a stranger", "one of mynetworks"])
@pytest.mark.parametrize("reverse_path", ["", "double-bounce@mail.panel.example"])
def test_only_postfix_itself_can_report(stack: Stack, hosting: Hosting, client: str, reverse_path: str) -> None:
    for recipient in (f"{REPORTS}@autoreply.invalid", f"{REPORTS}@AUTOREPLY.invalid"):
        with stack.smtp(client) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.sendmail(reverse_path, [recipient], b"Subject: x\r\n\r\nx\r\n")
        assert refused.value.recipients[recipient][0] == 550
