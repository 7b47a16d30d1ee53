"""Texts with placeholders: strict when saved, bounded when sent, and safe against what strangers write."""

import contextlib
import inspect
import sys
from datetime import datetime
from typing import Any

import liquid
import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responders.core import rendering
from responders.core.rendering import (
    PLACEHOLDERS,
    TemplateProblem,
    check_template,
    for_reading,
    local_date,
    local_time,
    placeholders_used,
    render,
)
from tests.core.facts import mailbox, message, responder


def rendered(text: str, *fields: str | bytes, html: str = "", **changes: object) -> str:
    row = responder(text_body=text, html_body=html, **changes)
    result = render(row, mailbox(row), message(*fields))
    return result.html_body if html else result.text_body


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ sender.name }}", "Jan Kowalski"),
        ("{{ sender.address }}", "jan@example.com"),
        ("{{ subject }}", "Oferta"),
        ("{{ mailbox.name }} {{ mailbox.address }}", "Anna Nowak anna@firma.example"),
        ("{{ absence.start }}", "24 grudnia 2026, godz. 17:00"),
        ("{{ absence.end }}", "4 stycznia 2027, godz. 08:00"),
        ("{{ absence.return_date }}", "4 stycznia 2027"),
        (
            "{% if absence.end %}do {{ absence.end }}{% else %}do odwołania{% endif %}",
            "do 4 stycznia 2027, godz. 08:00",
        ),
        ("{{ subject | upcase }}", "OFERTA"),
    ],
)
def test_placeholders_are_filled_in(text: str, shown: str) -> None:
    check_template(text)
    assert rendered(text, from_date=datetime(2026, 12, 24, 17), to_date=datetime(2027, 1, 4, 8)) == shown


@pytest.mark.parametrize(
    ("end", "country", "shown"),
    [
        (datetime(2027, 1, 4, 8), "PL", "4 stycznia 2027"),
        (datetime(2027, 1, 2), "PL", "4 stycznia 2027"),  # Saturday
        (datetime(2026, 12, 24, 12), "PL", "28 grudnia 2026"),  # Christmas, then a weekend
        (datetime(2026, 12, 25, 12), "", "25 grudnia 2026"),  # no country, no holidays
        (datetime(9999, 12, 31), "PL", "31 grudnia 9999"),
    ],
)
def test_the_day_of_return_is_a_working_day(end: datetime, country: str, shown: str) -> None:
    assert rendered("{{ absence.return_date }}", to_date=end, country=country) == shown


HOSTILE = {name: f"{{{{ {name} }}}} <b>&\"'\n%}} ż" for name in PLACEHOLDERS}
PARTS = [
    "{{ subject }}", "{{sender.name}}", "{{   case.number}}", "{{\nsubject }}", "{{- subject -}}",
    "{{ subject | upcase }}", "{% if subject %}", "{% endif %}", "{", "}", "%", " ", "\n", "<b>",
    '<p title="', '">', "&amp;", "Żółć",
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join), st.booleans())
def test_a_plain_text_says_what_liquid_makes_of_it(text: str, is_html: bool) -> None:
    try:
        check_template(text)
    except TemplateProblem:
        return
    nested: dict[str, Any] = {"subject": HOSTILE["subject"]}
    for name in set(PLACEHOLDERS) - {"subject"}:
        nested.setdefault(name.partition(".")[0], {})[name.partition(".")[2]] = HOSTILE[name]
    wanted = liquid.Environment(autoescape=is_html).from_string(text).render(nested)
    made = rendering._fill(text, HOSTILE.__getitem__, is_html=is_html)
    assert (nh3.clean(made) == nh3.clean(wanted)) if is_html else (made == wanted)


@pytest.mark.parametrize("text", ["100% rabatu", "{ nawias }", "%s %(subject)s $subject", "}} }", "a {b} {", "%}"])
def test_what_is_no_placeholder_stays_as_it_is(text: str) -> None:
    check_template(text)
    assert rendered(text) == text


