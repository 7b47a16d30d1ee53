"""The reply as it leaves: read back with the standard library's strict parser."""

import base64
import email
import email.policy
import re
from datetime import timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responders.core.rendering import Rendered
from responders.core.reply import Reply, compose, encode_words
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


@pytest.mark.parametrize(
    ("zone", "second", "date"),
    [
        ("Europe/Warsaw", 7, "Mon, 28 Dec 2026 13:00:07 +0100"),
        ("America/New_York", 7, "Mon, 28 Dec 2026 07:00:07 -0500"),
        ("Europe/Warsaw", 8, "Mon, 28 Dec 2026 13:00:08 +0100"),
    ],
)
def test_its_date_is_the_second_in_the_zone_of_the_mailbox(zone: str, second: int, date: str) -> None:
    made = [
        compose(
            Rendered("Auto", "x", "", "pl"), mailbox(time_zone=zone), message(), hostname="panel.example",
            now=NOW.replace(second=second, microsecond=microsecond), from_address="anna@firma.example",
        )
        for microsecond in (0, 999_999)
    ]  # fmt: skip
    assert [parsed(one)["Date"] for one in made] == [date] * 2
    assert made[0].message_id != made[1].message_id


def test_it_goes_to_the_reverse_path_and_not_to_the_author() -> None:
    composed = reply("From: Somebody Else <else@example.org>", sender="jan@example.com")
    assert composed.forward_path == "jan@example.com"
    assert composed.reverse_path == ""
    assert parsed(composed)["To"] == "jan@example.com"


def test_the_senders_local_part_is_left_as_it_is() -> None:
    assert reply(sender="Jan.Kowalski@Example.COM").forward_path == "Jan.Kowalski@Example.COM"
    assert reply(sender="Jan.Kowalski@example.XXX.").forward_path == "Jan.Kowalski@example.XXX"
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
        "XXX",
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


HEAD = """\
Date: Mon, 28 Dec 2026 13:00:00 +0100
From: "Anna \\"Ania\\" Nowak"
 <anna@firma.example>
To: <jan@example.com>
Subject: Auto: Oferta
Message-ID: {message_id}
In-Reply-To: <1@example.com>
References: <1@example.com>
Auto-Submitted: auto-replied
X-Auto-Response-Suppress: All
Precedence: bulk
X-Loop: webmail-panel
Content-Language: pl
MIME-Version: 1.0
"""


def test_a_plain_reply_octet_for_octet() -> None:
    composed = reply(name='Anna "Ania" Nowak', text="Nie ma mnie.\n.\n\n")
    expected = (
        HEAD
        + """\
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

Nie ma mnie.
.
"""
    )
    assert composed.content.decode("ascii") == expected.format(message_id=composed.message_id).replace("\n", "\r\n")
    assert re.fullmatch(r"<[0-9a-f]{32}\.auto@panel\.example>", composed.message_id)


def test_a_formatted_reply_octet_for_octet() -> None:
    composed = reply(name='Anna "Ania" Nowak', text="ż", html="<p>x</p>")
    boundary = "=_" + composed.message_id[1:33]
    expected = (
        HEAD
        + """\
Content-Type: multipart/alternative; boundary="{boundary}"

--{boundary}
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

=C5=BC

--{boundary}
Content-Type: text/html; charset=us-ascii
Content-Transfer-Encoding: 7bit

<p>x</p>

--{boundary}--
"""
    )
    expected = expected.format(message_id=composed.message_id, boundary=boundary)
    assert composed.content.decode("ascii") == expected.replace("\n", "\r\n")


def head_lines(composed: Reply) -> list[str]:
    return composed.content.split(b"\r\n\r\n")[0].decode("ascii").split("\r\n")


@pytest.mark.parametrize(
    ("subject", "lines"),
    [
        ("a " * 32 + "abc", ["Subject: " + "a " * 32 + "abc"]),
        ("a " * 32 + "abcd", ["Subject: " + "a " * 32, " abcd"]),
        ("a " * 32 + "abcd " + "b " * 35 + "cd", ["Subject: " + "a " * 32, " abcd " + "b " * 35, " cd"]),
        ("x" * 67, ["Subject: " + "x" * 67]),
        ("x" * 67 + " b", ["Subject: " + "x" * 67, " b"]),
        ("x" * 30 + " " + "y" * 37, ["Subject: " + "x" * 30, " " + "y" * 37]),
        ("x" * 30 + " " + "y" * 36, ["Subject: " + "x" * 30 + " " + "y" * 36]),
        ("a  b", ["Subject: a b"]),
    ],
)
def test_a_plain_subject_stays_plain_and_is_folded_at_a_space(subject: str, lines: list[str]) -> None:
    found = head_lines(reply(subject=subject))
    start = next(at for at, line in enumerate(found) if line.startswith("Subject:"))
    end = next(at for at in range(start + 1, len(found)) if not found[at].startswith(" "))
    assert [line.rstrip() for line in found[start:end]] == [line.rstrip() for line in lines]


