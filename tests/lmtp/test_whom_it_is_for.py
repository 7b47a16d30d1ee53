"""A responder that is not for everyone and everything, through the running hook and its SQL."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mailboxes.models import Alias, Customer, Domain
from responders.models import Decision, Responder
from tests.lmtp.parts import Hook, Relay, copy, message

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ENGLISH = {"language": "en", "for_colleagues": False, "subject": "Away", "text_body": "I am away.", "html_body": ""}
INSIDE = {"language": "pl", "for_colleagues": True, "subject": "Urlop", "text_body": "Intranet.", "html_body": ""}


@pytest.fixture
def company(standing_reply: Responder) -> Responder:
    """The mailbox's domain and firma-dwa.example belong to one customer, obca.example to nobody."""
    customer = Customer.objects.create(name="Firma", number="1")
    Domain.objects.filter(name="firma.example").update(customer=customer)
    Domain.objects.create(name="firma-dwa.example", customer=customer)
    Domain.objects.create(name="obca.example")
    return standing_reply


def change(row: Responder, **fields: object) -> None:
    Responder.objects.filter(pk=row.pk).update(**fields)


@pytest.mark.parametrize(
    ("audience", "answered"),
    [
        ("everyone", ["ewa@firma.example", "ewa@firma-dwa.example", "ewa@obca.example", "jan@nadawca.example"]),
        ("colleagues", ["ewa@firma.example", "ewa@firma-dwa.example"]),
        ("others", ["ewa@obca.example", "jan@nadawca.example"]),
    ],
)
def test_the_customers_domains_make_colleagues(
    hook: Hook, relay: Relay, company: Responder, audience: str, answered: list[str]
) -> None:
    change(company, audience=audience)
    for sender in ("ewa@firma.example", "ewa@firma-dwa.example", "ewa@obca.example", "jan@nadawca.example"):
        hook.deliver(message(), sender=sender)
    assert [paths[0] for _null, paths in relay.envelopes] == answered
    silent = Decision.objects.exclude(reason="replied").values_list("reason", flat=True)
    assert set(silent) <= {"audience"}


def test_without_a_customer_the_own_domain_alone_makes_colleagues(
    hook: Hook, relay: Relay, standing_reply: Responder
) -> None:
    Domain.objects.create(name="obca.example")
    change(standing_reply, audience="colleagues")
    for sender in ("ewa@Firma.Example", "ewa@obca.example"):
        hook.deliver(message(), sender=sender)
    assert [paths[0] for _null, paths in relay.envelopes] == ["ewa@Firma.Example"]


def test_each_sender_reads_the_text_meant_for_them(hook: Hook, relay: Relay, company: Responder) -> None:
    change(company, texts=[ENGLISH, INSIDE], language="pl")
    hook.deliver(message(), sender="jan@nadawca.example")
    hook.deliver(message(extra="Accept-Language: en-GB, de\r\n"), sender="john@nadawca.example")
    hook.deliver(message(extra="Accept-Language: en\r\n"), sender="ewa@firma-dwa.example")
    assert [(reply["Subject"], reply["Content-Language"]) for reply in relay.replies] == [
        ("Auto: Pytanie", "pl"),
        ("Away", "en"),
        ("Urlop", "pl"),
    ]


def test_the_reply_comes_from_the_alias_that_was_written_to(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias]
) -> None:
    add_alias("biuro", standing_reply.mailbox)
    hook.deliver(message(to="biuro@firma.example"), copy("biuro@firma.example"))
    hook.deliver(message(), sender="ola@nadawca.example")
    assert [reply["From"].addresses[0].addr_spec for reply in relay.replies] == [
        "biuro@firma.example",
        "anna@firma.example",
    ]


def test_it_answers_for_the_chosen_addresses_alone(
    hook: Hook, relay: Relay, standing_reply: Responder, add_alias: Callable[..., Alias]
) -> None:
    add_alias("biuro", standing_reply.mailbox)
    change(standing_reply, addresses=["biuro@firma.example"])
    hook.deliver(message())
    hook.deliver(message(to="biuro@firma.example"), copy("biuro@firma.example"))
    assert list(Decision.objects.order_by("id").values_list("reason", flat=True)) == ["condition", "replied"]
    assert len(relay.contents) == 1


def test_words_choose_between_the_responders_of_a_mailbox(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    change(standing_reply, position=5)
    for position, (word, in_body) in enumerate([("reklamacja", True), ("oferta", False)]):
        Responder.objects.create(
            mailbox=standing_reply.mailbox, type="standing", position=position, subject=word, text_body="x",
            words=[word], words_in_body=in_body, word_forms=True,
        )  # fmt: skip
    hook.deliver(message(subject="Ofertę proszę", body="Dzień dobry"), sender="a@nadawca.example")
    hook.deliver(message(subject="Pytanie", body="Składam REKLAMACJĘ."), sender="b@nadawca.example")
    hook.deliver(message(subject="Pytanie", body="Proszę o ofertę."), sender="c@nadawca.example")
    assert [reply["Subject"] for reply in relay.replies] == ["oferta", "reklamacja", "Auto: Pytanie"]


@pytest.mark.parametrize(("once", "replies"), [(False, 2), (True, 1)])
def test_once_per_absence_no_interval_ends(
    hook: Hook, relay: Relay, standing_reply: Responder, database_clock, once: bool, replies: int
) -> None:
    change(standing_reply, answers_once=once, interval_days=1)
    for days in (0, 1):
        database_clock(NOW + timedelta(days=days))
        hook.deliver(message(received_at=NOW + timedelta(days=days)))
    assert len(relay.contents) == replies
    change(standing_reply, activation=2)
    hook.deliver(message(received_at=NOW + timedelta(days=1)))
    assert len(relay.contents) == replies + 1


def test_office_hours_are_those_of_the_database_clock(
    hook: Hook, relay: Relay, standing_reply: Responder, database_clock
) -> None:
    change(standing_reply, hours_mode="outside", country="PL")
    for moment in (datetime(2026, 12, 7, 11, tzinfo=UTC), datetime(2026, 12, 7, 15, tzinfo=UTC)):
        database_clock(moment)
        hook.deliver(message(received_at=moment))
    assert list(Decision.objects.order_by("id").values_list("reason", flat=True)) == ["inactive", "replied"]
