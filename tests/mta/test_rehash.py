"""Hashes of other systems become ours at the next sign-in to a mail program, whoever never visits the panel."""

import contextlib
import imaplib
import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from passlib.hash import sha512_crypt

from mailboxes import hosting as hosting_services
from mailboxes import services, sign_in_cache
from mailboxes.models import User
from responders.services import database_now
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import Stack, until
from tests.mta.test_foreign_passwords import SCHEMES, hashed, may_sign_in
from tests.mta.test_who_may_send_what import submission

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def rehash(shared_stack: Stack) -> Iterator[Stack]:
    """The servers, with somebody who listens for old hashes."""
    with shared_stack.rehashing():
        yield shared_stack


@pytest.fixture
def stack(rehash: Stack, stack: Stack) -> Stack:
    return rehash


def moved(hosting: Hosting, local_part: str, scheme: str = "SHA512-CRYPT") -> tuple[str, str]:
    """The address of a mailbox that came with a hash, and the hash as the panel keeps it."""
    address = hosting.mailbox(local_part)
    assert services.take_password(hosting.mailboxes[address], hashed(scheme))
    return address, hash_of(address)


def hash_of(address: str) -> str:
    return User.objects.get(email=address).password


def is_ours(address: str) -> bool:
    return hash_of(address).startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def after_all_before(stack: Stack, hosting: Hosting) -> None:
    """Wait until what was handed over until now has had its turn: they come one after the other."""
    last, _hash = moved(hosting, f"last{next(_numbers)}", "MD5-CRYPT")
    assert may_sign_in(stack, last, PASSWORD)
    until(lambda: is_ours(last), "its turn")


@SCHEMES
def test_a_sign_in_to_a_mail_program_makes_a_new_hash(stack: Stack, hosting: Hosting, scheme: str) -> None:
    anna, _as_it_came = moved(hosting, "anna", scheme)
    assert may_sign_in(stack, anna, PASSWORD)
    until(lambda: is_ours(anna), "a new hash")
    assert may_sign_in(stack, anna, PASSWORD)
    assert not may_sign_in(stack, anna, "x" + PASSWORD)


def test_so_does_a_sign_in_to_send(stack: Stack, hosting: Hosting) -> None:
    anna, _as_it_came = moved(hosting, "anna")
    with submission(stack, anna):
        until(lambda: is_ours(anna), "a new hash")
    with submission(stack, anna):
        pass


def test_a_password_of_many_letters_and_marks_arrives_as_it_was_typed(stack: Stack, hosting: Hosting) -> None:
    anna, typed = hosting.mailbox("anna"), "Zażółć %u %{sha256:password} '; -- \\ \" " + "ą" * 100
    User.objects.filter(email=anna).update(password=f"dovecot${{SHA512-CRYPT}}{sha512_crypt.hash(typed)}")
    assert may_sign_in_with_any(stack, anna, typed)
    until(lambda: is_ours(anna), "a new hash")
    assert may_sign_in_with_any(stack, anna, typed)
    assert not may_sign_in_with_any(stack, anna, typed[:-1])


def may_sign_in_with_any(stack: Stack, address: str, password: str) -> bool:
    """As mail programs do with letters that are not ASCII (RFC 4616)."""
    with imaplib.IMAP4("127.0.0.1", stack.imap_port, timeout=60) as imap:
        imap.starttls()
        with contextlib.suppress(imaplib.IMAP4.error):
            return imap.authenticate("PLAIN", lambda _said: f"\0{address}\0{password}".encode())[0] == "OK"
    return False


def test_who_looks_up_what_there_is_needs_no_password(stack: Stack, hosting: Hosting) -> None:
    anna, as_it_came = moved(hosting, "anna")
    command = ["doveadm", "-c", str(stack.dovecot_conf), "auth", "lookup", anna]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ["user", ":", anna] in [line.split() for line in found.stdout.splitlines()], found
    assert hash_of(anna) == as_it_came


def test_a_wrong_password_changes_nothing(stack: Stack, hosting: Hosting) -> None:
    anna, as_it_came = moved(hosting, "anna")
    assert not may_sign_in(stack, anna, "x" + PASSWORD)
    after_all_before(stack, hosting)
    assert hash_of(anna) == as_it_came


@pytest.mark.parametrize("why", ["suspended", "barred", "a second factor"])
def test_who_does_not_get_in_keeps_the_old_hash(stack: Stack, hosting: Hosting, why: str) -> None:
    anna, as_it_came = moved(hosting, "anna")
    mailbox = hosting.mailboxes[anna]
    if why == "suspended":
        hosting_services.suspend(mailbox, now=database_now(), actor=None)
    elif why == "barred":
        services.set_sign_in(mailbox, allowed=False, actor=None)
    else:
        Authenticator.objects.create(user=mailbox.owner, type=Authenticator.Type.TOTP, data={})
    assert not may_sign_in(stack, anna, PASSWORD)
    after_all_before(stack, hosting)
    assert hash_of(anna) == as_it_came


