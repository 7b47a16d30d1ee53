"""Nothing typed is lost: what a signed-in person writes is kept as it is typed, and offered when they come back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connections, transaction
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from mailboxes.models import Delegation, Mailbox, User
from responders.drafting import writing
from responders.models import Draft, Responder
from responders.services import database_now
from responders.typed import MAX_CHARACTERS, as_text
from tests.web.test_responder_form import TYPED, longest, new

KEY = "k" * 32
HTMX = {"hx-request": "true"}


def type_in(client: Client, page: str, key: str = KEY, **more: str) -> Any:
    """What the form's script sends while somebody types."""
    return client.post(page, TYPED | {"preview": "1", "draft": key} | more, headers=HTMX)


def test_what_was_typed_is_offered_and_taken_up_only_if_wanted(as_anna: Client, mailbox: Mailbox) -> None:
    answer = type_in(as_anna, new(mailbox), text_body="Wracam „w poniedziałek” & nie wcześniej.")
    assert "Kept as a draft at" in answer.text
    page = as_anna.get(new(mailbox))
    assert "You have a draft that is not saved." in page.text
    assert "Auto: … – Wracam „w poniedziałek” &amp; nie wcześniej." in page.text
    assert "Wracam" not in page.context["form"]["text_body"].value()
    taken = as_anna.get(f"{new(mailbox)}?draft={KEY}")
    assert taken.context["form"]["text_body"].value() == "Wracam „w poniedziałek” & nie wcześniej."
    assert taken.context["form"]["draft"].value() == KEY
    assert "You have a draft" not in taken.text
    assert not Responder.objects.exists()


def test_of_several_it_is_said_once(as_anna: Client, mailbox: Mailbox) -> None:
    for number in range(3):
        type_in(as_anna, new(mailbox), key=f"{number}" * 32, text_body=f"Tekst numer {number}")
    page = as_anna.get(new(mailbox)).text
    assert page.count("You have 3 drafts that are not saved.") == 1
    assert [page.count(f"Tekst numer {number}") for number in range(3)] == [1, 1, 1]


def test_it_is_offered_on_the_mailboxs_page_too(as_anna: Client, mailbox: Mailbox, standing_reply: Responder) -> None:
    edit = reverse("responder_edit", args=[standing_reply.pk])
    type_in(as_anna, new(mailbox))
    type_in(as_anna, edit, "e" * 32, type="standing", version="1")
    page = as_anna.get(reverse("mailbox", args=[mailbox.pk])).text
    assert f"{new(mailbox)}?draft={KEY}" in page
    assert f"{edit}?draft={'e' * 32}" in page
    assert f"?draft={KEY}" not in as_anna.get(edit).text
    thrown = as_anna.post(new(mailbox), {"throw_away": "1", "draft": KEY, "back": "mailbox"}, follow=True)
    assert thrown.redirect_chain[-1][0] == reverse("mailbox", args=[mailbox.pk])
    assert KEY not in thrown.text
    assert "e" * 32 in thrown.text


def test_saving_ends_it_and_what_comes_late_does_not_bring_it_back(as_anna: Client, mailbox: Mailbox) -> None:
    type_in(as_anna, new(mailbox))
    as_anna.post(new(mailbox), TYPED | {"save": "1", "draft": KEY})
    assert Responder.objects.count() == 1
    type_in(as_anna, new(mailbox), text_body="Spóźnione")
    assert "You have a draft" not in as_anna.get(new(mailbox)).text
    assert writing.find(mailbox.owner, mailbox, None, KEY) is None


def test_a_second_click_makes_no_second_responder(as_anna: Client, mailbox: Mailbox) -> None:
    sent = TYPED | {"save": "1", "draft": KEY}
    first, second = (as_anna.post(new(mailbox), sent) for _time in range(2))
    assert (first.status_code, second.status_code) == (302, 302)
    assert Responder.objects.count() == 1
    as_anna.post(new(mailbox), sent | {"text_body": "Wróciłam do formularza i piszę drugi."})
    assert Responder.objects.count() == 2


def test_two_clicks_at_once_make_one(transactional_db: None, mailbox: Mailbox, anna: User) -> None:
    clients = [Client(), Client()]
    for client in clients:
        client.force_login(anna)
    together = Barrier(2)

    def click(client: Client) -> int:
        together.wait()
        try:
            return client.post(new(mailbox), TYPED | {"save": "1", "draft": KEY}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(click, clients)) == [302, 302]
    assert Responder.objects.count() == 1


def test_a_second_click_on_a_change_is_no_conflict(
    as_anna: Client, mailbox: Mailbox, standing_reply: Responder
) -> None:
    edit = reverse("responder_edit", args=[standing_reply.pk])
    sent = TYPED | {"save": "1", "draft": KEY, "type": "standing", "version": "1", "text_body": "Nowy tekst"}
    assert [as_anna.post(edit, sent).status_code for _time in range(2)] == [302, 302]
    assert standing_reply.events.count() == 1
    assert as_anna.post(edit, sent | {"text_body": "Jeszcze inny"}).status_code == 409