@pytest.mark.parametrize(
    ("text", "kind", "name", "line"),
    [
        ("Hej\n{{ sender.nmae }}", "placeholder", "sender.nmae", 2),
        ("{{ settings.SECRET_KEY }}", "placeholder", "settings.SECRET_KEY", 1),
        ("{{ sender }}", "placeholder", "sender", 1),
        ("{% if subjekt %}x{% endif %}", "placeholder", "subjekt", 1),
        ("{% for i in (1..999999999) %}{{ i }}{% endfor %}", "tag", "for", 1),
        ("{% tablerow i in (1..9) %}{% endtablerow %}", "tag", "tablerow", 1),
        ("{% include 'x' %}", "tag", "include", 1),
        ("{% render 'x' %}", "tag", "render", 1),
        ("{% assign x = 1 %}", "tag", "assign", 1),
        ("{% capture x %}{% endcapture %}", "tag", "capture", 1),
        ("\n\n{% foo %}", "tag", "foo", 3),
        ("{{ subject | nope }}", "filter", "nope", 1),
        ("{{ subject | append: subject }}", "filter", "append", 1),
        ("{% if subject %}x", "unclosed-tag", "if", 0),
        ("Hej {{ subject", "unclosed-brace", "", 1),
        ("\n{{ subject {{ subject }}", "unclosed-brace", "", 2),
        ("a\nb\n{% if subject }}", "syntax", "", 3),
        ("{{ subject }}\n\nb {{", "unclosed-brace", "", 3),
        ("}}\n{{ subject }}\n{{ x", "unclosed-brace", "", 3),
        ("\n{{" + " " * 499 + "}}", "syntax", "", 2),
        ("{{ subject }}" * 301, "too-many", "", 0),
        ("{{ subject }}\n{{ subject | }}", "syntax", "", 0),
    ],
)
def test_a_text_that_would_not_work_is_refused_with_its_fault(text: str, kind: str, name: str, line: int) -> None:
    with pytest.raises(TemplateProblem) as caught:
        check_template(text)
    assert (caught.value.kind, caught.value.line) == (kind, line)
    assert caught.value.name == name or kind == "syntax"
    assert str(caught.value).startswith(f"line {line}: {kind}")


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 25_000,
        "{%" * 25_000,
        "{% if subject %}" * 3_000,
        "{{ subject" + " | upcase" * 5_000,
        "{{" + "[" * 5_000,
        "{{ (1..9999999999) }}{{",
        "{% if " + "subject and " * 5_000 + "%}",
        "{% liquid\nfor i in (1..9)\n%}",
    ],
)
def test_an_attack_is_refused_or_harmless(text: str) -> None:
    with contextlib.suppress(TemplateProblem):
        check_template(text)
    assert len(rendered(text)) <= 200_000 + len(text)


@pytest.mark.parametrize("one", ["{{ subject }}", "{{ subject | strip }}"])
def test_a_text_that_grows_too_long_goes_out_without_its_placeholders(one: str) -> None:
    text, subject = f"Dzień dobry\n{one * 200}", f"Subject: {'ż' * 990}".encode()
    assert len(rendered(f"Dzień dobry\n{one * 100}", subject)) > 90_000
    assert rendered(text, subject) == "Dzień dobry\n"


def test_a_stored_text_that_no_longer_parses_goes_out_without_its_placeholders() -> None:
    assert rendered("Dzień dobry {{ subject | nope }}{% foo %}, nie ma mnie.") == "Dzień dobry , nie ma mnie."


def test_what_a_stranger_writes_is_never_read_as_markup() -> None:
    subject = "Subject: {{ mailbox.address }} {% raw %} <script>alert(1)</script> <b>x</b>"
    letter = b"To: anna@firma.example\r\n"
    row = responder(text_body="{{ subject }}", html_body='<p title="{{ subject }}">{{ subject }}</p>')
    result = render(row, mailbox(row), message(subject, letter=letter))
    assert result.text_body == "{{ mailbox.address }} {% raw %} <script>alert(1)</script> <b>x</b>"
    assert "<script>" not in result.html_body
    assert "<b>" not in result.html_body
    assert "&lt;b&gt;" in result.html_body


def test_a_subject_is_one_line_whatever_the_message_holds() -> None:
    row = responder(subject="Auto: {{ subject }} {{ sender.name }}")
    fields = ("Subject: =?utf-8?b?" + "YQ0KQmNjOiB4QHg=" + "?=", 'From: "a\\\r\n b" <x@x>')
    result = render(row, mailbox(row), message(*fields))
    assert result.subject.startswith("Auto: a Bcc: x@x")
    assert not set(result.subject) & set("\r\n")


def test_values_have_a_length() -> None:
    row = responder(subject="{{ subject }}", text_body="{{ subject }}" * 400)
    result = render(row, mailbox(row), message("Subject: " + "x" * 100_000, letter=b""))
    assert len(result.subject) <= 500
    assert len(result.text_body) <= 200_000


def test_without_a_name_the_address_stands_for_it() -> None:
    assert rendered("{{ sender.name }}", "From: <jan@example.com>") == "jan@example.com"


def test_without_an_end_its_place_is_empty() -> None:
    assert rendered("[{{ absence.end }}]") == "[]"


def test_dates_fit_after_a_preposition_in_both_languages() -> None:
    local = datetime(2027, 1, 4, 8)
    assert local_time(local, "pl") == "4 stycznia 2027, godz. 08:00"
    assert local_time(local, "en") == "4 January 2027, 08:00"
    assert (local_date(local, "pl"), local_date(local, "en")) == ("4 stycznia 2027", "4 January 2027")


def test_it_says_which_placeholders_a_text_uses() -> None:
    assert placeholders_used("{{ subject }}{% if absence.end %}x{% endif %}") == {"subject", "absence.end"}
    assert placeholders_used("{{ subject") == frozenset()
    for name in PLACEHOLDERS:
        check_template(f"{{{{ {name} }}}}")


