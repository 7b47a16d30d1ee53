"""Texts of other systems as ours."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importing import texts
from responders.core.rendering import MAX_PLACEHOLDERS, TemplateProblem, _fill, check_template

VALUES = {
    "subject": "Oferta", "mailbox.name": "Anna", "sender.name": "Jan", "sender.address": "jan@klient.example",
    "absence.start": "1 maja", "absence.end": "3 maja",
}  # fmt: skip


@pytest.mark.parametrize(
    ("written", "placeholders", "meant"),
    [
        ("Urlop: $SUBJECT", texts.POSTFIXADMIN, "Urlop: Oferta"),
        ("$subject $SUBJECTS", texts.POSTFIXADMIN, "$subject OfertaS"),
        ("%(name)s: %(fromdate)s – %(untildate)s, 100%%", texts.MODOBOA, "Anna: 1 maja – 3 maja, 100%"),
        ("%(password)s %s 50% rabatu", texts.MODOBOA, "%(password)s %s 50% rabatu"),
        ("Re: %subject% od %from% <%email%> 100%", texts.CPANEL, "Re: Oferta od Jan <jan@klient.example> 100%"),
        ("Re: ${subject} ${1}", texts.SIEVE, "Re: Oferta ${1}"),
        ("{{ subject }} {% if x %}", {}, "{{ subject }} {% if x %}"),
        ("{$SUBJECT} {{$SUBJECT}} {%", texts.POSTFIXADMIN, "{Oferta} {{Oferta}} {%"),
        ("{%% x %%} {%%{", texts.MODOBOA, "{% x %} {%{"),
        ("%%%%subject%%%%", texts.CPANEL, "%%%Oferta%%%"),
    ],
)  # fmt: skip
def test_placeholders_become_ours_and_nothing_else_does(written: str, placeholders: dict[str, str], meant: str) -> None:
    made = texts.translated(written, placeholders)
    check_template(made)
    assert _fill(made, VALUES.__getitem__) == meant


@settings(deadline=None)
@given(st.text(alphabet="{}%$ab \n'\"\\|-#", max_size=60))
def test_whatever_a_text_holds_it_says_the_same_here(text: str) -> None:
    made = texts.literal(text)
    check_template(made)
    assert _fill(made, VALUES.__getitem__) == text


@settings(deadline=None)
@given(st.lists(st.sampled_from(["{", "}", "%", "{{", "$SUBJECT", " ", "x", "{%"]), max_size=20))
def test_so_it_does_with_placeholders_in_between(parts: list[str]) -> None:
    made = texts.translated("".join(parts), texts.POSTFIXADMIN)
    check_template(made)
    assert _fill(made, VALUES.__getitem__) == "".join(parts).replace("$SUBJECT", "Oferta")


def test_a_text_of_nothing_but_braces_is_refused_not_sent() -> None:
    with pytest.raises(TemplateProblem):
        check_template(texts.literal("{{" * MAX_PLACEHOLDERS))


def test_a_formatted_text_is_readable_without_its_marks() -> None:
    markup = (
        "<style>p {}</style><p>Dzień dobry &amp; <b>witam</b></p><ul><li>raz<li>dwa</ul><br>Anna<script>x()</script>"
    )
    assert texts.plain_of(markup) == "Dzień dobry & witam\nrazdwa\n\nAnna"
