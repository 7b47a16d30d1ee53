"""Staff change something for an owner: a reason first, a notice to the owner, a way back."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.signing import TimestampSigner
from django.test import Client
from django.urls import reverse

from mailboxes.models import Alias, AliasTarget, Delegation, Mailbox, User
from responders import acting, mailbox_changes, notices
from responders.models import ChangeNotice, Responder, ResponderEvent
from responders.services import database_now
from tests.web.test_responder_form import TYPED, new

REASON = "Telefon od klientki, sprawa 4711"


def edit(row: Responder) -> str:
    return reverse("responder_edit", args=[row.pk])


def give_reason(client: Client, mailbox: Mailbox) -> None:
    client.post(reverse("acting", args=[mailbox.pk]), {"reason": REASON})


@pytest.fixture
def changed(as_support: Client, standing_reply: Responder) -> ResponderEvent:
    """An agent gave the standing reply another text."""
    give_reason(as_support, standing_reply.mailbox)
    values = TYPED | {"type": "standing", "version": "1", "text_body": "Od wsparcia.", "subject": "Auto: {{ subject }}"}
    assert as_support.post(edit(standing_reply), values).status_code == 302
    return ResponderEvent.objects.get()


def test_staff_are_asked_why_before_they_write(as_support: Client, mailbox: Mailbox) -> None:
    page = as_support.get(new(mailbox), follow=True)
    assert "You change this for its owner" in page.text
    asked = page.redirect_chain[0][0]
    assert as_support.post(asked, {"reason": "  "}).status_code == 422
    again = as_support.post(asked, {"reason": REASON})
    assert again["Location"] == new(mailbox)
    assert as_support.get(new(mailbox)).status_code == 200


@pytest.mark.parametrize("action", ["switch", "move", "answer_again", "delete"])
def test_nothing_is_changed_without_a_reason(as_support: Client, standing_reply: Responder, action: str) -> None:
    address = reverse(f"responder_{action}", args=[standing_reply.pk])
    answer = as_support.post(address, {"on": "0", "direction": "up"})
    assert answer["Location"].startswith(reverse("acting", args=[standing_reply.mailbox_id]))
    assert not ResponderEvent.objects.exists()
    give_reason(as_support, standing_reply.mailbox)
    as_support.post(address, {"on": "0", "direction": "up"})
    assert [event.reason for event in ResponderEvent.objects.all()] == ([] if action == "move" else [REASON])


def test_what_was_typed_before_the_reason_is_kept(as_support: Client, mailbox: Mailbox) -> None:
    answer = as_support.post(new(mailbox), TYPED | {"text_body": "Długi tekst"})
    back = as_support.post(answer["Location"], {"reason": REASON})
    assert "Długi tekst" in as_support.get(back["Location"]).text


def test_the_reason_does_not_last_longer_than_a_days_work(
    as_support: Client, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_reason(as_support, mailbox)
    assert as_support.get(new(mailbox)).status_code == 200
    monkeypatch.setattr(acting, "LASTS", -1)
    assert as_support.get(new(mailbox)).status_code == 302


def test_the_reason_of_one_mailbox_is_none_of_another(
    as_support: Client, mailbox: Mailbox, somebody_elses: Mailbox
) -> None:
    give_reason(as_support, mailbox)
    assert as_support.get(new(somebody_elses)).status_code == 302


def test_the_way_back_never_leads_away_from_the_panel(as_support: Client, mailbox: Mailbox) -> None:
    for leads_to in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil.example"):
        address = f"{reverse('acting', args=[mailbox.pk])}?next={leads_to}"
        assert as_support.post(address, {"reason": REASON})["Location"] == reverse("mailbox", args=[mailbox.pk])


def test_owners_and_delegates_are_asked_nothing(
    as_anna: Client, anna: User, mailbox: Mailbox, support: User, as_support: Client
) -> None:
    assert as_anna.get(new(mailbox)).status_code == 200
    assert as_anna.get(reverse("acting", args=[mailbox.pk])).status_code == 404
    Delegation.objects.create(mailbox=mailbox, user=support)
    assert as_support.get(new(mailbox)).status_code == 200
    as_support.post(new(mailbox), TYPED)
    assert ResponderEvent.objects.get().reason == ""


def test_the_history_says_who_why_and_from_where(
    as_support: Client, as_anna: Client, changed: ResponderEvent, mailbox: Mailbox
) -> None:
    assert (changed.reason, changed.place, changed.address) == (REASON, "127.0.0.1", mailbox.address)
    page = reverse("mailbox", args=[mailbox.pk])
    assert REASON in as_anna.get(page).text
    assert "127.0.0.1" not in as_anna.get(page).text
    assert "127.0.0.1" in as_support.get(page).text


def test_the_owner_is_told_once_in_their_language_and_takes_it_back_without_signing_in(
    changed: ResponderEvent, mailbox: Mailbox, client: Client
) -> None:
    now = database_now()
    assert (notices.send_due(now), notices.send_due(now)) == (1, 0)
    [letter] = mail.outbox
    assert letter.to == [mailbox.address]
    assert letter.subject == "W Twoim imieniu zmieniono Twój autoresponder"
    text = str(letter.body)
    assert REASON in text
    assert "treść: Dziękuję za wiadomość. → Od wsparcia." in text
    link = re.search(r"http\S+(/undo/\S+)", text)
    assert link is not None
    client.logout()
    assert "Undo this change?" in client.get(link[1]).text
    assert changed.responder is not None
    assert Responder.objects.get().text_body == "Od wsparcia."
    assert "It is as it was before." in client.post(link[1]).text
    assert Responder.objects.get().text_body == "Dziękuję za wiadomość."
    undone = ResponderEvent.objects.get(undoes=changed)
    assert (undone.actor, undone.kind, undone.reason) == (mailbox.owner, "edited", "")
    assert "It is as it was before." in client.post(link[1]).text  # twice is once
    assert ResponderEvent.objects.count() == 2
    assert notices.send_due(database_now()) == 0


def test_a_link_that_was_made_up_or_is_old_is_void(
    changed: ResponderEvent, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notices.undo_link(changed).removeprefix("http://localhost:8000")
    path = path[path.index("/undo/") :]
    assert client.get(path[:-2] + "x/").status_code == 404
    monkeypatch.setattr(TimestampSigner, "timestamp", lambda _self: "1Gfak0")
    old = notices.undo_link(changed)
    monkeypatch.undo()
    assert client.get(old[old.index("/undo/") :]).status_code == 404


def test_an_owner_takes_it_back_from_the_history(as_anna: Client, changed: ResponderEvent, mailbox: Mailbox) -> None:
    address = reverse("event_undo", args=[changed.pk])
    assert address in as_anna.get(reverse("mailbox", args=[mailbox.pk])).text
    assert "Undo this change?" in as_anna.get(address).text
    page = as_anna.post(address, follow=True)
    assert "It is as it was before." in page.text
    assert address not in page.text
    assert "Undone" in page.text


def test_what_was_changed_since_is_not_trodden_on(as_anna: Client, changed: ResponderEvent) -> None:
    assert changed.responder is not None
    typed = TYPED | {"type": "standing", "version": "2", "text_body": "Moje nowe."}
    as_anna.post(edit(changed.responder), typed)
    page = as_anna.post(reverse("event_undo", args=[changed.pk]))
    assert page.status_code == 409
    assert "It was changed again since" in page.text
    assert Responder.objects.get().text_body == "Moje nowe."


def test_a_switch_a_new_one_and_a_deletion_are_taken_back(
    as_support: Client, as_anna: Client, standing_reply: Responder
) -> None:
    mailbox = standing_reply.mailbox
    give_reason(as_support, mailbox)
    as_support.post(reverse("responder_switch", args=[standing_reply.pk]), {"on": "0"})
    as_support.post(new(mailbox), TYPED | {"subject": "Nowy"})
    as_support.post(reverse("responder_delete", args=[standing_reply.pk]))
    switched, created, deleted = ResponderEvent.objects.order_by("pk")

    def take_back(event: ResponderEvent) -> Any:
        return as_anna.post(reverse("event_undo", args=[event.pk]), follow=True)

    assert "This autoresponder was deleted since." in take_back(switched).text
    take_back(deleted)
    assert [row.subject for row in Responder.objects.order_by("pk")] == ["Nowy", "Auto: {{ subject }}"]
    take_back(created)
    row = Responder.objects.get()
    assert (row.text_body, row.is_enabled) == ("Dziękuję za wiadomość.", False)


def test_after_two_weeks_it_stands(
    as_anna: Client, changed: ResponderEvent, database_clock: Any, mailbox: Mailbox
) -> None:
    database_clock(database_now() + timedelta(days=14, minutes=1))
    page = as_anna.post(reverse("event_undo", args=[changed.pk]))
    assert page.status_code == 409
    assert Responder.objects.get().text_body == "Od wsparcia."
    assert notices.send_due(database_now()) == 0


def test_nobody_takes_back_what_is_somebody_elses(
    client: Client, changed: ResponderEvent, somebody_elses: Mailbox
) -> None:
    client.force_login(somebody_elses.owner)
    for answer in (client.get, client.post):
        assert answer(reverse("event_undo", args=[changed.pk])).status_code == 404
        assert answer(reverse("acting", args=[changed.mailbox_id])).status_code == 404


def test_a_deleted_mailbox_leaves_its_history(changed: ResponderEvent, mailbox: Mailbox) -> None:
    mailbox.delete()
    changed.refresh_from_db()
    assert (changed.mailbox, changed.responder, changed.address) == (None, None, "anna@firma.example")
    assert not ChangeNotice.objects.exists()
    assert notices.send_due(database_now()) == 0


# --- What is set about the mailbox itself ---


@pytest.fixture
def office(mailbox: Mailbox) -> AliasTarget:
    """A group address of Anna's and a colleague's; the colleague could look after hers."""
    user = User.objects.create_user("ewa@firma.example", name="Ewa Lis")
    ewa = Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", owner=user)
    alias = Alias.objects.create(domain=mailbox.domain, local_part="biuro")
    AliasTarget.objects.create(alias=alias, mailbox=ewa)
    return AliasTarget.objects.create(alias=alias, mailbox=mailbox)


SETTINGS = [
    ("notices", {"notify_started": "on"}, {"notify_ended", "notify_ending", "notify_still_on"}),
    ("account_time_zone", {"time_zone": "Europe/London"}, {"time_zone"}),
    ("group_address", {"on": "1"}, {"answered_groups"}),
    ("delegations", {"email": "ewa@firma.example"}, {"delegates"}),
]


def state_of(mailbox: Mailbox) -> dict[str, object]:
    mailbox.refresh_from_db()
    return {
        name: mailbox_changes.current(mailbox, name)
        for name in (*mailbox_changes.PLAIN, "answered_groups", "delegates")
    }


@pytest.mark.parametrize(("name", "typed", "fields"), SETTINGS, ids=[name for name, _typed, _fields in SETTINGS])
def test_settings_are_changed_with_a_reason_told_and_taken_back(
    as_support: Client, client: Client, mailbox: Mailbox, office: AliasTarget, name: str, typed: dict[str, str],
    fields: set[str],
) -> None:  # fmt: skip
    page, typed = reverse(name, args=[mailbox.pk]), typed | ({"target": office.pk} if name == "group_address" else {})
    before = state_of(mailbox)
    asked = as_support.post(page, typed)
    assert "/acting/" in asked["Location"]
    assert state_of(mailbox) == before
    give_reason(as_support, mailbox)
    assert as_support.post(page, typed).status_code == 302
    event = ResponderEvent.objects.get()
    assert (event.kind, event.reason, set(event.changes)) == ("mailbox", REASON, fields)
    assert state_of(mailbox) != before
    as_support.post(page, typed)
    assert ResponderEvent.objects.count() == 1  # nothing more was changed
    assert notices.send_due(database_now()) == 1
    [letter] = mail.outbox
    assert "ustawienia Twojej skrzynki" in letter.subject
    link = re.search(r"http\S+(/undo/\S+)", str(letter.body))
    assert link is not None
    client.post(link[1])
    assert state_of(mailbox) == before


def test_settings_changed_again_since_are_not_taken_back(as_support: Client, as_anna: Client, mailbox: Mailbox) -> None:
    give_reason(as_support, mailbox)
    page = reverse("notices", args=[mailbox.pk])
    as_support.post(page, {"notify_started": "on"})
    as_anna.post(page, {"notify_ended": "on"})
    event = ResponderEvent.objects.exclude(reason="").get()
    assert as_anna.post(reverse("event_undo", args=[event.pk])).status_code == 409
    mailbox.refresh_from_db()
    assert mailbox.notify_ended


def test_an_end_of_a_delegation_by_staff_asks_why(as_support: Client, mailbox: Mailbox, office: AliasTarget) -> None:
    colleague = Delegation.objects.create(mailbox=mailbox, user=User.objects.get(email="ewa@firma.example"))
    end = reverse("delegation_end", args=[mailbox.pk, colleague.pk])
    assert "/acting/" in as_support.post(end)["Location"]
    give_reason(as_support, mailbox)
    as_support.post(end)
    assert not Delegation.objects.exists()
    assert ResponderEvent.objects.get().changes == {"delegates": [["ewa@firma.example"], []]}
