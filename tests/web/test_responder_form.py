"""Writing a responder in the browser."""

from dataclasses import fields
from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from mailboxes.models import Mailbox
from responders import history, mailbox_changes
from responders.core.rendering import PLACEHOLDERS
from responders.models import Responder
from responders.pages.forms import PLACEHOLDER_WORDS
from responders.validation import MAX_CHARACTERS_TOGETHER, ResponderInput

TYPED = {
    "type": "absence",
    "from_date": "2099-12-24T17:00",
    "to_date": "2100-01-04T08:00",
    "subject": "Auto: {{ subject }}",
    "text_body": "Nie ma mnie do {{ absence.end }}.",
    "html_body": "",
    "interval_days": "7",
    "is_enabled": "on",
}


def longest(letter: str) -> dict[str, str]:
    """Texts as long as they may be, all together."""
    names = ("text_body", "html_body", "texts-0-text_body")
    return dict.fromkeys(names, letter * (MAX_CHARACTERS_TOGETHER // len(names)))


def new(mailbox: Mailbox) -> str:
    return reverse("responder_new", args=[mailbox.pk])


def test_an_absence_message_is_saved_as_typed(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), TYPED, follow=True)
    assert page.status_code == 200
    assert "Saved. It answers from Thu, 24 Dec 2099, 17:00 until Mon, 4 Jan 2100, 08:00 (Warsaw time)." in page.text
    assert "Starts Thu, 24 Dec 2099, 17:00" in page.text
    row = Responder.objects.get()
    assert (row.from_date, row.to_date) == (datetime(2099, 12, 24, 17, 0), datetime(2100, 1, 4, 8, 0))
    assert row.events.get().actor == mailbox.owner


def test_it_says_so_in_polish(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), TYPED, follow=True, headers={"accept-language": "pl"})
    assert "Odpowiada od czw., 24 gru 2099, 17:00 do pon., 4 sty 2100, 08:00 (czas: Warszawa)." in page.text
    assert "Włączy się: czw., 24 gru 2099, 17:00" in page.text


def test_a_standing_reply_needs_no_dates(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), TYPED | {"type": "standing"}, follow=True)
    assert "Answering until switched off" in page.text
    assert Responder.objects.get().from_date is None


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"from_date": "2099-03-29T02:30"}, "from_date", "takiej godziny nie ma"),
        ({"to_date": "2099-10-25T02:30", "from_date": ""}, "to_date", "występuje dwa razy"),
        ({"to_date": "2099-12-24T16:59"}, "to_date", "późniejsza niż data rozpoczęcia"),
        ({"text_body": "{{ sender.nmae }}"}, "text_body", "Nie ma pola „sender.nmae”"),
        ({"text_body": "{% if subject %}"}, "text_body", "brakuje „{% endif %}”"),
        ({"subject": ""}, "subject", "wymagane"),
        ({"from_date": "tomorrow"}, "from_date", "datę"),
        ({"interval_days": "0"}, "interval_days", "1"),
        ({"text_body": "x" * 50_001}, "text_body", "za długi"),
    ],
)
def test_a_mistake_is_explained_beside_its_field_and_nothing_typed_is_lost(
    as_anna: Client, mailbox: Mailbox, typed: dict[str, str], field: str, words: str
) -> None:
    page = as_anna.post(new(mailbox), TYPED | typed, headers={"accept-language": "pl"})
    assert page.status_code == 422
    form = page.context["form"]
    assert list(form.errors) == [field]
    assert words in " ".join(form.errors[field])
    assert {name: form[name].value() for name in typed} == typed
    assert form["text_body"].value() == (TYPED | typed)["text_body"]
    assert not Responder.objects.exists()


def test_an_end_that_the_text_names_and_nobody_set_is_pointed_out(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), TYPED | {"to_date": ""}, follow=True)
    assert "no end is set" in page.text
    assert Responder.objects.exists()