def test_the_page_of_a_conflict_shows_what_senders_would_read(as_anna: Client, standing_reply: Responder) -> None:
    edit = reverse("responder_edit", args=[standing_reply.pk])
    sent = TYPED | {"save": "1", "draft": KEY, "type": "standing", "version": "0", "text_body": "Drugie okno"}
    page = as_anna.post(edit, sent)
    assert page.status_code == 409
    assert [letter.text_body for letter in page.context["previews"]] == ["Drugie okno"]
    assert "appears here as you write" not in page.text
    taken_up = as_anna.get(f"{edit}?draft={KEY}")
    assert [letter.text_body for letter in taken_up.context["previews"]] == ["Drugie okno"]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Nie ma mnie do {{ absence.end }}.", "Auto: Re – Nie ma mnie do …"),
        ("Zastępuje mnie {{ deputy.name }}. Wracam.", "Auto: Re – Zastępuje mnie … Wracam."),
        ("Do {{ absence.end }}.pl", "Auto: Re – Do ….pl"),
        ("x" * 108, "Auto: Re – " + "x" * 108),
        ("x" * 111, "Auto: Re – " + "x" * 108 + "…"),
        ("x" * 106 + " {{ sender.name }} y y y", "Auto: Re – " + "x" * 106 + "…"),
        ("x" * 190 + " {{ sender.name }}", "Auto: Re – " + "x" * 108 + "…"),
    ],
)
def test_a_draft_begins_as_people_read_it(typed: str, shown: str) -> None:
    draft = Draft(typed=urlencode({"subject": "Auto: Re", "text_body": typed}))
    assert draft.excerpt == shown


def test_a_mistake_and_a_conflict_end_nothing(as_anna: Client, mailbox: Mailbox, standing_reply: Responder) -> None:
    as_anna.post(new(mailbox), TYPED | {"save": "1", "draft": KEY, "subject": ""})
    edit = reverse("responder_edit", args=[standing_reply.pk])
    other = {"type": "standing", "version": "0", "text_body": "Drugie okno"}
    assert as_anna.post(edit, TYPED | {"save": "1", "draft": "e" * 32} | other).status_code == 409
    page = as_anna.get(reverse("mailbox", args=[mailbox.pk])).text
    assert f"?draft={KEY}" in page
    assert "Drugie okno" in page


def test_two_windows_write_two_drafts(as_anna: Client, mailbox: Mailbox) -> None:
    first, second = (as_anna.get(new(mailbox)).context["form"]["draft"].value() for _ in range(2))
    assert first != second
    type_in(as_anna, new(mailbox), first, text_body="Pierwsze")
    type_in(as_anna, new(mailbox), second, text_body="Drugie")
    type_in(as_anna, new(mailbox), first, text_body="Pierwsze okno")
    page = as_anna.get(new(mailbox)).text
    assert "Pierwsze okno" in page
    assert "Drugie" in page


def test_it_is_theirs_alone(as_anna: Client, as_support: Client, mailbox: Mailbox, somebody_elses: Mailbox) -> None:
    type_in(as_anna, new(mailbox), text_body="Wracam nigdy")
    as_support.post(reverse("acting", args=[mailbox.pk]), {"reason": "Telefon"})
    for page in (new(mailbox), f"{new(mailbox)}?draft={KEY}", reverse("mailbox", args=[mailbox.pk])):
        assert "Wracam nigdy" not in as_support.get(page).text
    as_support.post(new(mailbox), {"throw_away": "1", "draft": KEY})
    assert "Wracam nigdy" in as_anna.get(new(mailbox)).text
    Delegation.objects.create(mailbox=somebody_elses, user=mailbox.owner)
    assert "Wracam nigdy" not in as_anna.get(f"{new(somebody_elses)}?draft={KEY}").text


def test_signing_out_leaves_nothing_of_this_session(as_anna: Client, anna: User, mailbox: Mailbox) -> None:
    elsewhere = Client()
    elsewhere.force_login(anna)
    type_in(as_anna, new(mailbox), text_body="Na cudzym komputerze")
    type_in(elsewhere, new(mailbox), "e" * 32, text_body="Na telefonie")
    as_anna.post(reverse("account_logout"))
    page = elsewhere.get(new(mailbox)).text
    assert "Na cudzym komputerze" not in page
    assert "Na telefonie" in page


def test_a_session_that_ran_out_leaves_it(as_anna: Client, anna: User, mailbox: Mailbox) -> None:
    type_in(as_anna, new(mailbox), text_body="Zostaje")
    as_anna.cookies.clear()
    as_anna.force_login(anna)
    assert "Zostaje" in as_anna.get(new(mailbox)).text


