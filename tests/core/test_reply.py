"""The reply as it leaves: read back with the standard library's strict parser."""

import email
import email.policy
import re
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responders.core.rendering import Rendered
from responders.core.reply import Reply, compose
from tests.core.facts import NOW, mailbox, message


def reply(
    *fields: str,
    subject: str = "Auto: Oferta",
    text: str = "Nie ma mnie.",
    html: str = "",
    sender: str = "jan@example.com",
    name: str = "Anna Nowak",
) -> Reply:
    return compose(
        Rendered(subject, text, html, "pl"), mailbox(name=name), message(*fields, sender=sender), now=NOW,
        hostname="panel.example", from_address="anna@firma.example",
    )  # fmt: skip


def parsed(composed: Reply) -> EmailMessage:
    """The reply read strictly; whatever is against the rules fails here."""
    lines = composed.content.split(b"\r\n")
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    assert max(map(len, lines)) <= 998
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ ]+\?=", composed.content.split(b"\r\n\r\n")[0]))
    read = email.message_from_bytes(composed.content, policy=email.policy.SMTP.clone(raise_on_defect=True))
    assert isinstance(read, EmailMessage)
    for field in ("Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"):
        assert len(read.get_all(field, [])) == 1, field
    return read


def text_of(read: EmailMessage, kind: str = "plain") -> str:
    part = read.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_it_says_that_it_is_automatic() -> None:
    read = parsed(reply())
    assert read["Auto-Submitted"] == "auto-replied"
    assert read["X-Auto-Response-Suppress"] == "All"
    assert read["Precedence"] == "bulk"
    assert read["Content-Language"] == "pl"
    assert read["Date"] == "Mon, 28 Dec 2026 13:00:00 +0100"


def test_it_goes_to_the_reverse_path_and_not_to_the_author() -> None:
    composed = reply("From: Somebody Else <else@example.org>", sender="jan@example.com")
    assert composed.forward_path == "jan@example.com"
    assert composed.reverse_path == ""
    assert parsed(composed)["To"] == "jan@example.com"


def test_the_senders_local_part_is_left_as_it_is() -> None:
    assert reply(sender="Jan.Kowalski@Example.COM").forward_path == "Jan.Kowalski@Example.COM"
    assert reply(sender="Jan.Kowalski@example.com.").forward_path == "Jan.Kowalski@example.com"
    assert reply(sender="Żółw@bücher.example").forward_path == "Żółw@xn--bcher-kva.example"


def test_it_belongs_to_the_conversation() -> None:
    read = parsed(reply("References: <0@example.com>"))
    assert read["In-Reply-To"] == "<1@example.com>"
    assert str(read["References"]).split() == ["<0@example.com>", "<1@example.com>"]


def test_without_a_message_id_the_conversation_goes_on_by_its_references() -> None:
    letter = b"To: anna@firma.example\r\nReferences: <0@example.com>\r\n <1@example.com> <\xc5\xbc@example.com>\r\n"
    anna = mailbox()
    composed = compose(
        Rendered("x", "x", "", "pl"), anna, message(letter=letter), now=NOW, hostname="panel.example",
        from_address=anna.address,
    )  # fmt: skip
    read = parsed(composed)
    assert "In-Reply-To" not in read
    assert str(read["References"]).split() == ["<0@example.com>", "<1@example.com>"]


def test_an_answer_to_an_answer_names_the_one_before_where_that_is_all_it_has() -> None:
    assert str(parsed(reply("In-Reply-To: <0@example.com>"))["References"]).split() == [
        "<0@example.com>", "<1@example.com>",
    ]  # fmt: skip
    two = reply("In-Reply-To: <0@example.com> <00@example.com>")
    assert str(parsed(two)["References"]) == "<1@example.com>"


def test_no_message_is_named_twice() -> None:
    again = reply("References: <1@example.com> <0@example.com> <1@example.com>")
    assert str(parsed(again)["References"]).split() == ["<0@example.com>", "<1@example.com>"]


@pytest.mark.parametrize("count", [18, 19, 20, 21])
def test_of_a_conversation_twenty_ids_are_kept(count: int) -> None:
    chain = [f"<{'x' * 240}{number}@{'y' * 240}.example>" for number in range(count)]
    references = str(parsed(reply("References: " + "\r\n ".join(chain)))["References"]).split()
    expected = [*chain, "<1@example.com>"]
    assert references == (expected if count < 20 else [chain[0], *expected[-19:]])


