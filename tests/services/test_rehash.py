"""A hash of another system, or of another cost, is replaced by one of ours: by nothing newer, and for whom it may."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.utils import timezone
from passlib.hash import sha512_crypt

from mailboxes import hashers, rehash
from mailboxes.models import Domain, Mailbox, User

TYPED = "swordfish"
ANNA = "anna@firma.example"


def old(password: str = TYPED) -> str:
    return f"dovecot${{SHA512-CRYPT}}{sha512_crypt.using(rounds=1000).hash(password)}"


@pytest.fixture
def moved(mailbox: Mailbox, anna: User) -> User:
    """The owner of `mailbox`, with a hash of another system."""
    User.objects.filter(pk=anna.pk).update(password=old())
    return User.objects.get(pk=anna.pk)


def stored(user: User) -> str:
    return User.objects.get(pk=user.pk).password


def test_the_right_password_makes_a_hash_of_ours(moved: User) -> None:
    assert rehash.renew(ANNA, TYPED)
    assert stored(moved).startswith("argon2$argon2id$")
    assert User.objects.get(pk=moved.pk).check_password(TYPED)


def test_a_second_time_nothing_is_to_be_done(moved: User, django_assert_num_queries: Any) -> None:
    assert rehash.renew(ANNA, TYPED)
    made = stored(moved)
    with django_assert_num_queries(1):
        assert not rehash.renew(ANNA, TYPED)
    assert stored(moved) == made


def test_a_wrong_password_and_a_strange_address_change_nothing(moved: User) -> None:
    before = stored(moved)
    assert not rehash.renew(ANNA, "sword")
    assert not rehash.renew("nobody@firma.example", TYPED)
    assert not rehash.renew("' OR true --", TYPED)
    assert stored(moved) == before


BARRED = {
    "suspended": lambda: Mailbox.objects.update(is_active=False, suspended_at=timezone.now()),
    "domain suspended": lambda: Domain.objects.update(is_active=False, suspended_at=timezone.now()),
    "barred": lambda: User.objects.update(is_active=False),
    "second factor": lambda: Authenticator.objects.create(user=User.objects.get(), type="totp", data={}),
    "nobody's mailbox": lambda: Mailbox.objects.update(owner=None),
}


@pytest.mark.parametrize("bar", BARRED.values(), ids=BARRED.keys())
def test_where_the_password_opens_no_mail_program_the_hash_stays(moved: User, bar: Any) -> None:
    before = stored(moved)
    bar()
    assert not rehash.renew(ANNA, TYPED)
    assert stored(moved) == before


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(moved: User) -> None:
    newer = User.objects.get(pk=moved.pk)
    newer.set_password("another one")
    newer.save(update_fields=["password"])
    assert not moved.check_password(TYPED)  # it read the old hash
    assert stored(moved) == newer.password == moved.password


def test_of_two_sign_ins_at_once_both_get_in_and_one_hash_stays(moved: User) -> None:
    other = User.objects.get(pk=moved.pk)
    assert other.check_password(TYPED)
    assert moved.check_password(TYPED)
    assert stored(moved) == other.password == moved.password  # or one of them would be signed out of the panel


def test_somebody_who_is_gone_meanwhile_does_not_get_in(moved: User) -> None:
    User.objects.filter(pk=moved.pk).delete()
    assert not moved.check_password(TYPED)


@pytest.mark.usefixtures("passwords_cost_what_they_should")
def test_what_dovecot_takes_for_ours_is_what_is_made_here() -> None:
    made = User(email=ANNA)
    made.set_password(TYPED)
    assert made.password.replace("argon2$", "{ARGON2ID}$", 1).startswith(hashers.as_dovecot_sees_ours())
    assert not hashers.is_old(made.password)


def test_argon2_of_another_cost_is_old(moved: User) -> None:
    assert hashers.is_old("argon2$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0c2FsdHNhbHQ$" + "A" * 43)


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (b"a@b.example\0x", ("a@b.example", "x")),
        ("a@b.example\0zażółć".encode(), ("a@b.example", "zażółć")),
        (b"", None),
        (b"a@b.example", None),
        (b"a@b.example\0", None),
        (b"\0x", None),
        (b"a@b.example\0x\0y", None),
        (b"a@b.example\0\xff", None),
        (b"a@b.example\0" + b"x" * rehash.LARGEST, None),
    ],
)
def test_a_datagram_is_an_address_and_a_password_or_nothing(datagram: bytes, said: tuple[str, str] | None) -> None:
    assert rehash.read(datagram) == said


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of few letters: the name of a socket has room for a hundred."""
    path = tmp_path_factory.mktemp("s") / "s"
    yield path
    path.unlink(missing_ok=True)


def test_nobody_but_its_user_and_root_writes_to_the_socket(path: Path) -> None:
    with rehash.listening(path) as door:
        assert path.stat().st_mode & 0o777 == 0o600
        rehash.knock(path)
        assert door.recv(1) == b""
    assert not path.exists()


def test_what_one_that_was_killed_has_left_is_in_nobodys_way(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as killed:
        killed.bind(str(path))
    assert path.is_socket()
    with rehash.listening(path):
        rehash.knock(path)


def test_a_second_one_ends_with_a_line(path: Path) -> None:
    with rehash.listening(path):
        with pytest.raises(CommandError, match="somebody listens there already"):
            call_command("rehash", f"--listen={path}")
        rehash.knock(path)


def test_a_file_of_somebody_else_stays(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(CommandError, match="in use"):
        call_command("rehash", f"--listen={path}")
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("rehash", f"--listen={path}/none/s")