def test_two_tabs_do_not_overwrite_each_other(as_anna: Client, mailbox: Mailbox) -> None:
    as_anna.post(new(mailbox), TYPED)
    row = Responder.objects.get()
    address = reverse("responder_edit", args=[row.pk])
    version = as_anna.get(address).context["form"]["version"].value()
    assert as_anna.post(address, TYPED | {"subject": "First", "version": version}).status_code == 302
    page = as_anna.post(address, TYPED | {"subject": "Second", "version": version})
    assert page.status_code == 409
    assert "First" in page.text
    assert page.context["form"]["subject"].value() == "Second"
    again = page.context["form"]["version"].value()
    assert as_anna.post(address, TYPED | {"subject": "Second", "version": again}).status_code == 302
    row.refresh_from_db()
    assert row.subject == "Second"


def test_opening_and_saving_changes_nothing(as_anna: Client, mailbox: Mailbox) -> None:
    as_anna.post(new(mailbox), TYPED)
    address = reverse("responder_edit", args=[Responder.objects.get().pk])
    for _time in range(3):
        form = as_anna.get(address).context["form"]
        typed = {name: str(form[name].value() or "") for name in TYPED}
        typed |= {name: form[name].value().strftime("%Y-%m-%dT%H:%M") for name in ("from_date", "to_date")}
        as_anna.post(address, typed | {"is_enabled": "on", "version": form["version"].value()})
    row = Responder.objects.get()
    assert (row.from_date, row.to_date) == (datetime(2099, 12, 24, 17, 0), datetime(2100, 1, 4, 8, 0))
    assert row.text_revision == 1


def test_it_is_switched_moved_and_deleted(as_anna: Client, mailbox: Mailbox) -> None:
    for subject in ("one", "two"):
        as_anna.post(new(mailbox), TYPED | {"subject": subject})
    one, two = Responder.objects.order_by("position")
    as_anna.post(reverse("responder_switch", args=[one.pk]), {"on": "0"})
    as_anna.post(reverse("responder_move", args=[two.pk]), {"direction": "up"})
    as_anna.post(reverse("responder_answer_again", args=[two.pk]))
    assert [row.subject for row in mailbox.responders.order_by("position")] == ["two", "one"]
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.is_enabled, two.activation) == (False, 2)
    delete = reverse("responder_delete", args=[one.pk])
    assert "Delete this autoresponder?" in as_anna.get(delete).text
    as_anna.post(delete)
    assert list(mailbox.responders.all()) == [two]


def test_a_get_changes_nothing_and_leads_to_the_mailbox(as_anna: Client, standing_reply: Responder) -> None:
    for name in ("responder_switch", "responder_move", "responder_answer_again"):
        page = as_anna.get(reverse(name, args=[standing_reply.pk]), {"on": "0"})
        assert page["Location"] == reverse("mailbox", args=[standing_reply.mailbox_id])
    row = Responder.objects.get()
    assert (row.is_enabled, row.activation, row.version) == (True, 1, 1)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"from_date": ""}, "It answers until Mon, 4 Jan 2100, 08:00 (Warsaw time)."),
        ({"to_date": "", "text_body": "x"}, "from Thu, 24 Dec 2099, 17:00 until you switch it off (Warsaw time)."),
        ({"type": "standing", "text_body": "x"}, "Saved. It answers until you switch it off."),
        ({"is_enabled": ""}, "Saved, but switched off: nobody gets an answer until you switch it on."),
    ],
)
def test_saving_says_in_words_when_it_answers(
    as_anna: Client, mailbox: Mailbox, typed: dict[str, str], sentence: str
) -> None:
    page = as_anna.post(new(mailbox), TYPED | typed, follow=True)
    assert sentence in page.text


def test_formatted_text_is_kept_without_what_could_harm(as_anna: Client, mailbox: Mailbox) -> None:
    as_anna.post(new(mailbox), TYPED | {"html_body": "<p onclick=x>Hi <script>alert(1)</script><b>you</b></p>"})
    assert Responder.objects.get().html_body == "<p>Hi <b>you</b></p>"


