"""What an owner may ask of a responder beyond its dates and its text."""

from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from mailboxes.models import Alias, Customer, Domain, Mailbox
from mailboxes.services import group_targets
from responders import history, sentences, services, validation
from responders.core.facts import Text
from responders.models import Responder
from tests.services.test_responders import ABSENCE, END, NOW, START

ENGLISH = Text("en", "Away", "I am away.")
INSIDE = Text("pl", "Urlop", "Intranet.", for_colleagues=True)


def save(mailbox: Mailbox, responder: Responder | None = None, **changes: Any) -> Responder:
    values = replace(validation.as_input(responder) if responder else ABSENCE, **changes)
    return services.save_responder(mailbox, values, actor=None, now=NOW, responder=responder)


def refused(mailbox: Mailbox, **changes: Any) -> dict[str, list[str]]:
    with translation.override("en"), pytest.raises(validation.ResponderInvalid) as caught:
        save(mailbox, **changes)
    return caught.value.errors


@pytest.fixture
def ewa(mailbox: Mailbox) -> Mailbox:
    """A colleague's mailbox, in another domain of the same customer."""
    customer = Customer.objects.create(name="Firma", number="1")
    Domain.objects.filter(name="firma.example").update(customer=customer)
    domain = Domain.objects.create(name="firma-dwa.example", customer=customer)
    mailbox.refresh_from_db()
    return Mailbox.objects.create(domain=domain, local_part="ewa", name="Ewa")


