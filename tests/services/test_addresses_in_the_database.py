"""The database itself refuses what is not true of addresses."""

import pytest
from django.db import IntegrityError, connection

from mailboxes.models import Alias, Mailbox


def test_a_mailbox_has_its_address_from_the_database(mailbox: Mailbox) -> None:
    assert Mailbox.objects.get(address="anna@firma.example") == mailbox


def test_an_alias_cannot_take_the_address_of_a_mailbox(mailbox: Mailbox) -> None:
    with pytest.raises(IntegrityError, match="the address is taken"):
        Alias.objects.create(domain=mailbox.domain, local_part="anna")


@pytest.mark.parametrize("local_part", ["Anna", "a b", "a@b"])
def test_a_local_part_that_is_not_normal_is_refused(mailbox: Mailbox, local_part: str) -> None:
    with pytest.raises(IntegrityError):
        Mailbox.objects.create(domain=mailbox.domain, local_part=local_part)


def test_postfix_copies_only_while_a_responder_is_on(standing_reply: object, mailbox: Mailbox) -> None:
    def copied() -> list[tuple[str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT address FROM responder_copy WHERE address = %s", [mailbox.address])
            return cursor.fetchall()

    assert copied() == [("anna@firma.example",)]
    mailbox.responders.update(is_enabled=False)
    assert copied() == []


def test_a_bulk_change_of_any_size_is_one_transaction(mailbox: Mailbox) -> None:
    Mailbox.objects.bulk_create(Mailbox(domain=mailbox.domain, local_part=f"m{number}") for number in range(2_000))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone()[0] <= 256
