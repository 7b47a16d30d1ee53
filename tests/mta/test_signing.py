"""What leaves is signed, the replies too, and whoever asks the DNS can check it."""

from collections.abc import Iterator
from email import message_from_bytes

import dkim as dkimpy
import pytest
from dns.resolver import Resolver

from mailboxes import dkim
from mailboxes.models import DkimKey, Domain
from responders.services import database_now
from tests.lmtp.name_server import NameServer
from tests.mta.conftest import PASSWORD, Hosting
from tests.mta.stack import Stack, message
from tests.mta.test_who_may_send_what import submission


@pytest.fixture(scope="module")
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def signing_stack(shared_stack: Stack, name_server: NameServer) -> Iterator[Stack]:
    """With rspamd behind Postfix."""
    with (
        shared_stack.rspamd(name_server.address) as port,
        shared_stack.postfix_with(
            smtpd_milters=f"inet:127.0.0.1:{port}", milter_default_action="accept",
            milter_mail_macros="i {mail_addr} {client_addr} {client_name} {auth_authen}",
        ),
    ):  # fmt: skip
        yield shared_stack


def signing_key(hosting: Hosting, server: NameServer, algorithm: str = "rsa") -> DkimKey:
    """Made in the panel, published, and let sign."""
    key = dkim.make_key(Domain.objects.get(name=hosting.domain), algorithm, now=database_now(), actor=None)
    name, value = dkim.record_of(key)
    pieces = [value[start : start + 255] for start in range(0, len(value), 255)]
    server.zone[name] = " ".join(f'"{piece}"' for piece in pieces)
    assert dkim.let_sign(key, now=database_now(), actor=None)
    return key


def signed_by(source: bytes, server: NameServer) -> list[str]:
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


def test_a_signer_that_is_away_keeps_no_mail_back(stack: Stack, hosting: Hosting, sender: str) -> None:
    anna = hosting.away("anna")
    with stack.postfix_with(smtpd_milters="inet:127.0.0.1:9", milter_default_action="accept"):
        stack.send(sender, anna)
        [reply] = stack.sink.wait_for(sender)
        stack.wait_until_stored(anna)
    assert reply.message["DKIM-Signature"] is None