def test_the_history_tells_what_changed(as_anna: Client, mailbox: Mailbox) -> None:
    as_anna.post(new(mailbox), TYPED | {"subject": "Before"})
    row = Responder.objects.get()
    as_anna.post(
        reverse("responder_edit", args=[row.pk]),
        TYPED | {"subject": "After", "to_date": "2100-01-05T08:00", "version": row.version},
    )
    page = as_anna.get(reverse("mailbox", args=[mailbox.pk]))
    _event, subject, changes, _undo = page.context["events"][0]
    assert subject == "After"
    assert [(str(change.field), change.before, change.after) for change in changes] == [
        ("end", "Mon, 4 Jan 2100, 08:00", "Tue, 5 Jan 2100, 08:00"),
        ("subject", "Before", "After"),
    ]
    as_anna.post(reverse("responder_delete", args=[row.pk]))
    _event, subject, changes, _undo = as_anna.get(reverse("mailbox", args=[mailbox.pk])).context["events"][0]
    assert subject == "After"
    assert changes[0].before == "Absence message"


def test_every_placeholder_is_documented_in_the_form(as_anna: Client, mailbox: Mailbox) -> None:
    assert set(PLACEHOLDER_WORDS) == set(PLACEHOLDERS)
    page = as_anna.get(new(mailbox)).text
    for name in PLACEHOLDERS:
        assert f"&#123;&#123; {name} &#125;&#125;" in page


def test_every_field_of_a_responder_and_every_setting_has_a_word_in_the_history() -> None:
    of_responder = {field.name for field in fields(ResponderInput)} | {"position"}
    of_mailbox = {*mailbox_changes.PLAIN, mailbox_changes.GROUPS, mailbox_changes.DELEGATES}
    assert of_responder | of_mailbox == set(history.LABELS)


TEXTS = {
    "texts-TOTAL_FORMS": "2", "texts-INITIAL_FORMS": "0",
    "texts-0-language": "en", "texts-0-for_colleagues": "", "texts-0-subject": "Away",
    "texts-0-text_body": "I am away.",
    "texts-1-language": "", "texts-1-for_colleagues": "", "texts-1-subject": "", "texts-1-text_body": "",
}  # fmt: skip


def test_a_text_in_another_language_is_added_changed_and_removed(as_anna: Client, mailbox: Mailbox) -> None:
    as_anna.post(new(mailbox), TYPED | TEXTS)
    row = Responder.objects.get()
    assert [(text["language"], text["subject"]) for text in row.texts] == [("en", "Away")]
    address = reverse("responder_edit", args=[row.pk])
    page = as_anna.get(address)
    assert [form.title for form in page.context["form"].texts] == [
        "English",
        "Add a text in another language, or for colleagues",
    ]
    stored = TYPED | TEXTS | {"texts-INITIAL_FORMS": "1", "version": row.version}
    added = stored | {
        "texts-1-language": "pl", "texts-1-for_colleagues": "True", "texts-1-subject": "Urlop",
        "texts-1-text_body": "Intranet.",
    }  # fmt: skip
    page = as_anna.post(address, added, follow=True)
    assert "everyone else, strangers too, gets the first one" in page.text
    assert "Further texts: English, Polish (for colleagues)" in page.text
    row.refresh_from_db()
    removed = added | {"texts-INITIAL_FORMS": "2", "texts-0-DELETE": "on", "version": row.version}
    as_anna.post(address, removed)
    row.refresh_from_db()
    assert [(text["language"], text["for_colleagues"]) for text in row.texts] == [("pl", True)]


def test_a_mistake_in_a_further_text_stands_beside_it(as_anna: Client, mailbox: Mailbox) -> None:
    page = as_anna.post(new(mailbox), TYPED | TEXTS | {"texts-0-text_body": "{{ nobody }}"})
    assert page.status_code == 422
    form = page.context["form"]
    assert (form.errors, form.texts[0].errors) == ({}, {"text_body": ["There is no placeholder “nobody” (line 1)."]})
    assert form.texts[0]["subject"].value() == "Away"
    page = as_anna.post(new(mailbox), TYPED | TEXTS | {"texts-0-subject": ""})
    assert page.status_code == 422
    assert not Responder.objects.exists()


