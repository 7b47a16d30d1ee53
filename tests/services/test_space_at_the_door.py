"""Whose space Dovecot is asked about, and who reads mail to postmaster@, as the database says it."""

import pytest
from django.db import connection
from django.utils import timezone

from mailboxes import hosting, services
from mailboxes.models import Domain, Mailbox

pytestmark = pytest.mark.usefixtures("house")
READER = "host@provider.example"


@pytest.fixture
def house(db: None) -> None:
    for name in ("firma.example", "inna.example"):
        services.add_domain(name)
    for address in ("anna@firma.example", "ewa@firma.example", "jan@inna.example"):
        services.add_mailbox(address)


def box(address: str) -> Mailbox:
    return Mailbox.objects.get(address=address)


def asked(question: str, *words: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(question, words)
        return list(cursor.fetchall())


def space_of(address: str) -> str:
    """Whose space it is; nobody's: empty."""
    found = asked("SELECT address, home, quota_mb FROM mail_lookup_space(%s)", address)
    assert [row[1] for row in found] == [box(row[0]).home for row in found]
    return "".join(row[0] for row in found)


def reader_of(address: str, *, postmaster: str = READER) -> str:
    return "".join(row[0] for row in asked("SELECT mail_lookup_postmaster(%s, '+', %s)", address, postmaster))


def test_it_is_that_of_the_mailbox_where_the_mail_would_lie() -> None:
    services.add_alias("biuro@firma.example", ["anna@firma.example"])
    hosting.rename(box("ewa@firma.example"), "ewa.nowak", actor=None)
    told = {to: space_of(f"{to}@firma.example") for to in ("anna", "biuro", "ewa", "ewa.nowak", "nikt")}
    assert told == {
        "anna": "anna@firma.example", "biuro": "anna@firma.example", "ewa": "ewa.nowak@firma.example",
        "ewa.nowak": "ewa.nowak@firma.example", "nikt": "",
    }  # fmt: skip


def test_a_catch_all_is_asked_for_what_nobody_has_alone() -> None:
    Domain.objects.filter(name="firma.example").update(catch_all=box("anna@firma.example"))
    services.add_alias("biuro@firma.example", ["ewa@firma.example"])
    told = {to: space_of(f"{to}@firma.example") for to in ("nikt", "ewa", "biuro")}
    assert told == {"nikt": "anna@firma.example", "ewa": "ewa@firma.example", "biuro": "ewa@firma.example"}
    assert space_of("nikt@inna.example") == ""


def test_of_several_and_of_what_leads_out_of_the_house_it_is_nobodys() -> None:
    services.add_alias("grupa@firma.example", ["anna@firma.example", "ewa@firma.example"])
    services.add_alias("obie@firma.example", ["anna@firma.example", "x@gmail.example"])
    services.add_alias("daleko@firma.example", ["x@gmail.example"])
    assert [space_of(f"{to}@firma.example") for to in ("grupa", "obie", "daleko")] == ["", "", ""]


def test_who_has_left_is_asked_for_the_space_of_the_successor_and_a_circle_has_an_end() -> None:
    anna, ewa = box("anna@firma.example"), box("ewa@firma.example")
    services.add_alias("biuro@firma.example", ["anna@firma.example"])
    services.set_successor(anna, ewa, timezone.now(), actor=None)
    assert (space_of("anna@firma.example"), space_of("biuro@firma.example")) == (ewa.address, ewa.address)
    services.set_successor(ewa, anna, timezone.now(), actor=None)
    assert space_of("anna@firma.example") in {anna.address, ewa.address}


def test_mail_to_postmaster_that_nobody_has_is_the_hosts_own() -> None:
    for name in ("postmaster", "abuse", "postmaster+dmarc", "abuse+x+y"):
        assert reader_of(f"{name}@firma.example") == READER
    assert reader_of("postmaster@else.example") == reader_of("postmaster@firma.example", postmaster="") == ""
    assert reader_of(f"abuse+x@{READER.partition('@')[2]}", postmaster=f"abuse@{READER.partition('@')[2]}") == ""


def test_a_mailbox_an_alias_or_a_catch_all_comes_first_by_a_sub_address_too() -> None:
    services.add_mailbox("postmaster@firma.example")
    services.add_alias("abuse@firma.example", ["anna@firma.example"])
    services.add_alias("abuse+x@inna.example", ["jan@inna.example"])
    for name in ("postmaster", "postmaster+x", "abuse", "abuse+x"):
        assert reader_of(f"{name}@firma.example") == ""
    assert [reader_of(f"{name}@inna.example") for name in ("abuse+x", "abuse+y", "abuse")] == ["", READER, READER]
    Domain.objects.filter(name="inna.example").update(catch_all=box("jan@inna.example"))
    assert reader_of("abuse+y@inna.example") == ""
