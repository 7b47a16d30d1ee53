"""What leaves is signed, the replies too, and whoever asks the DNS can check it."""

import os
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from email import message_from_bytes
from pathlib import Path
from types import SimpleNamespace

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dns.resolver import Resolver
from pytest_django import Settings

from mailboxes.models import DkimKey, Domain
from mailboxes.signing import dkim
from responders.mailconfig.postfix import milter_lines
from responders.services import database_now
from tests.dns.name_server import Nsd
from tests.lmtp.name_server import NameServer
from tests.mta.conftest import PASSWORD, WORKER, Hosting
from tests.mta.stack import OURS, ROOT, SPAM, Stack, message
from tests.mta.test_who_may_send_what import submission
from webmail_panel import embedded
from webmail_panel.embedded import free_port


@pytest.fixture(scope="module")
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def keys() -> Iterator[embedded.Redis]:
    """The Redis that rspamd reads, and nobody else."""
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / f"redis-of-keys-{WORKER}"
    redis = embedded.start_redis(folder)
    # rspamd's processes are another user's; in production it is TCP, or a group.
    redis.socket_path.chmod(0o777)
    redis.socket_path.parent.chmod(0o755)
    yield redis
    redis.stop()


@pytest.fixture(scope="module")
def milter(shared_stack: Stack, name_server: NameServer, keys: embedded.Redis) -> Iterator[int]:
    with shared_stack.rspamd(name_server.address, keys.url) as port:
        yield port


@pytest.fixture(scope="module")
def signing_stack(shared_stack: Stack, milter: int) -> Iterator[Stack]:
    """With rspamd behind Postfix, and a hook that knows no connection of before."""
    with behind(shared_stack, milter):
        shared_stack.stop_hook()
        shared_stack.start_hook()
        yield shared_stack


@pytest.fixture(autouse=True)
def _write_there(settings: Settings, keys: embedded.Redis) -> None:
    settings.DKIM_REDIS_URL = keys.url


def behind(stack: Stack, port: int) -> AbstractContextManager[None]:
    """Postfix with the lines that `mailconfig postfix --milter` writes."""
    lines = dict(line.split(" = ", 1) for line in milter_lines(f"127.0.0.1:{port}").splitlines())
    return stack.postfix_with(**lines)


def signing_key(hosting: Hosting, server: NameServer, algorithm: str = "rsa") -> DkimKey:
    """Made in the panel, published, and let sign."""
    key = dkim.make_key(Domain.objects.get(name=hosting.domain), algorithm, now=database_now(), actor=None)
    name, value = dkim.record_of(key)
    pieces = [value[start : start + 255] for start in range(0, len(value), 255)]
    server.zone[name] = " ".join(f'"{piece}"' for piece in pieces)
    assert dkim.let_sign(key, now=database_now(), actor=None)
    return key


def signed_by(source: bytes, server: NameServer | Nsd) -> list[str]:
    """The domain of every signature, each of them verified with what the name server says."""
    resolver = Resolver(configure=False)
    address, _colon, port = server.address.rpartition(":")
    resolver.nameservers, resolver.port = [address], int(port)

    def answer(name: bytes, timeout: int = 5) -> bytes:
        [found] = resolver.resolve(name.decode(), "TXT")
        return b"".join(found.strings)

    fields = signatures(source)
    assert all(dkimpy.DKIM(source).verify(number, dnsfunc=answer) for number in range(len(fields)))
    return [tag(field, "d") for field in fields]


def signatures(source: bytes) -> list[str]:
    return [str(field) for field in message_from_bytes(source).get_all("DKIM-Signature", [])]


def tag(field: str, name: str) -> str:
    """The value of a tag of a signature (RFC 6376 §3.2)."""
    tags = dict(part.strip().partition("=")[::2] for part in field.split(";"))
    return str(tags[name])


@pytest.mark.parametrize("algorithms", [["rsa"], ["ed25519"], ["rsa", "ed25519"]], ids="+".join)
def test_a_reply_with_the_null_reverse_path_is_signed(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer, sender: str, algorithms: list[str]
) -> None:
    anna = hosting.away("anna")
    selectors = {signing_key(hosting, name_server, algorithm).selector for algorithm in algorithms}
    signing_stack.send(sender, anna)
    [reply] = signing_stack.sink.wait_for(sender)
    assert reply.reverse_path == ""
    assert signed_by(reply.content, name_server) == [hosting.domain] * len(algorithms)
    assert {tag(field, "s") for field in signatures(reply.content)} == selectors


