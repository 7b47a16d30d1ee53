"""Passwords that came with a hash of another system: Dovecot lets in, the panel does and makes an Argon2id hash.

Nobody listens here for what Dovecot hands over: tests/mta/test_rehash.py."""

import imaplib
import subprocess

import pytest
from django.test import Client
from django.urls import reverse
from passlib.hash import des_crypt

from mailboxes import foreign_hashes, services
from mailboxes.foreign_hashes import Taken
from mailboxes.models import User
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import Stack


def hashed(scheme: str) -> Taken:
    """As Dovecot's own tool hashes it; old crypt(3), which it makes no more, as libpass does."""
    if scheme == "DES":
        return Taken("CRYPT", des_crypt.hash(PASSWORD))
    made = subprocess.run(
        ["doveadm", "pw", "-s", scheme, "-p", PASSWORD], check=True, capture_output=True, text=True
    ).stdout  # fmt: skip
    taken = foreign_hashes.read(made)
    assert isinstance(taken, Taken)
    return taken


def may_sign_in(stack: Stack, address: str, password: str) -> bool:
    try:
        with stack.imap(address, password) as imap:
            return imap.select()[0] == "OK"
    except imaplib.IMAP4.error as error:
        if "AUTHENTICATIONFAILED" not in str(error):
            raise
        return False


SCHEMES = pytest.mark.parametrize(
    "scheme",
    [
        "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "BLF-CRYPT", "SSHA", "SSHA256", "SSHA512", "PBKDF2", "SMD5",
        "SHA512-CRYPT.B64", "SSHA512.HEX", "PLAIN-MD5", "SHA256", "CRYPT", "PLAIN", "ARGON2I", "ARGON2ID", "DES",
    ],
)  # fmt: skip


@SCHEMES
def test_who_moves_here_keeps_the_password_in_mail_programs_and_in_the_panel(
    stack: Stack, hosting: Hosting, scheme: str, plain_static_files: None
) -> None:
    anna = hosting.mailbox("anna")
    assert services.take_password(hosting.mailboxes[anna], hashed(scheme))
    as_it_came = User.objects.get(email=anna).password
    assert may_sign_in(stack, anna, PASSWORD)
    assert not may_sign_in(stack, anna, "x" + PASSWORD)
    assert User.objects.get(email=anna).password == as_it_came  # Dovecot makes no hashes
    page = Client().post(reverse("account_login"), {"login": anna, "password": PASSWORD})
    assert page.status_code == 302
    assert User.objects.get(email=anna).password.startswith("argon2$argon2id$")
    assert may_sign_in(stack, anna, PASSWORD)
