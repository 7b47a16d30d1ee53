"""`quarantine`: what the hook failed on is listed, shown, and given to it again."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from mailboxes.models import LogLine
from responders.hook import pipeline
from responders.models import Decision, QuarantinedMessage, Responder
from tests.lmtp.parts import Hook, Relay, message
from webmail_panel.embedded import free_port


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("quarantine", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def kept(hook: Hook, standing_reply: Responder, monkeypatch: pytest.MonkeyPatch) -> QuarantinedMessage:
    """A message on which the hook failed."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(pipeline, "compose", fail)
        hook.deliver(message(body=".dot\r\n.."))
    return QuarantinedMessage.objects.get()


def test_it_lists_and_shows(kept: QuarantinedMessage) -> None:
    row = json.loads(run("list", "--json"))
    assert (row["id"], row["error"]) == (kept.pk, "ZeroDivisionError: planted")
    assert "anna@firma.example" in run("list")
    shown = run("show", str(kept.pk))
    assert "Traceback" in shown
    assert "Subject: Pytanie" in shown


def test_when_the_bug_is_gone_the_message_is_answered(kept: QuarantinedMessage, hook: Hook, relay: Relay) -> None:
    assert run("retry", str(kept.pk), "--hook", f"127.0.0.1:{hook.port}") == f"{kept.pk} taken: 250\n"
    assert not QuarantinedMessage.objects.exists()
    assert [reply["To"] for reply in relay.replies] == ["jan@nadawca.example"]
    assert list(Decision.objects.order_by("id").values_list("reason", flat=True)) == ["error", "replied"]


def test_that_it_was_given_to_the_hook_again_stands_in_the_log(kept: QuarantinedMessage, hook: Hook) -> None:
    run("retry", str(kept.pk), "--hook", f"127.0.0.1:{hook.port}")
    line = LogLine.objects.get(model="responders.quarantinedmessage")
    assert (line.key, line.words) == (str(kept.pk), "given to the hook again")
    assert (line.actor, line.place, line.way) == (None, None, "command")


def test_while_the_bug_is_there_the_message_stays(
    kept: QuarantinedMessage, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("still there")

    monkeypatch.setattr(pipeline, "compose", fail)
    run("retry", str(kept.pk), "--hook", f"127.0.0.1:{hook.port}")
    again = QuarantinedMessage.objects.get()
    assert "still there" in again.traceback
    assert bytes(again.content) == bytes(kept.content)


def test_what_the_hook_cannot_take_now_stays(kept: QuarantinedMessage, hook: Hook, relay: Relay) -> None:
    relay.answer_to_recipient = "451 4.2.0 later"
    with pytest.raises(SystemExit):
        run("retry", str(kept.pk), "--hook", f"127.0.0.1:{hook.port}")
    assert QuarantinedMessage.objects.filter(pk=kept.pk).exists()


def test_what_cannot_be_done_is_said_in_one_line(kept: QuarantinedMessage) -> None:
    with pytest.raises(CommandError, match="no message 0"):
        run("show", "0")
    with pytest.raises(CommandError, match="cannot be reached"):
        run("retry", str(kept.pk), "--hook", f"127.0.0.1:{free_port()}")
