"""What a client may use of the hook: memory, lines, recipients, connections, time."""

import time

from responders.hook import lmtp
from responders.hook.lmtp import Session
from responders.hook.server import Limits
from responders.models import Responder
from tests.lmtp.parts import Hook, Relay, copy, message

BEGIN = b"LHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@firma.example>\r\nDATA\r\n"


def content_kept(octets: bytes) -> tuple[bytes, int]:
    session = Session("panel.example", max_size=10**9)
    session.feed(BEGIN)
    pieces = [octets[start : start + 65536] for start in range(0, len(octets), 65536)]
    for piece in pieces:
        assert session.feed(piece).delivery is None
    delivery = session.feed(b"\r\n.\r\n").delivery
    assert delivery is not None
    return delivery.content, delivery.size


def test_of_a_large_body_the_beginning_is_kept() -> None:
    header, body = b"Subject: x\r\n\r\n", b"0123456789abcde\n" * 100_000
    content, size = content_kept(header + body)
    assert abs(len(content) - len(header) - lmtp.MAX_BODY_OCTETS) <= 2
    assert content.startswith(header + b"0123")
    assert size == len(header) + len(body) + 2


def test_of_a_large_header_block_a_megabyte_is_kept() -> None:
    content, _size = content_kept(b"X: " + b"x" * 3_000_000 + b"\r\n\r\nbody")
    assert abs(len(content) - lmtp.MAX_HEADER_OCTETS) <= 2


def test_the_body_counts_from_the_end_of_the_header_block() -> None:
    header = b"X: " + b"x" * 900_000 + b"\r\n\r\n"
    content, _size = content_kept(header + b"y" * 1_000_000)
    assert abs(len(content) - len(header) - lmtp.MAX_BODY_OCTETS) <= 2


def test_a_line_without_end_is_not_kept() -> None:
    session = Session("panel.example", max_size=10**9)
    for _piece in range(100):
        assert session.feed(b"x" * 65536).output == b""
    assert session.feed(b"x\r\nNOOP\r\n").output == b"500 5.5.2 The line is too long\r\n250 2.0.0 Still here\r\n"


def test_the_hundred_and_first_recipient_comes_again() -> None:
    session = Session("panel.example", max_size=10**9)
    session.feed(BEGIN.replace(b"DATA\r\n", b""))
    replies = session.feed(b"RCPT TO:<b@firma.example>\r\n" * 100).output.split(b"\r\n")
    assert [reply[:3] for reply in replies[:-1]] == [b"250"] * 99 + [b"452"]


def test_many_commands_at_once_take_no_time_to_speak_of() -> None:
    session, started = Session("panel.example", max_size=10**9), time.process_time()
    session.feed(b"NOOP\r\n" * 50_000)
    assert time.process_time() - started < 20  # a guard, not a measure


def test_one_connection_too_many_is_told_to_come_again(relay: Relay, db: None) -> None:
    hook = Hook(relay.url, limits=Limits(connections=2))
    try:
        with hook.client(), hook.client(), hook.client() as third:
            assert third.greeting.startswith("421 4.3.2")
    finally:
        hook.stop()


def test_a_silent_client_is_sent_away(relay: Relay, db: None) -> None:
    hook = Hook(relay.url, limits=Limits(idle_seconds=0.2))
    try:
        with hook.client() as client:
            assert client.reply().startswith("421 4.4.2")
            assert client.reply() == ""
    finally:
        hook.stop()


def test_several_messages_share_a_connection(hook: Hook, relay: Relay, standing_reply: Responder) -> None:
    with hook.client() as client:
        for number in range(5):
            assert client.deliver(f"s{number}@nadawca.example", [copy("anna@firma.example")], message())[0][:3] == "250"
    assert len(relay.contents) == 5