@pytest.mark.parametrize(
    ("fault", "kind", "name", "line"),
    [
        ("{{ subject %}", "unclosed-brace", "", 2),
        ("{% if subject }}x{% endif %}", "syntax", "unexpected '}'", 2),
        ("{{ subject | nope }}", "filter", "nope", 2),
        ("{{ nobody }}", "placeholder", "nobody", 2),
        ("{{ subject {{ subject }}", "unclosed-brace", "", 2),
        ("{{" + " " * 499 + "}}", "syntax", "", 2),
        ("{% foo %}", "tag", "foo", 2),
        ("{{ subject", "unclosed-brace", "", 2),
    ],
)
def test_the_line_is_that_of_the_fault_and_not_that_of_the_end(fault: str, kind: str, name: str, line: int) -> None:
    with pytest.raises(TemplateProblem) as caught:
        check_template(f"a\n{fault}\nb\nc\n")
    assert (caught.value.kind, caught.value.name, caught.value.line) == (kind, name, line)


def test_a_text_that_nests_deeper_than_the_stack_is_refused() -> None:
    nested = "{{ a" + "[a" * 160 + "]" * 160 + " }}"
    left = sys.getrecursionlimit() - len(inspect.stack()) - 120

    def at_depth(levels: int) -> None:
        if levels:
            at_depth(levels - 1)
        else:
            check_template(nested)

    with pytest.raises(TemplateProblem) as caught:
        at_depth(left)
    assert (caught.value.kind, caught.value.line) == ("syntax", 0)


def test_a_fault_in_the_first_line_is_in_the_first_line() -> None:
    with pytest.raises(TemplateProblem) as caught:
        check_template("{%}}\nx")
    assert caught.value.line == 1


def test_nothing_of_liquid_is_there_but_conditions_and_a_few_filters() -> None:
    for autoescape in (True, False):
        environment = rendering._environment(autoescape=autoescape)
        assert set(environment.tags) <= {"content", "output", "illegal", "if", "unless", "case"}
        assert set(environment.filters) == {
            "default", "upcase", "downcase", "capitalize", "strip", "truncate", "truncatewords", "escape",
        }  # fmt: skip
        assert environment.autoescape is autoescape


def test_a_reply_without_a_case_has_no_number() -> None:
    row = responder(text_body="[{{ case.number }}]", subject="[{{ case.number }}]")
    result = render(row, mailbox(row), message())
    assert (result.text_body, result.subject) == ("[]", "[]")


def test_a_text_at_the_edge_of_what_is_allowed_is_allowed() -> None:
    check_template("{{ subject }}" * 300)
    check_template("x" * 600 + "{{ subject" + " " * 490 + "}}")


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("pl", "4 stycznia 2027"), ("en", "4 January 2027"), ("en-US", "January 4, 2027"), ("de", "4. Januar 2027"),
        ("pt-BR", "4 de janeiro de 2027"), ("xx", "4 January 2027"), ("", "4 January 2027"), ("!", "4 January 2027"),
    ],
)  # fmt: skip
def test_dates_are_written_as_the_language_does(language: str, shown: str) -> None:
    assert local_date(datetime(2027, 1, 4, 8), language) == shown
    assert local_date(None, language) == local_time(None, language) == ""


def test_without_formatted_text_there_is_none() -> None:
    row = responder(html_body="")
    assert render(row, mailbox(row), message()).html_body == ""


WORDS = st.sampled_from(
    ["{{ subject }}", "{{ sender.name }}", "{% if subject %}", "{% endif %}", "{{", "}}", "{%", "<b>", " "]
)


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.one_of(WORDS, st.text(max_size=20)), max_size=12), subject=st.text(max_size=60))
def test_what_is_accepted_can_be_sent_and_what_is_sent_has_its_bounds(pieces: list[str], subject: str) -> None:
    text = "".join(pieces)
    written = message("Subject: " + " ".join(subject.split()), letter=b"")
    row = responder(subject=text, text_body=text, html_body=f"<p>{text}</p>")
    result = render(row, mailbox(row), written)
    assert len(result.subject) <= 500
    assert not set(result.subject) & set("\r\n")
    try:
        check_template(text)
    except TemplateProblem:
        assert placeholders_used(text) <= set(PLACEHOLDERS) | {str(name) for name in placeholders_used(text)}
    else:
        assert placeholders_used(text) <= set(PLACEHOLDERS)
        assert ("{{ subject }}" not in result.text_body) or "{{ subject }}" in written.subject


@given(st.text(st.characters(exclude_characters="{}"), max_size=200))
def test_a_text_without_braces_goes_out_as_it_was_written(text: str) -> None:
    check_template(text)
    assert rendered(text) == text


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("Urlop", "Urlop"), ("Auto: {{ subject }}", "Auto: …"), ("{{subject}} ({{ case.number }})", "… (…)"),
        ("{% if sender.name %}{{ sender.name }},{% endif %} urlop", "…, urlop"), ("100% {rabatu}", "100% {rabatu}"),
        ("{% if x %}{% endif %}", "{% if x %}{% endif %}"), ("{{ a {{ b }}", "{{ a …"), ("", ""),
        ("Do {{ absence.end }}. Pa", "Do … Pa"), ("{{ mailbox.name }}.pl", "….pl"),
    ],
)  # fmt: skip
def test_a_subject_is_shown_without_its_placeholders(subject: str, shown: str) -> None:
    assert for_reading(subject) == shown
