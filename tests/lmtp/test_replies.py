"""A message comes in over LMTP, and a reply goes out or not."""

from collections.abc import Callable

from mailboxes.models import Alias, Mailbox
from responders.models import Decision, PreviousResponse, Responder
from tests.lmtp.parts import SENDER, Hook, Relay, copy, message

Reasons = Callable[[], list[str]]


def test_it_answers_a_person(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    assert hook.deliver(message(subject="Zażółć")) == ["250 2.0.0 Decided"]

    [(reverse_path, forward_paths)], [reply] = relay.envelopes, relay.replies
    assert (reverse_path, forward_paths) == ("<>", [SENDER])
    assert reply["To"] == SENDER
    assert reply["From"] == "Anna Nowak <anna@firma.example>"
    assert reply["Subject"] == "Auto: Zażółć"
    assert reply["Auto-Submitted"] == "auto-replied"
    assert reply["X-Auto-Response-Suppress"] == "All"
    assert reply["Precedence"] == "bulk"
    assert reply["In-Reply-To"] == reply["References"]
    assert "Dziękuję za wiadomość." in reply.get_content()


def test_what_was_decided_is_kept(hook: Hook, standing_reply: Responder) -> None:
    hook.deliver(message(queue_id="4ABCDE"))

    decision = Decision.objects.get()
    assert (decision.reason, decision.mailbox, decision.responder) == (
        "replied",
        standing_reply.mailbox,
        standing_reply,
    )
    assert (decision.reverse_path, decision.forward_path) == (SENDER, "anna@firma.example")
    assert decision.queue_id == "4ABCDE"
    assert decision.message_id.endswith("@nadawca.example>")
    assert decision.misses[0] == "null-reverse-path"
    assert decision.misses[-1] == "undeliverable"
    response = PreviousResponse.objects.get()
    assert (response.state, response.reverse_path_key) == ("replied", SENDER)
    assert response.replied_at is not None


def test_it_answers_the_same_sender_once(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    for _message in range(3):
        hook.deliver(message())
    assert len(relay.contents) == 1
    assert decisions() == ["replied", "already-replied", "already-replied"]


def test_it_answers_each_sender(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    for name in ("ala", "ola"):
        hook.deliver(message(), sender=f"{name}@nadawca.example")
    assert [paths for _null, paths in relay.envelopes] == [["ala@nadawca.example"], ["ola@nadawca.example"]]


def test_a_new_text_is_sent_afresh(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    hook.deliver(message())
    Responder.objects.update(text_body="Nowy tekst.", text_revision=2)
    hook.deliver(message())
    assert "Nowy tekst." in relay.replies[1].get_content()


def test_it_does_not_answer_a_list(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    assert hook.deliver(message(extra="List-Id: <news.example>\r\n")) == ["250 2.0.0 Decided"]

    decision = Decision.objects.get()
    assert (decision.reason, decision.evidence) == ("list-or-bulk", "List-Id: <news.example>")
    assert decision.mailbox == standing_reply.mailbox  # although no mailbox was asked for before
    assert not relay.contents


def test_a_message_without_anything_is_decided(
    hook: Hook, relay: Relay, standing_reply: Responder, decisions: Reasons
) -> None:
    assert hook.deliver(b"") == ["250 2.0.0 Decided"]
    assert decisions() == ["not-addressed"]


def test_a_plain_address_is_a_recipient_too(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    hook.deliver(message(), "Anna@Firma.Example")
    assert len(relay.contents) == 1


def test_a_subaddress_reaches_its_mailbox(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    hook.deliver(message(to="anna+faktury@firma.example"), copy("anna+faktury@firma.example"))
    hook.deliver(message(extra="List-Id: <news.example>\r\n"), copy("anna+faktury@firma.example"))
    assert len(relay.contents) == 1
    assert set(Decision.objects.values_list("mailbox_id", "forward_path")) == {
        (standing_reply.mailbox_id, "anna+faktury@firma.example")
    }


def test_nobody_behind_the_address(hook: Hook, relay: Relay, mailbox: Mailbox, decisions: Reasons) -> None:
    assert hook.deliver(message(), copy("nikt@firma.example")) == ["250 2.0.0 Decided"]
    assert hook.deliver(message(), "no address at all") == ["250 2.0.0 Decided"]
    assert decisions() == ["no-mailbox", "no-mailbox"]
    assert set(Decision.objects.values_list("mailbox_id", flat=True)) == {None}


def test_an_alias_and_its_mailbox_in_one_transaction_give_one_reply(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias], decisions: Reasons
) -> None:
    add_alias("biuro", standing_reply.mailbox)
    content = message(to="anna@firma.example, biuro@firma.example")
    replies = hook.deliver(content, copy("biuro@firma.example"), copy("anna@firma.example"))

    assert replies == ["250 2.0.0 Decided"] * 2
    assert len(relay.contents) == 1
    assert sorted(decisions()) == ["already-replied", "replied"]


def test_an_alias_and_its_mailbox_in_two_transactions_give_one_reply(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias], decisions: Reasons
) -> None:
    add_alias("biuro", standing_reply.mailbox)
    content = message(to="anna@firma.example, biuro@firma.example")
    hook.deliver(content, copy("biuro@firma.example"))
    hook.deliver(content, copy("anna@firma.example"))
    assert len(relay.contents) == 1
    assert decisions() == ["replied", "already-replied"]


def test_of_a_group_those_answer_that_count_the_address_as_their_own(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias]
) -> None:
    anna = standing_reply.mailbox
    others = [Mailbox.objects.create(domain=anna.domain, local_part=name) for name in ("bartek", "celina")]
    for other in others:
        Responder.objects.create(mailbox=other, type="standing", subject="Auto", text_body=other.local_part)
    group = add_alias("zespol", anna, others[0], others[1])
    group.targets.filter(mailbox__in=[anna, others[1]]).update(is_own_address=True)

    assert hook.deliver(message(to="zespol@firma.example"), copy("zespol@firma.example")) == ["250 2.0.0 Decided"]

    authors = [reply["From"].addresses[0] for reply in relay.replies]
    assert {author.addr_spec for author in authors} == {"zespol@firma.example"}
    reasons = dict(Decision.objects.values_list("mailbox__local_part", "reason"))
    assert reasons == {"anna": "replied", "bartek": "not-addressed", "celina": "replied"}


def test_the_first_responder_in_the_owners_order_that_is_on_answers(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    Responder.objects.create(
        mailbox=standing_reply.mailbox, type="standing", position=1, subject="Auto", text_body="Druga."
    )
    Responder.objects.filter(pk=standing_reply.pk).update(is_enabled=False)
    hook.deliver(message())
    assert "Druga." in relay.replies[0].get_content()


def test_a_sender_with_letters_of_its_own_gets_a_reply(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    hook.deliver(message(), sender="żółw@bücher.example")
    assert relay.envelopes == [("<>", ["żółw@xn--bcher-kva.example"])]
