"""Delivery reports: which addresses refused a message for good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responders.core.report import MAX_PARTS, MAX_RECIPIENTS, Failure, failures

# As Postfix 3.7 reports a reply that was refused; the boundary and the names are others.
REPORT = b"""\
From: MAILER-DAEMON@mail.panel.example (Mail Delivery System)\r
To: 2bounce@autoreply.invalid\r
Subject: Postmaster Copy: Undelivered Mail\r
Auto-Submitted: auto-generated\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status;\r
\tboundary="4F0.1795/mail.panel.example"\r
\r
This is a MIME-encapsulated message.\r
\r
--4F0.1795/mail.panel.example\r
Content-Description: Notification\r
Content-Type: text/plain; charset=us-ascii\r
\r
<jan@example.com>: host mx.example.com[192.0.2.1] said: 550 5.1.1 No such user\r
\r
--4F0.1795/mail.panel.example\r
Content-Description: Delivery report\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mail.panel.example\r
Original-Envelope-Id: name\r
X-Postfix-Queue-ID: 4F0\r
\r
Final-Recipient: rfc822; jan@example.com\r
Original-Recipient: rfc822;jan@example.com\r
Action: failed\r
Status: 5.1.1\r
Remote-MTA: dns; mx.example.com\r
Diagnostic-Code: smtp; 550 5.1.1 No such\r
    user\r
\r
--4F0.1795/mail.panel.example\r
Content-Description: Undelivered Message\r
Content-Type: message/rfc822\r
\r
From: anna@firma.example\r
To: <jan@example.com>\r
Subject: Auto: x\r
\r
Final-Recipient: rfc822; not@this.example\r
Action: failed\r
Status: 5.0.0\r
\r
--4F0.1795/mail.panel.example--\r
"""
REFUSED = Failure("jan@example.com", "550 5.1.1 No such user", "name")


def test_it_reads_who_refused_and_what_was_said() -> None:
    assert failures(REPORT) == [REFUSED]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Action: failed", b"Action: delayed"),
        (b"Action: failed", b"Action: delivered"),
        (b"Status: 5.1.1", b"Status: 4.4.1"),
        (b"Status: 5.1.1", b"Status:"),
        (b"Final-Recipient: rfc822; jan@example.com", b"Final-Recipient: rfc822; jan"),
        (b"Final-Recipient: rfc822; jan@example.com", b"X: y"),
        (b"message/delivery-status", b"application/octet-stream"),
    ],
)
def test_whatever_is_no_permanent_failure_of_an_address_is_left_alone(old: bytes, new: bytes) -> None:
    assert failures(REPORT.replace(old, new, 1)) == []


@pytest.mark.parametrize("status", [b"Status: 5.1.1", b"Status: 5.1.1 (bad destination)"])
def test_without_words_the_status_stands_for_them(status: bytes) -> None:
    [found] = failures(REPORT.replace(b"Diagnostic-Code", b"X-Other").replace(b"Status: 5.1.1", status, 1))
    assert found.words == "5.1.1"


def test_an_address_comes_in_its_normal_form() -> None:
    written = "utf-8; Żółw@Bücher.example".encode()
    [found] = failures(REPORT.replace(b"rfc822; jan@example.com", written, 1))
    assert found.address == "żółw@xn--bcher-kva.example"


def test_a_report_of_very_many_recipients_is_bounded() -> None:
    block = b"Final-Recipient: rfc822; jan@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
    begin = REPORT.index(b"Final-Recipient")
    assert len(failures(REPORT[:begin] + block * 1000 + REPORT[begin:])) == MAX_RECIPIENTS


@pytest.mark.parametrize(("before", "read"), [(MAX_PARTS - 3, [REFUSED]), (MAX_PARTS - 2, [])])
def test_a_report_of_very_many_parts_is_bounded(before: int, read: list[Failure]) -> None:
    """The whole, the notification and the block of failures are three parts."""
    begin = REPORT.index(b"--4F0.1795")
    part = b"--4F0.1795/mail.panel.example\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    assert failures(REPORT[:begin] + part * before + REPORT[begin:]) == read


def test_a_report_that_was_cut_off_tells_what_it_can() -> None:
    whole = REPORT.index(b"Content-Description: Undelivered")
    assert failures(REPORT[:whole]) == [REFUSED]
    assert {found.address for length in range(whole) for found in failures(REPORT[:length])} == {"jan@example.com"}


@given(st.binary(max_size=300), st.integers(0, len(REPORT)))
def test_whatever_the_bytes_it_does_not_raise(noise: bytes, place: int) -> None:
    failures(REPORT[:place] + noise + REPORT[place:])
    failures(noise)


def test_nesting_a_thousand_deep_does_no_harm() -> None:
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(1000))
    assert failures(b"MIME-Version: 1.0\r\n" + deep + REPORT) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"message/delivery-status", b"message/global-delivery-status"),  # RFC 6533 §4
        (b"Status: 5.1.1", b"STATUS: 5.1.1 (bad destination)"),
        (b"Action: failed", b"action: Failed"),
        (b"Original-Envelope-Id", b"ORIGINAL-ENVELOPE-ID"),
    ],
)
def test_it_is_read_however_it_is_written(old: bytes, new: bytes) -> None:
    assert failures(REPORT.replace(old, new, 1)) == [REFUSED]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"no; such; user", "no; such; user"),
        (b"no \xff user", "no \ufffd user"),
        ("nie ma żółwia".encode(), "nie ma żółwia"),
    ],
)
def test_what_was_said_is_kept_whole(said: bytes, words: str) -> None:
    [found] = failures(REPORT.replace(b"No such\r\n    user", said, 1))
    assert found.words == f"550 5.1.1 {words}"


def test_a_report_without_the_name_of_a_message_has_none() -> None:
    [found] = failures(REPORT.replace(b"Original-Envelope-Id", b"X-Other", 1))
    assert found.envelope_id == ""