def test_of_a_long_conversation_the_first_and_the_last_are_kept() -> None:
    chain = [f"<{number}.{'x' * 40}@example.com>" for number in range(300)]
    references = str(parsed(reply("References: " + " ".join(chain)))["References"]).split()
    assert references[0] == chain[0]
    assert references[-2:] == [chain[-1], "<1@example.com>"]
    assert len(references) == 20


@pytest.mark.parametrize("broken", ["<[abc]x>", "1@example.com", "<a b@x>", "<>", "<a@b@c>", "<ż@example.com>"])
def test_a_broken_message_id_is_not_passed_on(broken: str) -> None:
    read = parsed(
        compose(
            Rendered("x", "x", "", "pl"), mailbox(),
            message(f"Message-ID: {broken}", letter=b"To: anna@firma.example\r\n"),
            now=NOW, hostname="panel.example", from_address="anna@firma.example",
        )
    )  # fmt: skip
    assert "In-Reply-To" not in read
    assert "References" not in read


@pytest.mark.parametrize(
    "subject",
    [
        "Auto: Zażółć gęślą jaźń",
        "x" * 500,
        "ą" * 300,
        "word " * 90,
        "=?utf-8?q?a?=",
        "日本語" * 60,
        "👩‍👩‍👧" * 30,
        "",
        "a\r\nBcc: b@b",
        "x" * 70 + " " + "y" * 70,
    ],
)
def test_a_subject_arrives_as_it_was_written(subject: str) -> None:
    expected = " ".join(subject.split())
    assert " ".join(str(parsed(reply(subject=subject))["Subject"]).split()) == expected


@pytest.mark.parametrize(
    "name", ["", "Anna Nowak", "Nowak, Anna", 'Anna "Ania" Nowak', "Żółw Ąćę", "ż" * 60, "a\r\nb", "a\\b"]
)
def test_the_owners_name_arrives_as_it_was_written(name: str) -> None:
    address = parsed(reply(name=name))["From"].addresses[0]
    # The standard library's parser puts a space between adjacent encoded words, which RFC 2047 §6.2 drops.
    assert address.display_name.replace(" ", "") == "".join(name.split())
    assert address.addr_spec == "anna@firma.example"


@pytest.mark.parametrize(
    "text",
    [
        "Nie ma mnie.",
        "Zażółć\n\ngęślą jaźń",
        ".\n..\n.a",
        "x" * 30_000,
        "ą" * 5_000,
        "From here\n-- \nAnna",
        "a\r\nb\rc",
        "tab\there",
        "koniec \n spacje ",
    ],
)
def test_a_text_arrives_as_it_was_written(text: str) -> None:
    expected = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    assert text_of(parsed(reply(text=text))).replace("\r\n", "\n").rstrip("\n") == expected


def test_formatted_text_comes_with_plain_text() -> None:
    read = parsed(reply(text="Zwykły", html="<p>Ładny</p>"))
    assert read.get_content_type() == "multipart/alternative"
    assert text_of(read).strip() == "Zwykły"
    assert text_of(read, "html").strip() == "<p>Ładny</p>"


def test_an_international_domain_needs_no_smtputf8_and_a_local_part_does() -> None:
    plain = reply(sender="jan@bücher.example")
    assert (plain.forward_path, plain.needs_smtputf8) == ("jan@xn--bcher-kva.example", False)
    assert reply(sender="żółw@bücher.example").needs_smtputf8


def test_each_reply_has_a_message_id_of_its_own() -> None:
    first, second = reply(), reply("X: y", sender="ewa@example.com")
    assert first.message_id != second.message_id
    assert parsed(first)["Message-ID"] == first.message_id


@settings(max_examples=150, deadline=None)
@given(subject=st.text(max_size=200), text=st.text(max_size=500), name=st.text(max_size=60), html=st.text(max_size=100))
def test_whatever_goes_in_what_comes_out_is_a_message(subject: str, text: str, name: str, html: str) -> None:
    read = parsed(reply(subject=subject, text=text, name=name, html=html))
    assert read["Auto-Submitted"] == "auto-replied"
    assert read["From"].addresses[0].addr_spec == "anna@firma.example"
