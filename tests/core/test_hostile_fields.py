"""A field made to take long: from its octets to the reply in a moment, for everybody else waits meanwhile."""

import time

import pytest

from responders.core.body import body_text
from responders.core.decision import Policy, explain
from responders.core.facts import Conditions, Text
from responders.core.matching import folded
from responders.core.message import read_message
from responders.core.rendering import render
from responders.core.reply import compose
from tests.core.facts import NOW, mailbox, responder

LENGTH = 256 * 1024
# Processor time, in seconds. What is wrong here takes ten and more; what is right, 0.2, or a few on a slow machine.
LIMIT = 5.0
# Each with the fields in which it is worst.
HOSTILE = [
    ("To From", "international domains", "".join(f"a@ż{number}.pl," for number in range(30_000))),
    ("To", "long international domains", "".join(f"a@{number}{'ż' * 200}.pl," for number in range(1_000))),
    ("To", "one international address", "ż@ż.pl," * 40_000),
    ("Subject To", "accents", "\u0327\u0301" * 70_000),
    ("To", "accents in addresses", ("a" + "\u0327\u0301" * 100 + "@x.pl,") * 700),
    ("Content-Type Authentication-Results", "semicolons", ";" * LENGTH),
    ("Content-Type", "parameters", "a=b;" * 70_000),
    ("Subject Content-Type", "folds", "\r\n " * 90_000),
    ("To Auto-Submitted Received", "comments", "(a (b) \\) " * 30_000),
    ("From To", "quotes", '"\\' * 130_000),
    ("To References", "angles", "<a@" * 90_000),
    ("Subject", "encoded words", "=?u?q?x" * 40_000),
    ("Subject", "unknown charsets", "".join(f"=?c{number}?q?a?= " for number in range(20_000))),
    ("Received", "by", " by x" * 52_000),
    ("Accept-Language", "ranges", "en;q=0.1," * 30_000),
    ("From", "spaces", " " * LENGTH),
    ("Content-Type", "spaces and slashes", (" " * 400 + "/") * 600),
    ("Subject", "spaces between", ("a" + " " * 1_000) * 260),
]
CASES = [(name, value) for names, _what, value in HOSTILE for name in names.split()]
IDS = [f"{name}-{what}" for names, what, _value in HOSTILE for name in names.split()]
ANNA = mailbox(
    responder(
        conditions=Conditions(words=("zwrot towaru", "ż"), in_body=True, word_forms=True),
        texts=(Text("de", "{{ subject }}", "{{ sender.name }}"),),
    ),
    responder(id=2, text_body="{{ sender.name }} {{ subject }}", html_body="<p>{{ subject }}</p>"),
)
POLICY = Policy(spam_fields=("X-Spam-Flag: YES",), authserv_id="panel.example")
NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (at, at) for at in range(5_000))
BODIES = {
    "nested": b"Subject: x\r\n" + NESTED,
    "nested and cut": b"Subject: x\r\n" + NESTED[:20_000] + b"x\r\n" * 20_000,
    "parameters": b"Content-Type: text/plain" + b";a=b" * 60_000 + b"\r\n\r\nx",
    "parameters of a part": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain"
    + b";" * 60_000,
    "fields": b"Content-Type: text/plain\r\n" * 10_000 + b"\r\nx",
    "tags": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 12_000,
    "accents": b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "\u0327\u0301".encode() * 16_000,
}


@pytest.mark.parametrize(("name", "value"), CASES, ids=IDS)
def test_a_hostile_field_is_answered_in_a_moment(name: str, value: str) -> None:
    field = f"{name}: ".encode() + value.encode()[:LENGTH]
    started = time.process_time()
    message = read_message(field + b"\r\nTo: anna@firma.example\r\n\r\nx", "jan@example.com")
    explain(message, ANNA, POLICY, NOW)
    for row in ANNA.responders:
        compose(render(row, ANNA, message), ANNA, message, now=NOW, hostname="h.example", from_address=ANNA.address)
    assert time.process_time() - started < LIMIT


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_a_hostile_body_is_read_in_a_moment(content: bytes) -> None:
    started = time.process_time()
    folded(body_text(content))
    assert time.process_time() - started < LIMIT