@pytest.mark.parametrize("subject", ["x" * 68, "=?", "ż", "x =?utf-8?q?y?= z"])
def test_what_cannot_stand_plainly_is_encoded_and_fits_its_line(subject: str) -> None:
    found = head_lines(reply(subject=subject))
    assert "Subject: =?utf-8?b?" in "\n".join(found)
    assert max(map(len, found)) <= 78


@pytest.mark.parametrize(
    ("letter", "octets"),
    [
        ("x", [41, 45, 45, 45, 12]),
        ("ż", [40, 44, 44, 44, 28]),
        ("日", [39, 45, 45, 45, 45, 45, 36]),
        ("👩", [40, 44, 44, 44]),
    ],
)
def test_encoded_words_are_nearly_full_and_split_no_letter(letter: str, octets: list[int]) -> None:
    text = letter * (sum(octets) // len(letter.encode()))
    words = re.findall(r"=\?utf-8\?b\?([^?]+)\?=", "\n".join(head_lines(reply(subject=text))))
    assert [len(base64.b64decode(word)) for word in words] == octets
    assert "".join(base64.b64decode(word).decode() for word in words) == text
    words = encode_words(text).split("\r\n ")
    assert len(base64.b64decode(words[0][10:-2])) == max(octets)
    assert max(map(len, words)) <= 75


def test_a_name_leaves_room_for_the_fields() -> None:
    words = re.findall(r"From: =\?utf-8\?b\?([^?]+)\?=\r\n =", reply(name="ż" + "x" * 80).content.decode("ascii"))
    assert [len(base64.b64decode(word)) for word in words] == [43]


def test_an_empty_subject_is_there() -> None:
    assert b"\r\nSubject: \r\n" in reply(subject="").content


@pytest.mark.parametrize(("length", "is_plain"), [(65, True), (66, False)])
def test_a_long_name_is_encoded(length: int, is_plain: bool) -> None:
    found = "\n".join(head_lines(reply(name="x" * length)))
    assert (f'From: "{"x" * length}"' in found) is is_plain


def test_a_name_that_looks_encoded_is_encoded() -> None:
    assert parsed(reply(name="=?utf-8?q?a?=")).get("From").addresses[0].display_name == "=?utf-8?q?a?="
    assert "From: =?utf-8?b?" in "\n".join(head_lines(reply(name="=?utf-8?q?a?=")))


@pytest.mark.parametrize(("length", "encoding"), [(78, "7bit"), (79, "quoted-printable")])
def test_a_text_of_short_lines_is_sent_as_it_is(length: int, encoding: str) -> None:
    read = parsed(reply(text="a\n" + "x" * length + "\nb"))
    assert read["Content-Transfer-Encoding"] == encoding
    assert read.get_content_charset() == ("us-ascii" if encoding == "7bit" else "utf-8")


def test_controls_leave_the_text_and_the_name_and_the_subject() -> None:
    composed = reply(text="a\0b\x07c\ud800d\te\x7f", name="a\0b\x85c", subject="a\0b\u2028c\ud800d")
    assert text_of(parsed(composed)).strip() == "abcd\te"
    assert parsed(composed)["From"].addresses[0].display_name == "a b c"
    assert parsed(composed)["Subject"] == "a b c d"


def test_the_message_id_depends_on_everything_that_makes_a_reply_another_one() -> None:
    anna, rendered = mailbox(), Rendered("x", "x", "", "pl")
    given = {"now": NOW, "hostname": "panel.example", "from_address": "anna@firma.example"}
    messages = [
        message(), message(sender="ewa@example.com"), message(letter=b"Subject: Oferta\r\n"),
        message(letter=b"Subject: x\r\n"), message("Received: by x id 7; x"), message("Message-ID: <7@x>"),
        message(letter=b"Subject: \xff\r\n"),
    ]  # fmt: skip
    found = [compose(rendered, anna, each, **given).message_id for each in messages]  # type: ignore[arg-type]
    found.append(compose(rendered, anna, message(), **given | {"now": NOW + timedelta(seconds=1)}).message_id)  # type: ignore[arg-type]
    found.append(compose(rendered, anna, message(), **given | {"from_address": "a@b.example"}).message_id)  # type: ignore[arg-type]
    assert len(set(found)) == len(found)
    assert compose(rendered, anna, message(), **given).message_id == found[0]  # type: ignore[arg-type]