def test_what_was_asked_is_kept_tidy(mailbox: Mailbox, add_alias: Callable[..., Alias]) -> None:
    add_alias("biuro", mailbox)
    row = save(
        mailbox, texts=(replace(ENGLISH, subject=" Away\r\nnow "), INSIDE), audience="others",
        addresses=("biuro@firma.example",), words=(" Zwrot  towaru ", "zwrot", "zwrot"), words_in_body=True,
        senders=("Jan@EXAMPLE.com", "@Bücher.example"), deputy_name="Ewa\0 Lis", deputy_address=" Ewa@Firma.example ",
    )  # fmt: skip
    stored = Responder.objects.get(pk=row.pk)
    assert validation.as_input(stored) == validation.as_input(row)
    assert (stored.language, stored.words, stored.senders) == (
        "pl", ["Zwrot towaru", "zwrot"], ["jan@example.com", "xn--bcher-kva.example"],
    )  # fmt: skip
    assert (stored.deputy_name, stored.deputy_address) == ("Ewa Lis", "ewa@firma.example")
    assert stored.facts.texts == (replace(ENGLISH, subject="Away now"), INSIDE)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"texts": (replace(ENGLISH, subject=""),)}, "texts-0-subject", "Write a subject"),
        ({"texts": (ENGLISH, replace(INSIDE, text_body="{{ x }}"))}, "texts-1-text_body", "no placeholder “x”"),
        ({"texts": (ENGLISH, ENGLISH)}, "texts-1-language", "already"),
        ({"texts": (replace(ENGLISH, language="pl"),)}, "texts-0-language", "already"),
        ({"texts": (replace(ENGLISH, language="xx"),)}, "texts-0-language", "from the list"),
        ({"language": "klingon"}, "language", "from the list"),
        ({"audience": "friends"}, "audience", "who gets a reply"),
        ({"addresses": ("ewa@firma.example",)}, "addresses", "ewa@firma.example is not"),
        ({"words": tuple(map(str, range(51)))}, "words", "At most 50"),
        ({"words": ("x" * 101,)}, "words", "At most 50"),
        ({"senders": ("jan@",)}, "senders", "“jan@” is neither"),
        ({"senders": ("localhost",)}, "senders", "neither"),
        ({"senders": tuple(f"x{number}.example" for number in range(51))}, "senders", "At most 50"),
        ({"deputy_address": "ewa"}, "deputy_address", "not a mail address"),
        ({"deputy_gets_copy": True}, "deputy_address", "Write the deputy"),
        ({"deputy_gets_copy": True, "deputy_address": "x@gmail.example"}, "deputy_address", "your own company"),
        ({"deputy_gets_copy": True, "deputy_address": "anna@firma.example"}, "deputy_address", "another mailbox"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(
    mailbox: Mailbox, changes: dict[str, Any], field: str, words: str
) -> None:
    errors = refused(mailbox, **changes)
    assert list(errors) == [field]
    assert words in errors[field][0]


def test_a_copy_goes_to_no_other_customers_mailbox(mailbox: Mailbox) -> None:
    domain = Domain.objects.create(name="obca.example")
    Mailbox.objects.create(domain=domain, local_part="ewa")
    assert list(refused(mailbox, deputy_gets_copy=True, deputy_address="ewa@obca.example")) == ["deputy_address"]


def test_a_copy_goes_to_no_mailbox_that_was_deleted(mailbox: Mailbox) -> None:
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", is_active=False, deleted_at=NOW)
    assert list(refused(mailbox, deputy_gets_copy=True, deputy_address="ewa@firma.example")) == ["deputy_address"]


def test_a_change_of_a_further_text_starts_afresh_and_of_anything_else_does_not(mailbox: Mailbox) -> None:
    row = save(mailbox, texts=(ENGLISH,))
    assert save(mailbox, row, words=("oferta",), audience="others").text_revision == 1
    assert save(mailbox, row, texts=(replace(ENGLISH, text_body="Away!"),)).text_revision == 2
    assert save(mailbox, row, texts=(ENGLISH, INSIDE)).text_revision == 3


def test_the_deputy_gets_copies_from_the_first_second_of_the_window_to_its_last(
    mailbox: Mailbox, ewa: Mailbox, database_clock
) -> None:
    def copies() -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT address, target FROM mail_deputies")
            return list(cursor.fetchall())

    row = save(mailbox, deputy_address=ewa.address, deputy_gets_copy=True)
    second, found = timedelta(seconds=1), []
    for moment in (START - second, START, END - second, END):
        database_clock(moment)
        found.append(bool(copies()))
    assert found == [False, True, True, False]
    database_clock(START)
    assert copies() == [("anna@firma.example", "ewa@firma-dwa.example")]
    services.switch(row, on=False, actor=None, now=START)
    assert copies() == []
    services.switch(row, on=True, actor=None, now=START)
    Domain.objects.filter(name="firma-dwa.example").update(customer=None)  # sold meanwhile
    assert copies() == []


def test_a_standing_reply_has_no_copies(mailbox: Mailbox, ewa: Mailbox) -> None:
    row = save(mailbox, type="standing", text_body="x", deputy_address=ewa.address, deputy_gets_copy=True)
    assert not row.deputy_gets_copy


def test_only_aliases_of_several_recipients_ask_whether_they_count(
    mailbox: Mailbox, ewa: Mailbox, add_alias: Callable[..., Alias]
) -> None:
    add_alias("biuro", mailbox)
    group = add_alias("zespol", mailbox, ewa)
    assert [target.alias for target in group_targets(mailbox)] == [group]


def test_a_page_and_the_history_say_it_in_words(mailbox: Mailbox, ewa: Mailbox) -> None:
    row = save(
        mailbox, texts=(ENGLISH, INSIDE), audience="colleagues", words=("zwrot",), senders=("example.com",),
        deputy_address=ewa.address, deputy_gets_copy=True,
    )  # fmt: skip
    with translation.override("pl"):
        assert sentences.limits(row) == [
            "Tylko współpracownicy",
            "Tylko wiadomości od example.com",
            "Tylko ze słowami: zwrot",
            "Dalsze teksty: angielski, polski (dla współpracowników)",
            "Kopię każdej wiadomości dostaje ewa@firma-dwa.example",
        ]
        save(mailbox, row, texts=(ENGLISH,), audience="everyone", words=())
        told = {str(change.field): (change.before, change.after) for change in history.changes(row.events.first())}
    assert told["kto dostaje odpowiedź"] == ("Tylko współpracownicy", "Wszyscy")
    assert told["tylko z jednym z tych słów"] == ("zwrot", "–")
    assert told["dalsze teksty"] == (
        "angielski, dla wszystkich: Away\nI am away.\n\npolski, dla współpracowników: Urlop\nIntranet.",
        "angielski, dla wszystkich: Away\nI am away.",
    )


def test_office_hours_are_kept_checked_and_said_in_words(mailbox: Mailbox) -> None:
    asked = {"type": "standing", "text_body": "x", "hours_mode": "outside", "office_days": (0, 1, 2, 4)}
    row = save(mailbox, **asked)
    row.refresh_from_db()
    assert validation.as_input(row).office_days == (0, 1, 2, 4)
    assert row.facts.hours is not None
    assert row.facts.hours.country == "PL"
    with translation.override("pl"):
        assert sentences.limits(row) == ["Poza godzinami pracy biura (pon.–śr., pt. 08:00–16:00, w święta nieczynne)"]
    assert list(refused(mailbox, **asked | {"office_days": ()})) == ["office_days"]
    assert list(refused(mailbox, **asked | {"office_days": (7,)})) == ["office_days"]
    assert list(refused(mailbox, **asked | {"office_closes": time(8)})) == ["office_closes"]
    assert list(refused(mailbox, **asked | {"hours_mode": "sometimes"})) == ["hours_mode"]
    assert save(mailbox, hours_mode="outside").hours_mode == "always"  # an absence has none