@pytest.mark.parametrize("secret", [b"\xff" * 32, b"\xfc" + bytes(31)], ids=["slashes", "zeros"])
def test_a_key_that_looks_like_the_name_of_a_file_signs_too(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer, sender: str, secret: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """In base64 it begins with a slash."""
    made = SimpleNamespace(generate=lambda: Ed25519PrivateKey.from_private_bytes(secret))
    monkeypatch.setattr(dkim, "Ed25519PrivateKey", made)
    anna = hosting.away("anna")
    signing_key(hosting, name_server, "ed25519")
    signing_stack.send(sender, anna)
    [reply] = signing_stack.sink.wait_for(sender)
    assert signed_by(reply.content, name_server) == [hosting.domain]


def test_a_letter_of_somebody_who_signed_in_is_signed_and_a_strangers_is_not(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer, sender: str
) -> None:
    anna, ewa = hosting.mailbox("anna", password=PASSWORD), hosting.mailbox("ewa")
    signing_key(hosting, name_server)
    with submission(signing_stack, anna) as smtp:
        smtp.send_message(message(anna, ewa), anna, [ewa])
    [letter] = signing_stack.wait_until_stored(ewa)
    assert letter["DKIM-Signature"] is not None
    signing_stack.send(sender, ewa, message(anna, ewa))
    signing_stack.wait_until_stored(ewa, 2)
    assert sum(one["DKIM-Signature"] is not None for one in signing_stack.stored(ewa)) == 1


def test_a_reply_with_a_bounce_address_is_signed(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer, sender: str
) -> None:
    anna = hosting.away("anna")
    Domain.objects.filter(name=hosting.domain).update(has_bounce_address=True)
    signing_key(hosting, name_server)
    signing_stack.send(sender, anna)
    [reply] = signing_stack.sink.wait_for(sender)
    assert reply.reverse_path.startswith("bounces=")
    assert signed_by(reply.content, name_server) == [hosting.domain]


@pytest.mark.parametrize(
    ("envelope", "written", "signs"),
    [
        ("anna@{own}", "anna@{own}", True),
        ("", "anna@{own}", True),
        ("sprzedaz@{other}", "sprzedaz@{other}", True),  # an alias of theirs
        ("anna@{own}", "prezes@{other}", False),
        ("", "prezes@{other}", False),
        ("anna@{own}", "prezes@{other}, anna@{own}", False),
        ("anna@{own}", "anna@{own}, prezes@{other}", False),
        ("sprzedaz@{other}", "anna@{own}", False),
    ],
)
def test_nobody_who_signed_in_gets_a_signature_of_a_domain_that_is_not_theirs(
    signing_stack: Stack,
    hosting: Hosting,
    name_server: NameServer,
    sender: str,
    envelope: str,
    written: str,
    signs: bool,
) -> None:
    anna, own = hosting.mailbox("anna", password=PASSWORD), hosting.domain
    signing_key(hosting, name_server)
    other = Hosting(f"other-{own}")
    other.mailbox("prezes")
    other.alias("sprzedaz", anna)
    signing_key(other, name_server)
    letter = message(to=sender)
    letter["From"] = written.format(own=own, other=other.domain)
    with submission(signing_stack, anna) as smtp:
        smtp.send_message(letter, envelope.format(own=own, other=other.domain), [sender])
    [sent] = signing_stack.sink.wait_for(sender)
    of_the_author = written.format(own=own, other=other.domain).rpartition("@")[2]
    assert signed_by(sent.content, name_server) == ([of_the_author] if signs else [])


def test_after_a_rotation_the_new_key_signs(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer, sender: str
) -> None:
    anna = hosting.away("anna")
    first = signing_key(hosting, name_server)
    second = signing_key(hosting, name_server)
    first.refresh_from_db()
    assert first.retired_at is not None
    signing_stack.send(sender, anna)
    [reply] = signing_stack.sink.wait_for(sender)
    assert [tag(field, "s") for field in signatures(reply.content)] == [second.selector]
    assert signed_by(reply.content, name_server) == [hosting.domain]


def test_what_a_host_of_ours_sends_is_signed_without_signing_in(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer
) -> None:
    anna, ewa = hosting.mailbox("anna"), hosting.mailbox("ewa")
    signing_key(hosting, name_server)
    signing_stack.send(anna, ewa, message(anna, ewa), client=OURS)
    [letter] = signing_stack.wait_until_stored(ewa)
    assert tag(str(letter["DKIM-Signature"]), "d") == hosting.domain


def test_the_containers_health_check_knows_it(milter: int) -> None:
    check = [ROOT / "deploy" / "bin" / "milter-answers", "127.0.0.1"]
    assert subprocess.run([*check, str(milter)], timeout=300, check=False).returncode == 0
    closed = subprocess.run([*check, str(free_port())], timeout=300, check=False, capture_output=True)
    assert closed.returncode == 1


def test_a_reply_that_quotes_spam_is_not_judged(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer, sender: str
) -> None:
    """The same text from a stranger is refused."""
    anna = hosting.mailbox("anna")
    hosting.responder(anna, text_body=f"Jestem poza biurem. {SPAM}.")
    signing_key(hosting, name_server)
    with pytest.raises(smtplib.SMTPDataError, match="554"):
        signing_stack.send(sender, anna, message(sender, anna, text=f"{SPAM}!"))
    signing_stack.send(sender, anna)
    [reply] = signing_stack.sink.wait_for(sender)
    assert signed_by(reply.content, name_server) == [hosting.domain]


def nobody_home() -> tuple[socket.socket, int]:
    """Accepts connections and says nothing."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(100)
    return silent, silent.getsockname()[1]


@pytest.mark.parametrize("hangs", [False, True], ids=["away", "hangs"])
def test_a_signer_that_does_not_answer_keeps_no_mail_back(
    stack: Stack, hosting: Hosting, sender: str, hangs: bool
) -> None:
    anna = hosting.away("anna")
    silent, port = nobody_home()
    if not hangs:
        silent.close()
    with behind(stack, port):
        stack.send(sender, anna)
        [reply] = stack.sink.wait_for(sender)
        stack.wait_until_stored(anna)
    silent.close()
    assert reply.message["DKIM-Signature"] is None


def test_without_the_redis_of_the_keys_mail_flows_unsigned(
    signing_stack: Stack, hosting: Hosting, name_server: NameServer, keys: embedded.Redis, sender: str
) -> None:
    """Last here: it stops that Redis."""
    anna = hosting.away("anna")
    signing_key(hosting, name_server)
    keys.stop()
    signing_stack.send(sender, anna)
    [reply] = signing_stack.sink.wait_for(sender)
    assert reply.message["DKIM-Signature"] is None
