"""What the panel does with a password hash of another system."""

import pytest
from django.db import connection
from passlib.hash import sha512_crypt

from mailboxes import foreign_hashes, services
from mailboxes.foreign_hashes import Taken
from mailboxes.models import Customer, Mailbox, User
from tests.conftest import PASSWORD

SHA512 = "{SHA512-CRYPT}$6$rounds=5000$saltsaltsaltsalt$" + "x" * 86


def taken(stored: str) -> Taken:
    found = foreign_hashes.read(stored)
    assert isinstance(found, Taken)
    return found


def seen_by_dovecot(mailbox: Mailbox) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM mail_accounts WHERE address = %s", [mailbox.address])
        row = cursor.fetchone()
    return row[0] if row else None


@pytest.fixture
def newcomer(mailbox: Mailbox) -> Mailbox:
    """A mailbox whose owner has no password yet."""
    return services.add_mailbox("jan@firma.example")


def test_dovecot_sees_the_hash_with_its_scheme(newcomer: Mailbox) -> None:
    assert services.take_password(newcomer, taken(SHA512))
    assert seen_by_dovecot(newcomer) == SHA512


def test_an_argon2_hash_is_kept_as_one_of_ours(newcomer: Mailbox) -> None:
    value = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$" + "A" * 43
    services.take_password(newcomer, taken("{ARGON2ID}" + value))
    assert User.objects.get(email=newcomer.address).password == f"argon2{value}"
    assert seen_by_dovecot(newcomer) == "{ARGON2ID}" + value


def test_a_plain_password_is_hashed(newcomer: Mailbox) -> None:
    services.take_password(newcomer, Taken("PLAIN", "swordfish"))
    owner = User.objects.get(email=newcomer.address)
    assert owner.password.startswith("argon2$argon2id$")
    assert owner.check_password("swordfish")


def test_one_that_only_the_panel_can_check_is_not_shown_to_dovecot(newcomer: Mailbox) -> None:
    """Django's own form, of administrators of a Modoboa."""
    services.take_password(newcomer, taken("pbkdf2_sha256$1000$saltsalt$" + "A" * 43 + "="))
    assert seen_by_dovecot(newcomer) is None


@pytest.mark.usefixtures("passwords_cost_what_they_should")
def test_a_sign_in_makes_an_argon2_hash_of_it(newcomer: Mailbox) -> None:
    services.take_password(newcomer, taken(sha512_crypt.using(rounds=5000).hash("swordfish")))
    owner = User.objects.get(email=newcomer.address)
    assert not owner.check_password("sword")
    assert owner.password.startswith("dovecot${SHA512-CRYPT}$6$")
    assert owner.check_password("swordfish")
    assert User.objects.get(pk=owner.pk).password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_whoever_has_a_password_keeps_it(mailbox: Mailbox, anna: User) -> None:
    assert not services.take_password(mailbox, taken(SHA512))
    assert User.objects.get(pk=anna.pk).check_password(PASSWORD)
    assert services.take_password(mailbox, taken(SHA512), overwrite=True)
    assert not User.objects.get(pk=anna.pk).check_password(PASSWORD)


@pytest.mark.parametrize("more", ["is_staff", "is_superuser", "administers"])
def test_nobody_comes_into_an_account_with_more_rights_by_an_import(mailbox: Mailbox, anna: User, more: str) -> None:
    if more == "administers":
        Customer.objects.create(name="Firma", number="1").administrators.add(anna)
    else:
        User.objects.filter(pk=anna.pk).update(**{more: True})
    anna_now = Mailbox.objects.get(pk=mailbox.pk)
    assert not services.take_password(anna_now, taken(SHA512), overwrite=True)
    assert User.objects.get(pk=anna.pk).check_password(PASSWORD)


def test_the_longest_that_is_taken_fits(newcomer: Mailbox) -> None:
    value = "$argon2i$v=19$m=65536,t=3,p=4$" + "c" * 86 + "$" + "A" * (foreign_hashes.MAX_CHARACTERS - 117)
    services.take_password(newcomer, taken("{ARGON2I}" + value))
    assert seen_by_dovecot(newcomer) == "{ARGON2I}" + value