def test_it_is_kept_when_the_page_goes_out_of_sight(as_anna: Client, mailbox: Mailbox) -> None:
    answer = as_anna.post(new(mailbox), TYPED | {"keep": "1", "draft": KEY})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "You have a draft" in as_anna.get(new(mailbox)).text


@pytest.mark.parametrize("key", ["", "x", "../" * 11, "k" * 33, "\0" * 32, "ż" * 32])
def test_a_name_that_somebody_made_up_keeps_nothing(as_anna: Client, mailbox: Mailbox, key: str) -> None:
    assert as_anna.post(new(mailbox), TYPED | {"keep": "1", "draft": key}).status_code == 413
    assert as_anna.get(new(mailbox), {"draft": key}).status_code == 200
    assert as_anna.post(new(mailbox), {"throw_away": "1", "draft": key}).status_code == 302
    assert not Draft.objects.exists()


def test_more_than_a_form_holds_is_not_kept(as_anna: Client, mailbox: Mailbox) -> None:
    answer = type_in(as_anna, new(mailbox), text_body="x" * MAX_CHARACTERS)
    assert "Kept as a draft" not in answer.text
    assert not Draft.objects.exists()


@pytest.mark.parametrize("letter", ["a", "ж", "語", "🏖", "\r\n", "&"], ids=["a", "zhe", "go", "beach", "line", "amp"])
def test_the_longest_text_is_kept_in_any_script(as_anna: Client, mailbox: Mailbox, letter: str) -> None:
    texts = longest(letter)
    assert "Kept as a draft at" in type_in(as_anna, new(mailbox), **texts).text
    kept = QueryDict(Draft.objects.get().typed)
    assert {name: kept[name] for name in texts} == texts


@pytest.mark.parametrize(
    "text", ["a=b&c;d", "100% + 5", "%26 %C4%85", "ą#?/\\", "\t\x7f\x01", "", " ", "=", "a\r\n\r\nb"]
)
def test_it_is_kept_letter_for_letter(text: str) -> None:
    sent = QueryDict(mutable=True)
    sent.setlist("office_days", ["0", text])
    sent[text] = "x"
    sent["csrfmiddlewaretoken"] = "secret"
    kept = as_text(sent, but=["csrfmiddlewaretoken"])
    assert kept is not None
    assert dict(QueryDict(kept).lists()) == {"office_days": ["0", text], text: ["x"]}


def test_a_draft_from_before_an_upgrade_is_read(as_anna: Client, mailbox: Mailbox, anna: User) -> None:
    """All of it was percent-encoded then."""
    now = database_now()
    typed = urlencode(TYPED | {"text_body": "Wracam „w poniedziałek” & nie wcześniej."})
    Draft.objects.create(user=anna, mailbox=mailbox, key=KEY, typed=typed, began_at=now, changed_at=now)
    taken = as_anna.get(f"{new(mailbox)}?draft={KEY}")
    assert taken.context["form"]["text_body"].value() == "Wracam „w poniedziałek” & nie wcześniej."


def test_nul_and_lone_surrogates_disturb_nothing(as_anna: Client, mailbox: Mailbox) -> None:
    typed = f"keep=1&draft={KEY}&type=absence&subject=x&text_body=a%00b%ED%A0%BD"
    answer = as_anna.generic("POST", new(mailbox), typed, "application/x-www-form-urlencoded")
    assert answer.status_code == 204
    assert as_anna.get(reverse("mailbox", args=[mailbox.pk])).status_code == 200
    assert as_anna.get(f"{new(mailbox)}?draft={KEY}").status_code == 200


def test_nobody_keeps_more_than_a_few(as_anna: Client, mailbox: Mailbox) -> None:
    for number in range(writing.MOST + 4):
        type_in(as_anna, new(mailbox), f"{number:032}")
    assert Draft.objects.count() == writing.MOST
    assert not Draft.objects.filter(key=f"{3:032}").exists()


def test_it_goes_after_two_weeks(as_anna: Client, mailbox: Mailbox, anna: User) -> None:
    now = database_now()
    type_in(as_anna, new(mailbox))
    writing.forget(anna, mailbox, "o" * 32, now)
    assert writing.delete_old(now + timedelta(minutes=59)) == 0
    assert writing.delete_old(now + timedelta(minutes=61)) == 1
    assert writing.delete_old(now + timedelta(days=15)) == 1


def test_a_deleted_responder_takes_its_drafts_along(as_anna: Client, standing_reply: Responder) -> None:
    type_in(as_anna, reverse("responder_edit", args=[standing_reply.pk]), type="standing", version="1")
    with transaction.atomic():
        standing_reply.delete()
    assert not Draft.objects.exists()
