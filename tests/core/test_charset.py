"""Octets without a charset, or with a wrong one, become the letters that were meant."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responders.core.charset import codec_name, decode, decode_undeclared
from responders.core.message import read_message


@pytest.mark.parametrize(
    ("octets", "declared", "text"),
    [
        ("Zażółć gęślą jaźń".encode(), "iso-8859-2", "Zażółć gęślą jaźń"),  # what decodes as UTF-8 is UTF-8
        ("Zażółć gęślą jaźń".encode("iso8859-2"), "", "Zażółć gęślą jaźń"),
        ("Zażółć gęślą jaźń".encode("cp1250"), "", "Zażółć gęślą jaźń"),
        ("ŁÓDŹ ŚWIĄTECZNA".encode("iso8859-2"), "", "ŁÓDŹ ŚWIĄTECZNA"),
        ("ŁÓDŹ ŚWIĄTECZNA".encode("cp1250"), "", "ŁÓDŹ ŚWIĄTECZNA"),
        ("cała łódka".encode("cp1250"), "", "cała łódka"),
        ("„Ślad” – tak".encode("cp1250"), "", "„Ślad” – tak"),
        ("Müller, Äpfel".encode("latin-1"), "", "Müller, Äpfel"),
        ("5 µm".encode("cp1250"), "", "5 µm"),
        ("„±”".encode("cp1250"), "", "„±”"),
        ("„\ufffd".encode("cp1250", "ignore") + b"\x81", "", "„\ufffd"),
        ("Müller, Äpfel à la".encode("latin-1"), "iso-8859-1", "Müller, Äpfel à la"),
        ("Привет".encode("koi8-r"), "", "Привет"),
        ("Как дела?".encode("koi8-r"), "", "Как дела?"),
        ("Привет".encode("cp1251"), "", "Привет"),
        ("Привет".encode("iso8859-5"), "ISO-8859-5", "Привет"),
        ("こんにちは".encode("iso2022_jp"), "", "こんにちは"),
        (b"\x1b$B\xff\x1b(Bx", "", "\ufffdx"),
        ("こんにちは".encode("shift_jis"), "Shift_JIS", "こんにちは"),
        ("“smart” quotes".encode("cp1252"), "iso-8859-1", "“smart” quotes"),
        ("Ślad".encode("cp1250"), "iso-8859-2", "Ślad"),
        ("Ślad".encode("cp1250"), "utf-8", "Ślad"),  # the body is, the field is not
        ("Ślad".encode("cp1250"), "us-ascii", "Ślad"),
        ("Ślad".encode("cp1250"), "no-such-charset", "Ślad"),
        ("Ślad".encode("cp1250"), "utf-16", "Ślad"),
    ],
)
def test_raw_octets_become_the_letters_that_were_meant(octets: bytes, declared: str, text: str) -> None:
    assert decode_undeclared(octets, declared) == text


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"Za\xc5\xbc", "UTF-8", "Zaż"),
        (b"Za\xc5", "utf-8", "Za\ufffd"),
        (b"a\xb1", "iso-8859-2", "aą"),
        (b"\x93a\x94", "ISO_8859-1", "“a”"),
        (b"a\xe9", "iso-8859-1", "aé"),
        (b"\x81\x93", "iso-8859-1", "\ufffd“"),
        (b"a\xb9", "us-ascii", "aą"),
        (b"a\xb9", "unknown-8bit", "aą"),
        (b"+2AA-", "utf-7", "+2AA-"),
        (b"\\ud800\\]", "unicode_escape", "\\ud800\\]"),
        (b"xn--a", "idna", "xn--a"),
        (b"abc", "rot13", "abc"),
        (b"abc", "zip", "abc"),
        (b"abc", "cp037", "abc"),
        (b"abc", "a\0b", "abc"),
        (b"abc", "x" * 5_000, "abc"),
    ],
)
def test_a_named_charset_counts_if_it_is_one_of_mail(octets: bytes, charset: str, text: str) -> None:
    assert decode(octets, charset) == text


@given(
    octets=st.binary(max_size=200), charset=st.one_of(st.text(max_size=20), st.sampled_from(["utf-7", "hz", "big5"]))
)
def test_any_octets_in_any_charset_are_some_text(octets: bytes, charset: str) -> None:
    decode(octets, charset)
    decode_undeclared(octets, charset)


@given(st.text(st.sampled_from("aąbcćdeęfłńoósśtuzźżAĄĆĘŁŃÓŚŹŻ ,.!?"), max_size=60))
def test_polish_is_read_in_both_of_its_old_charsets(text: str) -> None:
    for charset in ("iso8859-2", "cp1250"):
        octets = text.encode(charset)
        if not re.search(r"[^ -~]{4}", text) and not _is_utf8(octets):
            assert decode_undeclared(octets) == text


def _is_utf8(octets: bytes) -> bool:
    """By chance a text of two letters may be: ĆĄ is ơ."""
    return "\ufffd" not in octets.decode("utf-8", "replace")


def test_ascii_stands_for_itself_in_every_charset_that_is_taken() -> None:
    assert [codec_name(name) for name in ("latin1", "UTF8", "utf-16", "")] == ["iso8859-1", "utf-8", None, None]


@pytest.mark.parametrize(
    ("content_type", "body", "is_taken"),
    [
        ("text/plain; charset=iso-8859-7", b"", True),
        ('text/plain;\r\n\tformat=flowed;\r\n\tCharset = "ISO-8859-7"', b"", True),
        ("multipart/mixed; boundary=b", b"--b\r\ncontent-type: text/plain;\r\n charset=iso-8859-7\r\n\r\nx", True),
        # Far down, or in the text: nobody looks there.
        ("multipart/mixed; boundary=b", b"x" * 10_000 + b"\r\nContent-Type: x; charset=iso-8859-7", False),
        ("text/plain", b"write charset=iso-8859-7", False),
        ("text/plain; charset=iso-8859-7; x=charset=utf-8", b"", True),
    ],
)
def test_the_charset_of_the_body_is_taken_for_the_fields(content_type: str, body: bytes, is_taken: bool) -> None:
    fields = b"Subject: " + "Γειά".encode("iso8859-7") + f"\r\nContent-Type: {content_type}\r\n\r\n".encode()
    found = read_message(fields + body, "jan@example.com").subject
    assert (found == "Γειά") is is_taken


def test_of_two_content_types_the_first_counts() -> None:
    fields = (
        b"Content-Type: text/plain; charset=iso-8859-7\r\nContent-Type: text/plain; charset=iso-8859-5\r\nSubject: "
    )
    assert read_message(fields + "Γειά".encode("iso8859-7"), "jan@example.com").subject == "Γειά"


def test_a_charset_is_looked_for_in_a_part_where_the_message_names_none() -> None:
    """A second field of the message is no part of it."""
    head = b"Content-Type: text/plain\r\nContent-Type: text/plain; charset=iso-8859-5\r\nSubject: "
    assert read_message(head + "Γειά".encode("iso8859-7"), "jan@example.com").subject != "Γειά"
    assert read_message(head + "Привет".encode("iso8859-5"), "jan@example.com").subject != "Привет"