def test_a_password_of_one_mail_program_is_not_the_owners(stack: Stack, hosting: Hosting) -> None:
    anna, as_it_came = moved(hosting, "anna")
    _made, password = hosting_services.make_app_password(hosting.mailboxes[anna], "Telefon", actor=None)
    assert may_sign_in(stack, anna, password)
    after_all_before(stack, hosting)
    assert hash_of(anna) == as_it_came


def test_many_programs_at_once_make_one_hash(stack: Stack, hosting: Hosting) -> None:
    anna, _as_it_came = moved(hosting, "anna")
    with contextlib.ExitStack() as programs:
        for _program in range(5):
            programs.enter_context(stack.imap(anna, PASSWORD))
        until(lambda: is_ours(anna), "a new hash")
    made = hash_of(anna)
    after_all_before(stack, hosting)
    assert hash_of(anna) == made
    assert stack.rehash_log().count(f"{anna}: ") == 1


def test_one_that_takes_nothing_more_lets_nobody_wait(stack: Stack, hosting: Hosting) -> None:
    anna, as_it_came = moved(hosting, "anna")
    os.kill(stack.pid_of("rehash"), signal.SIGSTOP)
    try:
        fill(stack)
        assert may_sign_in(stack, anna, PASSWORD)
        assert hash_of(anna) == as_it_came
    finally:
        os.kill(stack.pid_of("rehash"), signal.SIGCONT)
    after_all_before(stack, hosting)
    forget(stack, anna)
    assert may_sign_in(stack, anna, PASSWORD)
    until(lambda: is_ours(anna), "a new hash, with the next sign-in")


def forget(stack: Stack, address: str) -> None:
    """Here Dovecot remembers for an hour; what is rendered says a second."""
    sign_in_cache.forget(str(stack.folder / "run" / "flush-master"), [address])


def fill(stack: Stack) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(BlockingIOError):
        sender.setblocking(False)
        sender.connect(str(stack.rehash_socket))
        while True:
            sender.send(b"nobody@nowhere.example\0x")


def test_one_that_was_killed_is_missed_by_nobody_and_starts_again(stack: Stack, hosting: Hosting) -> None:
    anna, as_it_came = moved(hosting, "anna")
    stack.kill_rehash()
    assert stack.rehash_socket.is_socket()
    assert may_sign_in(stack, anna, PASSWORD)
    assert hash_of(anna) == as_it_came
    stack.start_rehash()
    forget(stack, anna)
    assert may_sign_in(stack, anna, PASSWORD)
    until(lambda: is_ours(anna), "a new hash")


def test_without_lua_socket_people_sign_in_as_ever_and_the_log_says_what_is_missing(
    stack: Stack, hosting: Hosting
) -> None:
    anna, as_it_came = moved(hosting, "anna")
    script = stack.folder / "dovecot" / "sign-in.lua"
    usual = script.read_text()
    script.write_text(usual.replace('"socket.unix"', '"socket.none"'))
    stack.restart_dovecot()
    try:
        assert not may_sign_in(stack, anna, "x" + PASSWORD)
        assert may_sign_in(stack, anna, PASSWORD)
        assert "lua-socket is not installed" in (stack.folder / "log" / "dovecot.log").read_text()
    finally:
        script.write_text(usual)
        stack.restart_dovecot()
    after_all_before(stack, hosting)
    assert hash_of(anna) == as_it_came


def test_without_the_database_it_waits_for_the_next_sign_in(stack: Stack, hosting: Hosting) -> None:
    anna, as_it_came = moved(hosting, "anna")
    with nobody_connects():
        for _twice in range(2):
            stack.hand_over_octets(f"{anna}\0{PASSWORD}".encode())
        until(lambda: "old hashes stay until the next sign-in" in stack.rehash_log(), "it says so")
        assert hash_of(anna) == as_it_came
    assert may_sign_in(stack, anna, PASSWORD)
    until(lambda: is_ours(anna), "a new hash")


@contextlib.contextmanager
def nobody_connects() -> Iterator[None]:
    """As with a database that is away, for whoever is not connected yet."""
    with psycopg.connect(**connection.get_connection_params() | {"dbname": "postgres"}, autocommit=True) as server:
        change = f'ALTER DATABASE "{connection.settings_dict["NAME"]}" ALLOW_CONNECTIONS '
        server.execute(f"{change} false".encode())
        try:
            yield
        finally:
            server.execute(f"{change} true".encode())


def test_what_is_no_address_and_password_ends_nothing(stack: Stack, hosting: Hosting) -> None:
    for nonsense in (b"", b"\0", b"a@b\0", b"\0x", b"a@b\0x\0y", b"\xff\0\xff", b"a@b\0" + b"x" * 20_000):
        stack.hand_over_octets(nonsense)
    after_all_before(stack, hosting)


def test_only_root_and_the_panel_write_to_it_and_no_log_has_a_password(stack: Stack, hosting: Hosting) -> None:
    anna, _as_it_came = moved(hosting, "anna")
    assert may_sign_in(stack, anna, PASSWORD)
    until(lambda: is_ours(anna), "a new hash")
    assert stack.rehash_socket.stat().st_mode & 0o777 == 0o600
    for log in (stack.folder / "log").iterdir():
        assert PASSWORD not in log.read_text(errors="replace"), log
