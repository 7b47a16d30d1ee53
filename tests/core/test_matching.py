"""Whom and what a responder is for, which address it answers from, and in which language."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responders.core.body import body_text
from responders.core.decision import Decision, Policy, Reason, decide, explain
from responders.core.facts import Audience, Conditions, ResponderFacts, Text
from responders.core.matching import answering_address, choose_text, fits, folded, stem, wanted_languages
from responders.core.rendering import render
from tests.core.facts import NOW, mailbox, message, responder

COLLEAGUES = frozenset(["firma.example", "firma-dwa.example"])
GERMAN = Text("de", "Abwesend", "Ich bin nicht da.")
ENGLISH = Text("en", "Away", "I am away.")
INSIDE = Text("pl", "Urlop", "Szczegóły w intranecie.", for_colleagues=True)
INSIDE_ENGLISH = Text("en", "Leave", "Details on the intranet.", for_colleagues=True)


def decided(*rows: ResponderFacts, sender: str = "jan@example.com", letter: bytes | None = None) -> Decision:
    anna = mailbox(*rows, colleague_domains=COLLEAGUES)
    written = message(sender=sender) if letter is None else message(sender=sender, letter=letter)
    return decide(written, anna, Policy(), NOW)


@pytest.mark.parametrize(
    ("audience", "sender", "reason"),
    [
        (Audience.EVERYONE, "jan@example.com", Reason.REPLIED),
        (Audience.EVERYONE, "ewa@firma.example", Reason.REPLIED),
        (Audience.COLLEAGUES, "jan@example.com", Reason.AUDIENCE),
        (Audience.COLLEAGUES, "Ewa@FIRMA.example", Reason.REPLIED),
        (Audience.COLLEAGUES, "ewa@firma-dwa.example", Reason.REPLIED),
        (Audience.COLLEAGUES, "ewa@x.firma.example", Reason.AUDIENCE),
        (Audience.OTHERS, "jan@example.com", Reason.REPLIED),
        (Audience.OTHERS, "ewa@firma.example", Reason.AUDIENCE),
    ],
)
def test_a_responder_answers_its_audience(audience: Audience, sender: str, reason: Reason) -> None:
    assert decided(responder(audience=audience), sender=sender).reason is reason


def test_the_first_that_is_meant_for_the_sender_and_the_message_answers() -> None:
    inside = responder(id=1, audience=Audience.COLLEAGUES)
    complaint = responder(id=2, conditions=Conditions(words=("reklamacja",)))
    rest = responder(id=3)
    rows = (inside, complaint, rest)
    assert decided(*rows, sender="ewa@firma.example").responder == inside
    assert decided(*rows).responder == rest
    letter = b"To: anna@firma.example\r\nSubject: Reklamacja\r\n"
    assert decided(*rows, letter=letter).responder == complaint


def test_what_it_is_not_meant_for_is_told_with_its_reason() -> None:
    found = decided(responder(audience=Audience.COLLEAGUES), responder(id=2, conditions=Conditions(words=("zwrot",))))
    assert (found.reason, found.evidence) == (Reason.CONDITION, "answers only “zwrot”")
    found = decided(responder(audience=Audience.COLLEAGUES))
    assert found.evidence == "MAIL FROM:<jan@example.com>, answers colleagues"
    found = decided(responder(addresses=frozenset(["biuro@firma.example"])))
    assert (found.reason, found.evidence) == (Reason.CONDITION, "answers for biuro@firma.example")


def test_explain_blames_the_audience_alone_where_that_is_it() -> None:
    anna = mailbox(responder(audience=Audience.COLLEAGUES))
    rows = {row.rule: row.outcome for row in explain(message(), anna, Policy(), NOW)}
    assert (rows["inactive"], rows["audience"], rows["condition"]) == ("miss", "hit", "miss")


@pytest.mark.parametrize(
    ("to", "chosen", "reason"),
    [
        ("anna@firma.example", ["anna@firma.example"], Reason.REPLIED),
        ("anna+x@firma.example", ["anna@firma.example"], Reason.REPLIED),
        ("biuro@firma.example", ["anna@firma.example"], Reason.CONDITION),
        ("biuro@firma.example, anna@firma.example", ["anna@firma.example"], Reason.REPLIED),
        ("anna@firma.example", ["no-longer@firma.example"], Reason.CONDITION),
    ],
)
def test_a_responder_answers_for_the_addresses_that_were_chosen(to: str, chosen: list[str], reason: Reason) -> None:
    row = responder(addresses=frozenset(chosen))
    assert decided(row, letter=f"To: {to}\r\n".encode()).reason is reason


@pytest.mark.parametrize(
    ("to", "written_to", "chosen", "answering"),
    [
        ("anna@firma.example", "anna@firma.example", [], "anna@firma.example"),
        ("biuro@firma.example", "biuro@firma.example", [], "biuro@firma.example"),
        ("anna+x@firma.example", "anna+x@firma.example", [], "anna+x@firma.example"),
        ("anna@firma.example, biuro@firma.example", "biuro@firma.example", [], "biuro@firma.example"),
        ("anna@firma.example, biuro@firma.example", "biuro@firma.example", ["anna@firma.example"],
         "anna@firma.example"),
        # Through an address that the header does not name: that one stays unnamed.
        ("anna@firma.example", "biuro@firma.example", [], "anna@firma.example"),
    ],
)  # fmt: skip
def test_the_reply_comes_from_the_address_that_was_written_to(
    to: str, written_to: str, chosen: list[str], answering: str
) -> None:
    row = responder(addresses=frozenset(chosen))
    written = message(letter=f"To: {to}\r\n".encode())
    assert answering_address(written, mailbox(row), row, "+", written_to) == answering


@pytest.mark.parametrize(
    ("words", "forms", "subject", "expected"),
    [
        (["reklamacja"], False, "Reklamacja", True),
        (["reklamacja"], False, "REKLAMACJA!", True),
        (["reklamacja"], False, "Reklamację składam", False),
        (["reklamacja"], True, "Reklamację składam", True),
        (["reklamacja"], True, "reklamacjami", True),
        (["reklamacja"], True, "prereklamacja", False),
        (["zamówienie"], True, "Zamówień nie mam", True),
        (["zamowienie"], False, "Zamówienie nr 3", True),
        (["łódź"], False, "Lodz", True),
        (["Lodz"], False, "w Łódź", True),
        (["zwrot"], False, "zwroty", False),
        (["zwrot"], False, "nr-zwrot-3", True),
        (["zwrot towaru"], False, "Zwrot   towaru", True),
        (["zwrot towaru"], False, "zwrot i wymiana towaru", False),
        (["faktura", "zwrot"], False, "zwrot", True),
        (["a.c"], False, "abc", False),
        (["c++"], False, "kurs c++ online", True),
        (["", "  "], False, "cokolwiek", True),
        ([], False, "cokolwiek", True),
    ],
)
def test_words_are_found_whole_whatever_case_and_accents(
    words: list[str], forms: bool, subject: str, expected: bool
) -> None:
    conditions = Conditions(words=tuple(words), word_forms=forms)
    assert fits(conditions, message(f"Subject: {subject}", letter=b"")) is expected


def test_words_are_looked_for_in_the_text_only_where_the_owner_says_so() -> None:
    letter = b"Subject: x\r\n\r\nSk\xc5\x82adam reklamacj\xc4\x99.\r\n"
    assert not fits(Conditions(words=("reklamację",)), message(letter=letter))
    assert fits(Conditions(words=("reklamację",), in_body=True), message(letter=letter))


@pytest.mark.parametrize(
    ("senders", "reverse_path", "from_field", "expected"),
    [
        ([], "jan@example.com", "jan@example.com", True),
        (["jan@example.com"], "Jan@Example.com", "x@y.example", True),
        (["jan@example.com"], "bounce-1@esp.example", "Jan <jan@example.com>", True),
        (["example.com"], "jan@example.com", "", True),
        (["example.com"], "jan@badexample.com", "", False),
        (["xn--bcher-kva.example"], "jan@bücher.example", "", True),
        (["ewa@example.com", "example.org"], "jan@example.com", "", False),
    ],
)
def test_a_responder_may_be_for_some_senders_only(
    senders: list[str], reverse_path: str, from_field: str, expected: bool
) -> None:
    written = message(f"From: {from_field}", sender=reverse_path, letter=b"")
    assert fits(Conditions(senders=tuple(senders)), written) is expected


def test_every_kind_of_condition_must_hold() -> None:
    both = Conditions(words=("oferta",), senders=("example.com",))
    assert fits(both, message())
    assert not fits(both, message(sender="jan@example.org", letter=b"Subject: Oferta\r\n"))
    assert not fits(replace(both, words=("zwrot",)), message())


@pytest.mark.parametrize(
    ("word", "short"),
    [
        ("Reklamacja", "reklamacj"),
        ("osa", "osa"),
        ("kawa", "kaw"),
        ("Żółć", "zolc"),
        ("aaa", "aaa"),
        ("", ""),
        ("ii", "ii"),
    ],
)
def test_a_stem_has_three_letters_at_least(word: str, short: str) -> None:
    assert stem(word) == short


def test_where_nothing_named_is_its_own_a_mailbox_answers_from_its_address() -> None:
    row = responder(addresses=frozenset(["biuro@firma.example"]))
    assert answering_address(message(), mailbox(row), row, "+", "x@firma.example") == "anna@firma.example"


def test_a_quality_that_is_not_said_is_the_best() -> None:
    assert wanted_languages(message("Accept-Language: en;q=1.000, de, fr;q=0.9")) == ("en", "de", "fr")


def test_of_colleagues_texts_that_of_the_mailboxs_language_comes_before_the_first() -> None:
    row = responder(language="PL", texts=(INSIDE_ENGLISH, INSIDE))
    anna = mailbox(row, colleague_domains=COLLEAGUES)
    assert choose_text(row, message(sender="ewa@firma.example"), anna) == INSIDE


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_word_and_any_text_can_be_compared(word: str, text: str) -> None:
    written = message("Subject: " + " ".join(text.split()), letter=b"")
    for forms in (False, True):
        fits(Conditions(words=(word,), in_body=True, word_forms=forms), written)
    assert folded(folded(word)) == folded(word)
    assert folded(word).startswith(stem(word))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([], ()),
        (["Accept-Language: pl-PL, en-US"], ("pl-pl", "pl", "en-us", "en")),
        (["Accept-Language: de;q=0.5, en; q=0.8, pl;q=0"], ("en", "de")),
        (["Accept-Language: *"], ()),
        (["Content-Language: en-US"], ("en-us", "en")),
        (["Content-Language: en", "Accept-Language: de"], ("de", "en")),
        (["Accept-Language: ;;;q=,, q=9"], ("q",)),
        (["Accept-Language: " + "x, " * 100_000], ("x",)),
    ],
)
def test_the_languages_a_message_asks_for(fields: list[str], wanted: tuple[str, ...]) -> None:
    assert wanted_languages(message(*fields)) == wanted


@pytest.mark.parametrize(
    ("field", "texts", "language"),
    [
        ("X: y", (ENGLISH, GERMAN), "pl"),
        ("Accept-Language: en-US", (ENGLISH, GERMAN), "en"),
        ("Accept-Language: fr, de;q=0.7, en;q=0.3", (ENGLISH, GERMAN), "de"),
        ("Accept-Language: fr", (ENGLISH, GERMAN), "pl"),
        ("Accept-Language: pl, en", (ENGLISH, GERMAN), "pl"),
        ("Content-Language: DE", (ENGLISH, GERMAN), "de"),
        ("Accept-Language: en", (), "pl"),
    ],
)
def test_the_text_is_in_the_language_that_the_message_asks_for(
    field: str, texts: tuple[Text, ...], language: str
) -> None:
    row = responder(texts=texts)
    assert choose_text(row, message(field), mailbox(row)).language == language


@pytest.mark.parametrize(
    ("sender", "field", "texts", "subject"),
    [
        ("ewa@firma.example", "X: y", (INSIDE, ENGLISH), "Urlop"),
        ("jan@example.com", "X: y", (INSIDE, ENGLISH), "Auto: {{ subject }}"),
        ("jan@example.com", "Accept-Language: en", (INSIDE, INSIDE_ENGLISH), "Auto: {{ subject }}"),
        ("ewa@firma.example", "Accept-Language: en", (INSIDE, INSIDE_ENGLISH, ENGLISH), "Leave"),
        ("ewa@firma.example", "Accept-Language: en", (INSIDE, ENGLISH), "Urlop"),
        ("ewa@firma.example", "X: y", (INSIDE_ENGLISH,), "Leave"),
        ("ewa@firma.example", "Accept-Language: en", (ENGLISH,), "Away"),
    ],
)
def test_colleagues_read_their_own_text_and_nobody_else_does(
    sender: str, field: str, texts: tuple[Text, ...], subject: str
) -> None:
    row = responder(texts=texts)
    anna = mailbox(row, colleague_domains=COLLEAGUES)
    assert choose_text(row, message(field, sender=sender), anna).subject == subject


def test_the_dates_are_in_the_language_of_the_text() -> None:
    text = Text("de", "x", "Bis {{ absence.return_date }}, {{ deputy.name }} <{{ deputy.address }}>")
    row = responder(texts=(text,), to_date=NOW.replace(tzinfo=None), deputy_address="ewa@firma.example")
    rendered = render(row, mailbox(row), message("Accept-Language: de"))
    assert rendered.language == "de"
    assert rendered.text_body == "Bis 28. Dezember 2026, ewa@firma.example <ewa@firma.example>"


HTML = (
    b"Content-Type: text/html; charset=iso-8859-2\r\n\r\n"
    b"<style>p{}</style><p>Sk\xb3adam <b>rekla</b>macj\xea &amp; x</p>"
)
BASE64 = "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nUmVrbGFtYWNqYQ==\r\n"
ATTACHED = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
    b"Content-Disposition: attachment\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--"
)
ALTERNATIVE = (
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n'
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (HTML, "Składam reklamację & x"),
        (BASE64.encode(), "Reklamacja"),
        (ALTERNATIVE, "plain"),
        (b"Subject: x\n\nbare\nlines\n", "bare\nlines\n"),
        (b"Subject: x\r\n", ""),
        (b"", ""),
        (b"Content-Type: text/plain; charset=no-such\r\n\r\na\xc5\xbc", "aż"),
        (b"Content-Type: application/pdf\r\n\r\nreklamacja", ""),
        (b"Content-Type: text/plain\r\n\r\nsk\xb3adam \xb1", "składam ą"),
        (b"CONTENT-TYPE: text/plain;\r\n\tcharset=koi8-r\r\nX: y\r\n\r\n\xf0\xd2", "Пр"),
        (b"X: y\r\n content-type: text/html\r\n\r\n<p>x", "<p>x"),
        (b"X: y\r\n\r\nContent-Type: text/html\r\n\r\n<p>x", "Content-Type: text/html\r\n\r\n<p>x"),
        (ATTACHED, "one\nthree"),
        (b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner", "inner"),
    ],
)
def test_the_body_is_read_as_a_person_would_see_it(content: bytes, text: str) -> None:
    assert body_text(content).strip() == text.strip()


def test_a_body_of_a_thousand_nested_parts_is_read_as_it_stands() -> None:
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (depth, depth) for depth in range(1_000)
    )
    assert "boundary" in body_text(b"Subject: x\r\n" + nested + b"\r\nreklamacja")


@given(st.binary(max_size=300))
def test_any_body_can_be_read(content: bytes) -> None:
    body_text(content)
    body_text(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + content)


def test_of_a_body_fifty_parts_are_read() -> None:
    parts = b"".join(b"--b\r\n\r\n%d\r\n" % number for number in range(60))
    found = body_text(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts)
    assert found.split() == [str(number) for number in range(49)]  # the whole is the first part


def test_of_a_body_its_beginning_is_read() -> None:
    assert len(body_text(b"\r\n" + b"x" * 100_000)) == 32_000
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (at, at) for at in range(1_000)
    )
    found = body_text(b"Subject: x\r\n" + nested + b"\r\n\xff" + b"x" * 40_000)
    assert len(found) == 32_000


def test_a_field_of_a_part_is_read_as_far_as_mail_programs_write() -> None:
    long = b"Content-Type: text/plain" + b"; a=b" * 200 + b"; charset=iso-8859-2\r\n\r\n\xb5"
    assert body_text(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + long) == "µ"  # not ľ
