"""Bytes become facts, whatever the bytes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responders.core.message import Message, header_block, read_message
from tests.core.facts import LETTER
from tests.core.valid import assert_answered_well

NAMES = b"From To Cc Subject Message-ID References Received Date Content-Type Auto-Submitted List-Id X-Loop Precedence"
FIELDS = st.sampled_from(NAMES.split())
HOSTILE = [b"=?utf-8?q?", b"<a@b>", b'"', b"(", b"\\", b",", b";", b"\r\n ", b"anna@firma.example"]
PIECES = st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(HOSTILE)), max_size=8)


LAZY = ("addressed_to", "from_name", "from_address", "subject", "message_id", "references", "content_type")


def read_whole(content: bytes, sender: str) -> Message:
    """With what is read only when somebody asks."""
    message = read_message(content, sender)
    for name in LAZY:
        getattr(message, name)
    return message


@settings(max_examples=250, deadline=None)
@given(
    fields=st.lists(st.tuples(FIELDS, PIECES), max_size=12),
    end=st.sampled_from([b"\r\n", b"\n", b"\r"]),
    body=st.binary(max_size=200),
    sender=st.one_of(st.just("jan@example.com"), st.text(max_size=80)),
)
def test_any_message_is_decided_and_any_reply_is_valid(
    fields: list[tuple[bytes, list[bytes]]], end: bytes, body: bytes, sender: str
) -> None:
    head = b"".join(name + b": " + b"".join(pieces) + end for name, pieces in fields)
    assert_answered_well(head + b"To: anna@firma.example" + end + end + body, sender)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=2000), sender=st.text(max_size=50))
def test_reading_never_fails(content: bytes, sender: str) -> None:
    message = read_whole(content, sender)
    for text in (message.subject, message.from_name):
        assert not set(text) & set("\r\n\0")
    text = "".join(value for values in message.fields.values() for value in values)
    assert "\0" not in text
    text.encode("utf-8")


@pytest.mark.parametrize("cut", range(0, len(LETTER), 7))
def test_a_message_may_be_cut_off_anywhere(cut: int) -> None:
    read_whole(LETTER[:cut], "jan@example.com")


@settings(max_examples=500, deadline=None)
@given(
    lines=st.lists(st.text('aB-:; \t\x0b\x7f("', max_size=12)), end=st.sampled_from(["\r\n", "\n"]), cut=st.booleans()
)
def test_fields_are_the_same_whether_read_as_text_or_with_care(lines: list[str], end: str, cut: bool) -> None:
    head = end.join(["Subject: x", *(line for line in lines if line)])
    content = head if cut else head + end + end + "a body: x"
    plain = read_message(content.encode(), "jan@example.com").fields
    careful = dict(read_message(b"X-Care: \x1b" + end.encode() + content.encode(), "jan@example.com").fields)
    assert careful.pop("x-care")
    assert plain == careful


def test_what_stands_behind_a_bare_cr_is_not_the_fields() -> None:
    fields = read_message(b"Subject: x\rList-Id: <y>\nTo:\ra@b.example\n b\n\n", "jan@example.com").fields
    assert fields == {"subject": ("x",), "to": ("",)}


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_either_line_end_will_do(end: bytes) -> None:
    content = (LETTER + b"\r\nSubject: in the body\r\n").replace(b"\r\n", end)
    message = read_message(content, "jan@example.com")
    assert (message.subject, message.message_id) == ("Oferta", "<1@example.com>")
    assert message.addressed_to == ("anna@firma.example",)


def test_the_body_is_not_read_for_fields() -> None:
    assert read_message(b"\r\nAuto-Submitted: auto-replied\r\n", "a@b.example").fields == {}
    assert header_block(b"\n\nx") == b""
    assert read_message(b"\nAuto-Submitted: auto-replied\n\nx", "a@b.example").fields == {}
    assert header_block(b"\nSubject: x\n\n") == header_block(b"\r\nSubject: x\r\n\r\n") == b""


@pytest.mark.parametrize(
    ("received", "queue_id", "received_at"),
    [
        (
            "from a\r\n\tby mx.firma.example (Postfix)\r\n\tid 4bKx7Y2; Mon, 28 Dec 2026 12:00:00 +0100 (CET)",
            "4bKx7Y2", datetime(2026, 12, 28, 11, tzinfo=UTC),
        ),
        ("by mx.firma.example (Postfix, from userid 0) id 9F2AB1C0DE; Mon, 28 Dec 2026 12:00:00 +0000", "9F2AB1C0DE",
         datetime(2026, 12, 28, 12, tzinfo=UTC)),
        ("from a by mx.firma.example (Postfix) with ESMTP id 4ABC; sometime", "4ABC", None),
        # A client may call itself what it likes: the server's own words come last.
        ("from x by mx.firma.example id FAKE (unknown [192.0.2.1]) by mx.firma.example (Postfix) with ESMTP id 4ABC",
         "4ABC", None),
        ("from x by mx.firma.example id FAKE; by relay.example.org id 4ABC; Mon, 1 Jan 2024 0:00 +0000", None, None),
        ("from x (by mx.firma.example id FAKE) by relay.example.org id 4ABC; sometime", None, None),
        ("from x by MX.Firma.example id 4ABC", "4ABC", None),
        ("from x by mx.firma.example; Mon, 28 Dec 2026 12:00:00 -0000", None, datetime(2026, 12, 28, 12, tzinfo=UTC)),
        ("from a by relay.example.org with ESMTP id 4ABC; Mon, 28 Dec 2026 12:00:00 +0000", None, None),
        ("nonsense", None, None),
    ],
)  # fmt: skip
def test_the_topmost_received_field_of_ours_names_the_copy(
    received: str, queue_id: str | None, received_at: datetime | None
) -> None:
    content = f"Received: {received}\r\nReceived: from x by mx.firma.example id OLD; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    message = read_message(content.encode() + LETTER, "jan@example.com", received_by=["mx.firma.example"])
    assert (message.queue_id, message.received_at) == (queue_id, received_at)


@pytest.mark.parametrize(
    ("to", "addresses"),
    [
        ("Anna <anna@firma.example>, ewa@firma.example", ("anna@firma.example", "ewa@firma.example")),
        ('"Nowak, Anna" <anna@firma.example>', ("anna@firma.example",)),
        ("Team: a@x.example, B <b@x.example>;, c@x.example", ("a@x.example", "b@x.example", "c@x.example")),
        ("a@x.example (b@x.example (c@x.example))", ("a@x.example",)),
        ("<@relay.example:a@x.example>", ("a@x.example",)),
        ("undisclosed-recipients:;", ()),
        ("(c) a@x.example (d (e \\) f) g), (b@x.example)", ("a@x.example",)),
        (
            'Zespół (nie) : "A; (b)" <a@x.example> (,), b@x.example;, c@x.example',
            ("a@x.example", "b@x.example", "c@x.example"),
        ),
        ('"a"@x.example, "a b"@x.example', ("a@x.example",)),
        ('"a <b@x.example', ()),
        ("<a@x.example> <b@x.example>", ("b@x.example",)),
        ('"b@x.example, c@x.example" <a@x.example>', ("a@x.example",)),
        ('a"b"<c@x.example>, "X"@x.example', ("c@x.example", "x@x.example")),
        ('"b@x.example", a@x.example', ("a@x.example",)),
        ('"Anna" a@x.example', ("a@x.example",)),
        ("Resent: <a@x.example> (<b@x.example>)", ("a@x.example",)),
        ("a@x.example, a@X.EXAMPLE", ("a@x.example",)),
        ("anna@bücher.example", ("anna@xn--bcher-kva.example",)),
        ("=?utf-8?q?anna=40firma.example?= <a@x.example>", ("a@x.example",)),
        ("anna", ()),
    ],
)
def test_recipients_are_read_as_people_write_them(to: str, addresses: tuple[str, ...]) -> None:
    assert read_message(f"To: {to}\r\n".encode(), "a@b.example").addressed_to == addresses


def test_an_author_has_a_name_and_an_address() -> None:
    content = "From: =?utf-8?q?=C5=BB=C3=B3=C5=82w?= <Zolw@x.example>, b@x.example\r\n"
    message = read_message(content.encode(), "")
    assert (message.from_name, message.from_address) == ("Żółw", "zolw@x.example")
    quoted = read_message(b'From: "Nowak, \\"Ania\\" <x>" <a@x.example>\r\n', "")
    assert (quoted.from_name, quoted.from_address) == ('Nowak, "Ania" <x>', "a@x.example")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("=?utf-8?q?Za=C5=BC=C3=B3=C5=82=C4=87?=", "Zażółć"),
        ("=?ISO-8859-2?Q?Za=BF=F3=B3=E6_ja=BC=F1?=", "Zażółć jaźń"),
        ("=?windows-1250?B?WmG/87PmIGphn/E=?=", "Zażółć jaźń"),
        ("=?koi8-r?b?8NLJ18XU?=", "Привет"),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?utf-8*pl?q?Za=C5=BC=C3=B3=C5=82=C4=87?=", "Zażółć"),  # RFC 2231 §5
        ("=?utf-8?q?one?= =?utf-8?q?_two?=", "one two"),
        ("=?utf-8?q?=C5?= =?utf-8?q?=BC?=", "ż"),  # a letter in two halves: not allowed, and common
        ("Re: =?utf-8?q?=C5=BC?= 12 =?utf-8?q?=C5=BC?=", "Re: ż 12 ż"),
        ("=?utf-8?q?=C5=BC?= =?iso-8859-2?q?=BF?= =?UTF-8?Q?=C5?= =?utf-8?Q?=BC?=", "żżż"),
        ("=?unknown-8bit?q?a=B1?=", "aą"),
        ("=?utf-8?b?YQ?=", "a"),  # without its padding
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?no-such-charset?q?a=E9?=", "aé"),
        ("=?rot13?q?abc?= =?zip?b?YWJj?=", "abcabc"),
        ("=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        ("=?utf-8?q?not closed", "=?utf-8?q?not closed"),
    ],
)
def test_encoded_words_become_text(field: str, text: str) -> None:
    assert read_message(f"Subject: {field}\r\n".encode(), "").subject == text


def test_a_header_block_of_a_megabyte_and_fifty_thousand_recipients_are_read() -> None:
    many = b"To: " + b",\r\n ".join(b"u%d@x.example" % number for number in range(50_000)) + b"\r\n"
    message = read_message(many + b"X-A: " + b"x" * 1_000_000 + b"\r\nSubject: ok\r\n", "a@b.example")
    assert message.subject == "ok"
    assert "u7@x.example" in message.addressed_to


def test_of_addresses_beyond_ascii_the_first_hundred_are_read() -> None:
    many = ", ".join(f"a@ż{number}.example" for number in range(200))
    message = read_message(f"To: {many}, anna@firma.example\r\n".encode(), "jan@example.com")
    assert message.addressed_to[0] == "a@xn--0-ooa.example"
    assert len(message.addressed_to) == 101
    assert "anna@firma.example" in message.addressed_to


def test_the_same_address_a_thousand_times_is_one() -> None:
    many = ", ".join(["a@ż.example", "ż@firma.example"] * 1_000)
    assert len(read_message(f"To: {many}, anna@firma.example\r\n".encode(), "jan@example.com").addressed_to) == 3


def test_ten_thousand_addresses_are_read_of_all_fields_together() -> None:
    first = ", ".join(f"u{each}@x.example" for each in range(9_999))
    fields = f"To: {first}\r\nCc: b@x.example, c@x.example\r\n".encode()
    message = read_message(fields, "jan@example.com")
    assert len(message.addressed_to) == 10_000
    assert message.addressed_to[-1] == "b@x.example"


def test_a_subject_and_a_name_have_a_length() -> None:
    message = read_message(b"Subject: " + b"x" * 5_000 + b"\r\nFrom: " + b"y" * 5_000 + b" <a@x.example>\r\n", "")
    assert (len(message.subject), len(message.from_name)) == (2_000, 2_000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Multipart/Report; x=y", "multipart/report; x=y"),
        ("multipart (a) / (b (c))report", "multipart/report"),
        ("", ""),
    ],
)
def test_a_content_type_is_read_without_comments(value: str, expected: str) -> None:
    found = read_message(f"Content-Type: {value}\r\n".encode(), "").content_type
    assert found == expected


def test_no_octets_make_a_field_that_cannot_be_stored() -> None:
    fields = b"Content-Type: text/plain; charset=utf-7\r\nSubject: +2AA- +AAA- \xff\r\nX-A: a\0b\xed\xa0\x80\r\n"
    message = read_message(fields, "jan@example.com")
    text = "".join(value for values in message.fields.values() for value in values)
    assert "\0" not in text
    text.encode("utf-8")


def test_a_message_without_fields_has_nothing_to_say() -> None:
    message = read_message(b"\r\nbody", "")
    assert (message.from_name, message.from_address, message.subject, message.content_type) == ("", None, "", "")
    assert (message.message_id, message.references, message.queue_id, message.received_at) == (None, (), None, None)
    assert message.addressed_to == ()


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("a@x.example", "", "a@x.example"),
        ('"" <a@x.example>', "", "a@x.example"),
        ('" <a@x.example>', '"', "a@x.example"),
        ('"a" b <a@x.example>', '"a" b', "a@x.example"),
        ('a "b" <a@x.example>', 'a "b"', "a@x.example"),
        ('"a" <a@x.example>', "a", "a@x.example"),
        (", Jan, <a@x.example>", "Jan", "a@x.example"),
        ("XX <a@x.example>", "XX", "a@x.example"),
        ("Jan <nobody>", "Jan", None),
        ("Jan", "", None),
    ],
)
def test_an_author_is_read_as_people_write_one(written: str, name: str, address: str | None) -> None:
    message = read_message(f"From: {written}\r\n".encode(), "")
    assert (message.from_name, message.from_address) == (name, address)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"a\r\n\tb", "a\tb"), (b"a\n b\r\n  c", "a b  c"), (b"a\0b", "ab"), (b"\r\n a ", "a"),
        (b" \t a", "a"), (b"", ""), (b"a\rb", "a"),
    ],
)  # fmt: skip
def test_a_field_is_one_line_whatever_its_folds(written: bytes, value: str) -> None:
    assert read_message(b"X-A:" + written + b"\r\nX-B: x\r\n", "").first("x-a") == value


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_so_is_one_beyond_ascii(end: bytes) -> None:
    written = b"X-Words: za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87" + end + b"\tg\xc4\x99\xc5\x9bl\xc4\x85" + end * 2
    assert read_message(written, "jan@nadawca.example").first("x-words") == "zażółć\tgęślą"


def test_a_reverse_path_is_read_without_controls_and_brackets() -> None:
    assert read_message(b"", "<ja\0n@x.example>").reverse_path == "jan@x.example"
    assert read_message(b"", " <> ").reverse_path == ""


def test_comments_are_left_out_twenty_deep() -> None:
    deep = "(" * 20 + ")" * 20
    assert read_message(f"To: a@x.example {deep}\r\n".encode(), "").addressed_to == ("a@x.example",)
    assert read_message(f"To: a@x.example ({deep})\r\n".encode(), "").addressed_to == ()
