"""What senders will read, before anything is saved; and texts to start from."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox
from responders.core.rendering import check_template
from responders.drafting.ready_texts import READY_TEXTS, ReadyText, ready_texts
from responders.models import HouseText, Responder
from tests.web.test_responder_form import TEXTS, TYPED, new

FIVE = ("holiday", "illness", "trip", "left", "received")


def preview(client: Client, mailbox: Mailbox, *, htmx: bool = True, **typed: str) -> str:
    headers = {"HX-Request": "true"} if htmx else {}
    page = client.post(new(mailbox), TYPED | typed | {"preview": "1"}, headers=headers)
    assert not Responder.objects.exists()
    return page.text


def test_the_reply_is_shown_with_its_values_filled_in(as_anna: Client, mailbox: Mailbox) -> None:
    page = preview(as_anna, mailbox)
    assert "Auto: Pytanie o ofertę" in page
    assert "Nie ma mnie do 4 stycznia 2100, godz. 08:00." in page
    assert "Anna Nowak &lt;anna@firma.example&gt;" in page
    assert "Starts Thu, 24 Dec 2099, 17:00" in page
    assert "11 days; you are back on a working day" in page
    assert "<html" not in page


def test_without_javascript_the_whole_page_shows_it_and_keeps_what_was_typed(as_anna: Client, mailbox: Mailbox) -> None:
    page = preview(as_anna, mailbox, htmx=False)
    assert "<html" in page
    assert "Nie ma mnie do {{ absence.end }}." in page
    assert "Nie ma mnie do 4 stycznia 2100, godz. 08:00." in page


def test_every_text_is_shown_as_those_read_it_whom_it_is_for(as_anna: Client, mailbox: Mailbox) -> None:
    inside = {
        "texts-1-language": "pl", "texts-1-for_colleagues": "True", "texts-1-subject": "Urlop",
        "texts-1-text_body": "Intranet.",
    }  # fmt: skip
    page = preview(as_anna, mailbox, **(TEXTS | inside))
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["Polish", "English", "Polish, for colleagues"]
    assert page.index("Nie ma mnie") < page.index("I am away.") < page.index("Intranet.")
    assert "jan.kowalski@firma.example" in page


def test_formatted_text_is_shown_in_a_frame_that_can_do_nothing(as_anna: Client, mailbox: Mailbox) -> None:
    page = preview(as_anna, mailbox, html_body="<b>{{ sender.name }}</b><script>x</script>")
    assert '<iframe class="letter-frame" sandbox srcdoc="&lt;b&gt;Jan Kowalski&lt;/b&gt;"' in page


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"text_body": ""}, "Text of the reply"),
        ({"text_body": "{{ nobody }}"}, "There is no placeholder “nobody”"),
        (TEXTS | {"texts-0-subject": ""}, "English, Subject: This field is required."),
    ],
)
def test_what_is_missing_is_said_in_its_place(
    as_anna: Client, mailbox: Mailbox, typed: dict[str, str], words: str
) -> None:
    page = preview(as_anna, mailbox, **typed)
    assert "Not yet: something is missing" in page
    assert words in page


def test_a_number_that_would_be_given_is_shown_and_not_given(as_anna: Client, mailbox: Mailbox) -> None:
    page = preview(as_anna, mailbox, type="standing", subject="[{{ case.number }}]", gives_case_numbers="on")
    assert re.search(r"\[20\d\d/000001\]", page)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"text_body": "Pisz do [imię]."}, "a place that nobody filled in"),
        ({"to_date": "", "text_body": "x"}, "There is no end"),
        ({"to_date": "2100-01-03T08:00"}, "it ends on a weekend"),
        ({"to_date": "2100-01-06T08:00"}, "it ends on a public holiday (Epiphany)"),
        ({"to_date": "2099-12-24T19:30"}, "3 hours; it ends on"),
    ],
)
def test_what_a_person_should_look_at_is_pointed_out(
    as_anna: Client, mailbox: Mailbox, typed: dict[str, str], words: str
) -> None:
    assert words in preview(as_anna, mailbox, **typed)


@pytest.mark.parametrize("text", READY_TEXTS, ids=lambda text: f"{text.language}-{text.key}")
def test_a_ready_text_can_be_saved_as_it_is(text: ReadyText) -> None:
    check_template(text.subject)
    check_template(text.text_body)


def test_every_ready_text_stands_in_both_languages() -> None:
    assert [text.key for text in ready_texts("pl")] == [text.key for text in ready_texts("en")]
    assert ready_texts("de") == ready_texts("en")


def test_a_ready_text_or_an_earlier_one_is_put_into_the_form(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), TYPED | {"ready": "0", "text_body": ""})
    form = page.context["form"]
    assert (page.status_code, form["text_body"].value()) == (200, ready_texts("pl")[0].text_body)
    assert form["to_date"].value() == TYPED["to_date"]
    as_anna.post(new(mailbox), TYPED)
    page = as_anna.post(new(mailbox), TYPED | {"ready": "0", "text_body": ""})
    assert page.context["form"]["text_body"].value() == TYPED["text_body"]
    assert as_anna.post(new(mailbox), TYPED | {"ready": "999999999"}).status_code == 200


def test_a_new_one_opens_with_a_text_that_most_people_can_keep_and_its_preview(
    as_anna: Client, mailbox: Mailbox
) -> None:
    page = as_anna.get(new(mailbox))
    assert page.context["form"]["text_body"].value() == ready_texts("pl")[0].text_body
    assert "Nieobecność: Pytanie o ofertę" in page.text
    assert "The text names the end of the absence, but no end is set" in page.text
    house = HouseText.objects.create(language="pl", title="Urlop", type="absence", subject="Dom", text_body="Nasz.")
    assert as_anna.get(new(mailbox)).context["form"]["text_body"].value() == house.text_body
    Mailbox.objects.update(language="en")
    assert "Out of office: A question about the offer" in as_anna.get(new(mailbox)).text


def test_a_stored_one_opens_with_its_preview(as_anna: Client, standing_reply: Responder) -> None:
    Responder.objects.update(subject="Re: {{ subject }}")
    page = as_anna.get(reverse("responder_edit", args=[standing_reply.pk])).text
    assert "Re: Pytanie o ofertę" in page


def test_ready_texts_are_formal_and_informal_in_both_languages() -> None:
    for language in ("pl", "en"):
        keys = {text.key for text in ready_texts(language)}
        assert keys == {f"{key}{form}" for key in FIVE for form in ("", "-informal")}


def test_the_script_of_the_form_finds_what_it_works_with(as_anna: Client, mailbox: Mailbox) -> None:
    script = (Path(settings.BASE_DIR) / "static/panel/form.js").read_text()
    page = as_anna.get(new(mailbox)).text
    for name in re.findall(r'getElementById\("([^"]+)"\)', script):
        assert f'id="{name}"' in page
    assert reverse("mailbox", args=[mailbox.pk]) in page