def test_a_form_without_the_further_texts_leaves_them_alone(as_anna: Client, mailbox: Mailbox) -> None:
    as_anna.post(new(mailbox), TYPED | TEXTS)
    row = Responder.objects.get()
    as_anna.post(reverse("responder_edit", args=[row.pk]), TYPED | {"subject": "x", "version": row.version})
    row.refresh_from_db()
    assert (row.subject, len(row.texts)) == ("x", 1)


def test_whom_it_is_for_is_typed_as_people_type_lists(as_anna: Client, mailbox: Mailbox, add_alias) -> None:
    add_alias("biuro", mailbox)
    typed = TYPED | {
        "audience": "others", "addresses": ["biuro@firma.example"], "words": "reklamacja; zwrot,\nFaktura ",
        "words_in_body": "on", "senders": "jan@example.com, example.org", "deputy_name": "Ewa",
    }  # fmt: skip
    page = as_anna.post(new(mailbox), typed, follow=True)
    row = Responder.objects.get()
    assert (row.audience, row.addresses) == ("others", ["biuro@firma.example"])
    assert (row.words, row.senders) == (["reklamacja", "zwrot", "Faktura"], ["jan@example.com", "example.org"])
    assert (row.words_in_body, row.word_forms, row.deputy_name) == (True, False, "Ewa")
    assert "Only with the words: reklamacja, zwrot, Faktura" in page.text
    form = as_anna.get(reverse("responder_edit", args=[row.pk])).context["form"]
    assert form["words"].value() == "reklamacja, zwrot, Faktura"
    page = as_anna.post(new(mailbox), typed | {"senders": "nonsense"})
    assert (page.status_code, list(page.context["form"].errors)) == (422, ["senders"])


def test_with_one_address_there_is_none_to_choose(as_anna: Client, mailbox: Mailbox) -> None:
    assert "addresses" not in as_anna.get(new(mailbox)).context["form"].fields


def test_the_owner_says_which_group_addresses_are_answered(
    as_anna: Client, mailbox: Mailbox, somebody_elses: Mailbox, add_alias
) -> None:
    group = add_alias("zespol", mailbox, somebody_elses)
    mine, other = group.targets.order_by("pk")
    address = reverse("group_address", args=[mailbox.pk])
    page = as_anna.post(address, {"target": mine.pk, "on": "1"}, follow=True)
    assert "Mail to zespol@firma.example is answered now, too." in page.text
    mine.refresh_from_db()
    assert mine.is_own_address
    as_anna.post(address, {"target": mine.pk, "on": "0"})
    mine.refresh_from_db()
    assert not mine.is_own_address
    for target in (other.pk, "x", ""):
        assert as_anna.post(address, {"target": target, "on": "1"}).status_code == 404
    assert as_anna.get(address).status_code == 302
    assert as_anna.post(reverse("group_address", args=[somebody_elses.pk]), {"target": other.pk}).status_code == 404


def test_what_is_as_usual_stays_folded(as_anna: Client, standing_reply: Responder) -> None:
    """When a stored reply is opened, and when a mistake brings the page again."""
    page = reverse("responder_edit", args=[standing_reply.pk])
    days = {"office_days": ["0", "1", "2", "3", "4"], "office_opens": "08:00", "office_closes": "16:00"}
    typed = TYPED | days | {"type": "standing", "subject": "", "version": "1", "holidays_are_off": "on"}
    for shown in (as_anna.get(page), as_anna.post(page, typed)):
        assert '<details class="sheet only-standing">' in shown.text
        assert '<details class="sheet only-standing" open>' not in shown.text
    shown = as_anna.post(page, typed | {"office_closes": "17:00"})
    assert '<details class="sheet only-standing" open>' in shown.text
