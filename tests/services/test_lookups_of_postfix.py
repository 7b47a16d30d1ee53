"""What Postfix hears of the database about an address: one call, one answer."""

import pytest
from django.db import connection

from mailboxes import hosting, services
from mailboxes.models import Alias, Domain, Mailbox
from responders.models import Responder
from responders.services import database_now

pytestmark = pytest.mark.usefixtures("house")
ANNA, EWA = "anna@firma.example", "ewa@firma.example"
COPIES = "autoreply.invalid"


@pytest.fixture
def house(db: None) -> None:
    services.add_domain("firma.example")
    services.add_domain("inna.example")
    for address in (ANNA, EWA, "jan@inna.example"):
        services.add_mailbox(address)


def box(address: str) -> Mailbox:
    return Mailbox.objects.get(address=address)


def answers(address: str, **more: object) -> Responder:
    """A standing reply of the mailbox."""
    values = {"type": "standing", "subject": "Auto", "text_body": "Dziękuję.", "state": "active"}
    return Responder.objects.create(mailbox=box(address), **values | more)


def asked(function: str, *words: str) -> set[str]:
    """The answers. One that is empty, or NULL, Postfix would warn of in its log each time."""
    places = ", ".join(["%s"] * len(words))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({places})", words)
        found = [row[0] for row in cursor.fetchall()]
    assert all(found)
    assert len(found) == len(set(found))
    return set(found)


def told(function: str, *words: str) -> str:
    """The one answer; empty where there is none."""
    return "".join(asked(function, *words))


def leads_to(address: str) -> set[str]:
    return asked("postfix_aliases", address, COPIES)


def test_a_mailbox_leads_to_itself_so_that_nobody_asks_for_a_catch_all() -> None:
    assert leads_to(ANNA) == {ANNA}
    assert leads_to("nikt@firma.example") == leads_to("@firma.example") == set()
    assert leads_to("anna@firma.example.org") == leads_to("@elsewhere.example") == set()


def test_an_alias_leads_to_each_of_its_mailboxes_once() -> None:
    services.add_alias("biuro@firma.example", [ANNA, EWA, "szef@elsewhere.example"])
    assert leads_to("biuro@firma.example") == {ANNA, EWA, "szef@elsewhere.example"}


def test_no_alias_leads_to_the_hook() -> None:
    services.add_alias("biuro@firma.example", [ANNA])
    Alias.objects.get(address="biuro@firma.example").targets.update(mailbox=None, outside_address=f"x@{COPIES.upper()}")
    assert leads_to("biuro@firma.example") == set()


def test_a_catch_all_gets_what_nobody_has() -> None:
    Domain.objects.filter(name="firma.example").update(catch_all=box(EWA))
    assert leads_to("@firma.example") == {EWA}
    assert leads_to(ANNA) == {ANNA}
    assert leads_to("nikt@firma.example") == set()  # Postfix asks for @firma.example next


def test_who_has_gone_leads_to_the_successor_and_who_is_away_to_a_deputy_too() -> None:
    Mailbox.objects.filter(address=ANNA).update(successor=box(EWA), successor_from=database_now())
    assert leads_to(ANNA) == {EWA}
    answers(EWA, type="absence", deputy_address=ANNA, deputy_gets_copy=True)
    assert leads_to(EWA) == {EWA, ANNA}


def test_who_is_suspended_stays_and_who_was_deleted_does_not() -> None:
    hosting.suspend(box(ANNA), now=database_now(), actor=None)
    assert (leads_to(ANNA), told("postfix_mailbox", ANNA)) == ({ANNA}, "mailbox")
    assert told("postfix_refused", ANNA, "firma.example").startswith("450 4.2.1")
    assert told("postfix_refused", EWA, "firma.example") == ""
    hosting.delete_mailbox(box(ANNA), now=database_now(), actor=None)
    assert (leads_to(ANNA), told("postfix_mailbox", ANNA)) == (set(), "")


def test_a_suspended_domain_speaks_for_whoever_is_not() -> None:
    Domain.objects.filter(name="firma.example").update(
        is_active=False, suspended_at=database_now(), refuses_from=database_now()
    )
    assert told("postfix_refused", EWA, "firma.example").startswith("550 5.2.1")
    assert told("postfix_domain", "firma.example") == "ours"
    assert told("postfix_domain", "elsewhere.example") == ""


def test_of_space_nobody_is_asked_where_it_has_no_limit() -> None:
    services.add_alias("biuro@firma.example", [EWA])
    services.add_alias("obie@firma.example", [ANNA, EWA])
    addresses = (ANNA, EWA, "biuro@firma.example", "obie@firma.example", "nikt@firma.example", "x@elsewhere.example")

    def asked_about() -> set[str]:
        answers = {to: told("postfix_recipient", to, to.rpartition("@")[2]) for to in addresses}
        assert set(answers.values()) <= {"", "ask_about_space"}
        return {to for to, answer in answers.items() if answer}

    assert asked_about() == set()
    Mailbox.objects.filter(address=EWA).update(quota_mb=1)
    assert asked_about() == {EWA, "biuro@firma.example"}
    Domain.objects.filter(name="firma.example").update(quota_mb=50, catch_all=box(ANNA))
    assert asked_about() == {ANNA, EWA, "biuro@firma.example", "nikt@firma.example"}


def test_who_is_suspended_is_refused_before_anybody_is_asked_about_space() -> None:
    Mailbox.objects.filter(address=ANNA).update(quota_mb=1)
    hosting.suspend(box(ANNA), now=database_now(), actor=None)
    assert told("postfix_recipient", ANNA, "firma.example").startswith("450 4.2.1")


def test_a_copy_goes_to_the_hook_while_somebody_answers() -> None:
    assert told("postfix_copy", ANNA, COPIES) == ""
    answers(ANNA)
    assert told("postfix_copy", ANNA, COPIES) == f"anna=firma.example@{COPIES}"
    Responder.objects.update(is_enabled=False)
    assert told("postfix_copy", ANNA, COPIES) == ""


@pytest.mark.parametrize("encoding", ["LATIN1", "UTF8"])
def test_what_is_no_ascii_is_understood_from_either_postfix(encoding: str) -> None:
    """Postfix before 3.9 says that its octets are LATIN1."""
    services.add_alias("biuro@firma.example", ["żółw@elsewhere.example"])
    statement = "SELECT postfix_aliases(a, 'x') FROM unnest(ARRAY['biuro@firma.example', 'żółw@firma.example']) a"
    connection.connection.execute(f"SET client_encoding = '{encoding}'")
    try:
        found = connection.connection.pgconn.exec_(statement.encode())
    finally:
        connection.connection.execute("SET client_encoding = 'UTF8'")
    assert found.error_message == b""
    assert (found.ntuples, found.get_value(0, 0)) == (1, "żółw@elsewhere.example".encode())
