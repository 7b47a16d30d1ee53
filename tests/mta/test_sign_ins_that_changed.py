"""Dovecot forgets who signed in as soon as the database says that it changed, not when time has gone by.

Here Dovecot remembers for an hour, so that whoever is refused is so because Dovecot was told.
"""

import contextlib
import imaplib
import itertools
import os
import socket
import stat
from collections.abc import Callable, Iterator

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection, transaction
from django.utils import timezone

from mailboxes import hosting as services
from mailboxes.models import Domain, Mailbox, User
from mailboxes.services import add_mailbox, disconnect_programs, give_password, set_sign_in
from responders.services import database_now
from tests.mta.conftest import PASSWORD, REMEMBERS, Hosting, OwnPostgres
from tests.mta.stack import Stack, run_check, until
from tests.mta.test_hosting import is_refused, mailbox_of

_numbers = itertools.count(1)


def signs_in(stack: Stack, address: str, password: str = PASSWORD) -> bool:
    return not is_refused(stack, address, password)


def is_remembered(stack: Stack, address: str) -> bool:
    """Whether Dovecot would let in whoever the database no longer knows; changes the database without a word."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger runs
        cursor.execute("UPDATE mailboxes_user SET is_active = false WHERE email = %s", [address])
        try:
            return signs_in(stack, address)
        finally:
            cursor.execute("UPDATE mailboxes_user SET is_active = true WHERE email = %s", [address])
            cursor.execute("SET session_replication_role = DEFAULT")


def test_what_is_not_told_is_remembered(stack: Stack, hosting: Hosting) -> None:
    """Or these tests would show nothing."""
    anna = hosting.mailbox("anna", password=PASSWORD)
    assert signs_in(stack, anna)
    assert is_remembered(stack, anna)


def test_space_that_was_given_counts_at_the_next_sign_in(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    for _turn, quota in enumerate((5, 7)):
        Mailbox.objects.filter(address=anna).update(quota_mb=quota)
        until(lambda quota=quota: space(stack, anna) == quota * 1024, "the space")


def space(stack: Stack, address: str) -> int:
    """In KB, as a mail program sees it."""
    with stack.imap(address, PASSWORD) as imap:
        answer = imap.getquotaroot("INBOX")[1][1][0]
    return int(answer.decode().rpartition(")")[0].split()[-1])


def test_with_a_second_factor_the_password_alone_gets_in_no_more(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    assert signs_in(stack, anna)
    Authenticator.objects.create(user=User.objects.get(email=anna), type="totp", data={"secret": "x"})
    until(lambda: is_refused(stack, anna, PASSWORD), "refused")


def test_who_was_barred_does_not_get_in_and_neither_do_others_with_the_same_owner(
    stack: Stack, hosting: Hosting
) -> None:
    anna, info = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("info")
    owner = mailbox_of(anna).owner
    Mailbox.objects.filter(address=info).update(owner=owner)
    assert signs_in(stack, anna)
    until(lambda: signs_in(stack, info), "both open with one password")
    User.objects.filter(email=anna).update(is_active=False)
    for address in (anna, info):
        until(lambda address=address: is_refused(stack, address, PASSWORD), "refused")


def test_a_change_that_is_taken_back_lets_nobody_out(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    assert signs_in(stack, anna)
    with transaction.atomic():
        User.objects.filter(email=anna).update(is_active=False)
        transaction.set_rollback(True)
    assert is_remembered(stack, anna)


def test_ten_thousand_changes_at_once_are_one_word_to_dovecot(stack: Stack, hosting: Hosting) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    assert signs_in(stack, anna)
    domain = Domain.objects.get(name=hosting.domain)
    Mailbox.objects.bulk_create(Mailbox(domain=domain, local_part=f"m{number}") for number in range(10_000))
    Mailbox.objects.filter(domain=domain).update(is_active=False)
    until(lambda: is_refused(stack, anna, PASSWORD), "refused")


DISCONNECTED: dict[str, Callable[[Mailbox], object]] = {
    "another password": lambda box: give_password(box, now=timezone.now(), actor=None),
    "barred": lambda box: set_sign_in(box, allowed=False, actor=None),
    "suspended": lambda box: services.suspend(box, now=database_now(), actor=None),
    "its domain suspended": lambda box: services.suspend(box.domain, now=database_now(), actor=None),
    "their own new password": lambda box: disconnect_programs(owner_of(box)),
}


def owner_of(box: Mailbox) -> User:
    assert box.owner is not None
    return box.owner


@pytest.mark.parametrize("change", DISCONNECTED.values(), ids=DISCONNECTED.keys())
def test_a_program_that_is_signed_in_is_disconnected_and_others_are_not(
    stack: Stack, hosting: Hosting, change: Callable[[Mailbox], object]
) -> None:
    anna = hosting.mailbox("anna", password=PASSWORD)
    Domain.objects.create(name=f"inna-{hosting.domain}")
    ewa = add_mailbox(f"ewa@inna-{hosting.domain}", password=PASSWORD).address
    until(lambda: signs_in(stack, anna) and signs_in(stack, ewa), "both sign in")
    with program(stack, ewa) as hers, program(stack, anna) as imap:
        assert is_there(imap)
        change(mailbox_of(anna))
        until(lambda: not is_there(imap), "the program is disconnected")
        assert is_there(hers)
    assert signs_in(stack, ewa)


def test_a_mailbox_of_old_whose_name_looks_like_an_option_is_disconnected_too(stack: Stack, hosting: Hosting) -> None:
    anna, ewa = (hosting.mailbox(name, password=PASSWORD) for name in ("anna", "ewa"))
    Mailbox.objects.filter(address=anna).update(local_part="-f")
    old = f"-f@{hosting.domain}"
    until(lambda: signs_in(stack, old) and signs_in(stack, ewa), "both sign in")
    with program(stack, ewa) as hers, program(stack, old) as imap:
        assert is_there(imap)
        give_password(mailbox_of(old), now=timezone.now(), actor=None)
        until(lambda: not is_there(imap), "the program is disconnected")
        assert is_there(hers)


@contextlib.contextmanager
def program(stack: Stack, address: str) -> Iterator[imaplib.IMAP4]:
    """As `stack.imap`, for one whose connection may be ended from the other side."""
    imap = imaplib.IMAP4("127.0.0.1", stack.imap_port, timeout=120)
    try:
        imap.starttls()
        imap.login(address, PASSWORD)
        yield imap
    finally:
        imap.shutdown()


def is_there(imap: imaplib.IMAP4) -> bool:
    """Whether the connection is still open."""
    try:
        return imap.noop()[0] == "OK"
    except (imaplib.IMAP4.abort, OSError):
        return False


def test_where_dovecot_is_asked_to_disconnect_it_does_nothing_else(stack: Stack, hosting: Hosting) -> None:
    """The process behind that socket is root."""
    anna = hosting.mailbox("anna", password=PASSWORD)
    path = stack.folder / "run" / "kick"
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, os.geteuid())
    for command in ("who", f"user\t{anna}", f"fetch\ttext\tall\t{anna}", "stop", f"auth cache flush\t{anna}"):
        with socket.socket(socket.AF_UNIX) as dovecot:
            dovecot.settimeout(60)
            dovecot.connect(str(path))
            dovecot.sendall(f"VERSION\tdoveadm-server\t1\t2\n\t{anna}\t{command}\n".encode())
            answer = b""
            while b"isn't allowed to use command" not in answer:
                more = dovecot.recv(4096)
                assert more, (command, answer)
                answer += more


@pytest.fixture
def remembering(own_stack: Stack) -> Iterator[Stack]:
    """The servers whose database may be stopped, with a Dovecot that remembers as long."""
    usual = own_stack.dovecot_conf.read_text()
    own_stack.dovecot_conf.write_text(usual + REMEMBERS)
    own_stack.restart_dovecot()
    yield own_stack
    own_stack.dovecot_conf.write_text(usual)
    own_stack.restart_dovecot()


@pytest.mark.parametrize("away", ["killed", "the database"])
def test_what_was_missed_is_made_good(
    remembering: Stack, own_hosting: Hosting, own_postgres: OwnPostgres, away: str
) -> None:
    """Nobody listens while it is changed: it counts as soon as somebody does again."""
    stack = remembering
    anna = own_hosting.mailbox(f"missed{next(_numbers)}", password=PASSWORD)
    until(lambda: signs_in(stack, anna), "she signs in")
    if away == "killed":
        stack.kill_sign_ins()
        give_password(mailbox_of(anna), now=timezone.now(), actor=None)
        assert run_check(stack.sign_ins_conf).returncode == 1
        assert signs_in(stack, anna)
        stack.start_sign_ins()
    else:
        own_postgres.stop()
        assert signs_in(stack, anna)
        assert run_check(stack.sign_ins_conf).returncode == 1
        own_postgres.start()
        connection.close()
        give_password(mailbox_of(anna), now=timezone.now(), actor=None)
    until(lambda: is_refused(stack, anna, PASSWORD), "the old password refused")
    until(lambda: run_check(stack.sign_ins_conf).returncode == 0, "somebody listens again")


def test_who_was_suspended_does_not_get_in_during_an_outage_either(
    own_stack: Stack, own_hosting: Hosting, own_postgres: OwnPostgres
) -> None:
    """With the settings as they are rendered; whoever was not, does."""
    stack = own_stack
    anna, ewa = (own_hosting.mailbox(f"{name}{next(_numbers)}", password=PASSWORD) for name in ("anna", "ewa"))
    for address in (anna, ewa):
        until(lambda address=address: signs_in(stack, address), "signs in")
    services.suspend(mailbox_of(anna), now=database_now(), actor=None)
    until(lambda: is_refused(stack, anna, PASSWORD), "refused")
    with stack.nobody_tells_dovecot():  # a second time: what is remembered of ewa stays
        until(lambda: signs_in(stack, ewa), "signs in")
        own_postgres.stop()
        try:
            assert signs_in(stack, ewa)
            assert is_refused(stack, anna, PASSWORD)
        finally:
            own_postgres.start()


def test_while_dovecot_takes_no_word_nobody_counts_as_listening(remembering: Stack, own_hosting: Hosting) -> None:
    """Its socket is gone; what changed meanwhile counts as soon as it is there again."""
    stack = remembering
    anna = own_hosting.mailbox(f"unheard{next(_numbers)}", password=PASSWORD)
    until(lambda: signs_in(stack, anna), "she signs in")
    path = stack.folder / "run" / "flush-master"
    aside = path.with_name("aside-master")
    path.rename(aside)
    try:
        give_password(mailbox_of(anna), now=timezone.now(), actor=None)
        until(lambda: "No such file" in listener_log(stack), "it says so")
        assert signs_in(stack, anna)
    finally:
        aside.rename(path)
    until(lambda: is_refused(stack, anna, PASSWORD), "the old password refused")


def listener_log(stack: Stack) -> str:
    return (stack.folder / "log" / "sign-ins.out").read_text()


def test_nobody_else_may_write_where_dovecot_takes_the_word(stack: Stack) -> None:
    """Who may could also ask for the hashes of passwords."""
    found = (stack.folder / "run" / "flush-master").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, os.geteuid())


def test_a_notice_cannot_become_a_command(stack: Stack, hosting: Hosting) -> None:
    """Whoever may connect to the database may send one."""
    anna = hosting.mailbox("anna", password=PASSWORD)
    assert signs_in(stack, anna)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('mail_sign_ins', %s)", [f"x\nPASS\t2\t{anna}\tservice=imap"])
    until(lambda: not is_remembered(stack, anna), "everybody is forgotten")
