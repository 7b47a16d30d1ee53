"""A megabyte of header fields made to take long: everybody else waits for as long as one is being read."""

import time

import pytest

from responders.core.decision import Policy, decide_by_message
from responders.core.message import read_message

MEGABYTE = 1024 * 1024
BLOCKS = {
    "many fields": b"A:\r\n" * 250_000,
    "many recipients in one field": b"To: " + b"a@b.example, " * 80_000,
    "many fields of recipients": b"To: a@b.example\r\n" * 60_000,
    "many Received fields": b"Received: x\r\n" * 80_000,
    "many references": b"References: " + b"<a@b> " * 170_000,
    "many encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 70_000,
    "encoded words without end": b"Subject: " + b"=?utf-8?q?" * 90_000,
    "quotes without end": b'From: a\r\nTo: "' + b'"\\' * 500_000,
    "a quoted name without end": b'From: "' + b'"\\' * 500_000,
    "parentheses without end": b"To: " + b"(" * 1_000_000,
    "groups in groups": b"To: " + b"g:" * 250_000 + b"a@b.example" + b";" * 250_000,
    "angles without end": b"From: " + b"<" * 1_000_000,
    "half Message-IDs": b"Message-ID: " + b"<a@" * 330_000,
    "folds": b"Subject: x" + b"\r\n " * 330_000,
    "a comment that never ends": b"Auto-Submitted: " + b"((a)" * 250_000,
    "a date of nines": b"Received: by x id y; " + b"9" * 1_000_000,
    "spaces": b"From:" + b" " * 1_000_000 + b"<a@b.example>",
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_it_is_read_in_a_moment(block: bytes) -> None:
    policy = Policy(spam_fields=("X-Spam: Yes",), authserv_id="panel.example")
    started = time.process_time()
    decide_by_message(read_message(block[:MEGABYTE], "jan@nadawca.example"), policy)
    assert time.process_time() - started < 10  # work in the square of the size would be minutes
