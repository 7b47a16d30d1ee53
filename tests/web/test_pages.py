"""What owners and support staff see, and what they do not."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from mailboxes.models import Mailbox, User
from responders import statistics
from responders.core.facts import Reason
from responders.models import Decision, NumberedCase, Responder
from responders.reasons import SENTENCES
from responders.services import database_now
from tests.conftest import PASSWORD

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def decided(mailbox: Mailbox, reason: str, sender: str = "jan@example.com") -> Decision:
    return Decision.objects.create(
        mailbox=mailbox,
        decided_at=NOW,
        reverse_path=sender,
        forward_path=mailbox.address,
        reason=reason,
        evidence="x: <b>",
    )


def test_a_person_signs_in_with_address_and_password(client: Client, mailbox: Mailbox) -> None:
    page = client.post(reverse("account_login"), {"login": "Anna@Firma.example", "password": PASSWORD}, follow=True)
    assert page.status_code == 200
    assert "anna@firma.example" in page.text
    assert "No autoresponder yet" in page.text


def test_a_wrong_password_is_said_without_telling_whether_the_address_exists(client: Client, mailbox: Mailbox) -> None:
    sentences = []
    for address in ("anna@firma.example", "nobody@firma.example"):
        page = client.post(reverse("account_login"), {"login": address, "password": "wrong"})
        assert page.status_code == 200
        sentences.append(page.context["form"].non_field_errors())
    assert list(sentences[0]) == list(sentences[1])
    assert sentences[0]


@pytest.mark.parametrize("name", ["account_signup", "account_reset_password"])
def test_what_the_panel_does_not_offer_is_not_there(client: Client, db: None, name: str) -> None:
    assert client.get(reverse(name)).status_code == 404


@pytest.mark.parametrize(
    ("name", "of_responder"),
    [("mailbox_list", None), ("mailbox", False), ("responder_new", False), ("responder_edit", True),
     ("responder_delete", True), ("outbox", None)],
)  # fmt: skip
def test_nobody_sees_a_page_without_signing_in(
    client: Client, standing_reply: Responder, name: str, of_responder: bool | None
) -> None:
    arguments = [] if of_responder is None else [standing_reply.pk if of_responder else standing_reply.mailbox_id]
    page = client.get(reverse(name, args=arguments))
    assert page.status_code == 302
    assert page["Location"].startswith(reverse("account_login"))


def test_another_persons_mailbox_is_not_known_to_exist(as_anna: Client, somebody_elses: Mailbox) -> None:
    row = Responder.objects.create(mailbox=somebody_elses, type="standing", subject="x", text_body="x")
    for name in ("mailbox", "responder_new"):
        assert as_anna.get(reverse(name, args=[somebody_elses.pk])).status_code == 404
    for name in ("responder_edit", "responder_delete"):
        assert as_anna.get(reverse(name, args=[row.pk])).status_code == 404
    for name in ("responder_switch", "responder_move", "responder_answer_again", "responder_delete", "responder_edit"):
        assert as_anna.post(reverse(name, args=[row.pk]), {"on": "0"}).status_code == 404
    row.refresh_from_db()
    assert row.is_enabled
    assert "obcy@" not in as_anna.get("/").text


def test_support_finds_every_mailbox(as_support: Client, mailbox: Mailbox, somebody_elses: Mailbox) -> None:
    assert "obcy@inna.example" in as_support.get("/").text
    page = as_support.get("/", {"q": "nowak"}).text
    assert "anna@firma.example" in page
    assert "obcy@inna.example" not in page
    assert as_support.get(reverse("mailbox", args=[mailbox.pk])).status_code == 200


def test_the_list_goes_on_after_a_page(as_support: Client, mailbox: Mailbox) -> None:
    for number in range(40):
        Mailbox.objects.create(domain=mailbox.domain, local_part=f"m{number:02}")
    first = as_support.get("/")
    second = as_support.get(f"/?{first.context['further']}")
    seen = [listed.row.address for page in (first, second) for listed in page.context["mailboxes"]]
    assert len(seen) == len(set(seen)) == 41


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_shown_as_its_sentence(as_anna: Client, mailbox: Mailbox, reason: Reason) -> None:
    decided(mailbox, reason.value)
    page = as_anna.get(reverse("mailbox", args=[mailbox.pk]))
    assert page.context["decisions"][0][1] == SENTENCES[reason]
    assert "x: &lt;b&gt;" in page.text


def test_the_log_is_filtered_and_paged(as_anna: Client, mailbox: Mailbox) -> None:
    for number in range(35):
        decided(mailbox, "replied" if number % 2 else "list-or-bulk", f"s{number}@example.com")
    address = reverse("mailbox", args=[mailbox.pk])
    assert {row.reason for row, _ in as_anna.get(address, {"show": "answered"}).context["decisions"]} == {"replied"}
    assert {row.reason for row, _ in as_anna.get(address, {"show": "silent"}).context["decisions"]} == {"list-or-bulk"}
    first = as_anna.get(address)
    older = as_anna.get(address, {"before": first.context["before"]})
    assert len(first.context["decisions"]) + len(older.context["decisions"]) == 35
    assert as_anna.get(address, {"before": "x'--"}).status_code == 200


def test_one_senders_messages_are_found(as_anna: Client, mailbox: Mailbox) -> None:
    for number in range(32):
        decided(mailbox, "replied" if number % 2 else "already-replied", "siostra@xn--bcher-kva.example")
        decided(mailbox, "replied", "jan@example.com")
    address = reverse("mailbox", args=[mailbox.pk])
    first = as_anna.get(address, {"sender": " siostra@bücher.example "})
    older = as_anna.get(address, {"sender": "siostra@bücher.example", "before": first.context["before"]})
    found = [row.reverse_path for page in (first, older) for row, _words in page.context["decisions"]]
    assert found == ["siostra@xn--bcher-kva.example"] * 32
    query = "sender=siostra%40b%C3%BCcher.example"
    assert f"{query}&amp;before={first.context['before']}#log" in first.text
    assert f"?show=silent&amp;{query}#log" in first.text
    silent = as_anna.get(address, {"sender": "siostra@bücher.example", "show": "silent"})
    assert {row.reason for row, _words in silent.context["decisions"]} == {"already-replied"}


@pytest.mark.parametrize("typed", ["nikt@example.org", "\0", "'--", "<b>", "ą" * 400])
def test_a_sender_who_never_reached_the_panel_is_no_riddle(as_anna: Client, mailbox: Mailbox, typed: str) -> None:
    decided(mailbox, "replied")
    page = as_anna.get(reverse("mailbox", args=[mailbox.pk]), {"sender": typed})
    assert page.status_code == 200
    assert ("none while an autoresponder was on" in page.text) == (typed != "\0")
    assert "<b>" not in page.text


def test_a_page_asks_the_same_number_of_questions_whatever_it_shows(
    as_anna: Client, anna: User, mailbox: Mailbox
) -> None:
    for number in range(10):
        Mailbox.objects.create(domain=mailbox.domain, local_part=f"m{number}", owner=anna)
        row = Responder.objects.create(mailbox=mailbox, position=number, subject="x", text_body="x")
        row.events.create(mailbox=mailbox, kind="created", at=NOW, actor=anna)
        decided(mailbox, "replied")
    for address in ("/", reverse("mailbox", args=[mailbox.pk])):
        with CaptureQueriesContext(connection) as asked:
            assert as_anna.get(address).status_code == 200
        # The request's own transaction shows as a savepoint within the test's.
        assert len([query for query in asked if "SAVEPOINT" not in query["sql"]]) <= 12


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/nothing-here/"])
def test_pages_allow_nothing_from_elsewhere(as_anna: Client, path: str) -> None:
    page = as_anna.get(path)
    policy = page["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page["X-Frame-Options"] == "DENY"
    assert "<script>" not in page.text
    assert "style=" not in page.text


def test_the_language_is_the_browsers_and_can_be_switched(client: Client, db: None) -> None:
    assert "Zaloguj się" in client.get("/sign-in/", headers={"accept-language": "pl"}).text
    assert "Sign in" in client.get("/sign-in/", headers={"accept-language": "de"}).text
    client.post(reverse("set_language"), {"language": "pl", "next": "/sign-in/"})
    assert "Zaloguj się" in client.get("/sign-in/", headers={"accept-language": "en"}).text


def test_the_outbox_is_for_the_demo_only(as_anna: Client) -> None:
    assert as_anna.get(reverse("outbox")).status_code == 404


def test_in_the_demo_the_outbox_shows_replies_as_text(
    as_anna: Client, settings: Settings, tmp_path: Path, mailbox: Mailbox
) -> None:
    settings.DEBUG, settings.OUTBOX_DIR = True, tmp_path
    head = b"X-Envelope-From: <>\r\nSubject: =?utf-8?q?Urlop=3A_za=C5=BC=C3=B3=C5=82=C4=87?=\r\n"
    body = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    (tmp_path / "1.eml").write_bytes(head + body + base64.b64encode(b"Wracam <b>jutro</b>"))
    (tmp_path / "2.eml").write_bytes(b"\xff\x00 no header at all")
    (tmp_path / "3.eml").write_bytes(b"Content-Type: text/plain; charset=no-such\r\nTo: <[abc]@x>\r\n\r\nx")
    page = as_anna.get(reverse("outbox"))
    assert page.status_code == 200
    assert "Urlop: zażółć" in page.text
    assert "Wracam &lt;b&gt;jutro&lt;/b&gt;" in page.text


def test_after_many_wrong_passwords_nobody_comes_in_for_a_while(client: Client, mailbox: Mailbox) -> None:
    typed = {"login": "anna@firma.example", "password": "wrong"}
    for _attempt in range(6):
        client.post(reverse("account_login"), typed)
    page = client.post(reverse("account_login"), typed | {"password": PASSWORD}, headers={"accept-language": "pl"})
    assert "Zbyt wiele nieudanych prób" in page.text
    assert client.get("/").status_code == 302


def test_who_tries_without_end_gets_a_page_that_says_so(client: Client, db: None) -> None:
    for number in range(31):
        page = client.post(reverse("account_login"), {"login": f"a{number}@firma.example", "password": "x"})
    assert page.status_code == 429
    assert "Please wait a moment" in page.text


def test_behind_a_proxy_one_guesser_does_not_stop_everybody(
    client: Client, mailbox: Mailbox, settings: Settings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(31):
        typed = {"login": f"a{number}@firma.example", "password": "x"}
        page = client.post(reverse("account_login"), typed, headers={"x-forwarded-for": "198.51.100.7"})
    assert page.status_code == 429
    typed = {"login": "anna@firma.example", "password": PASSWORD}
    page = client.post(reverse("account_login"), typed, headers={"x-forwarded-for": "192.0.2.1"})
    assert page["Location"] == "/"


def test_administrators_sign_in_where_everybody_does(client: Client, mailbox: Mailbox) -> None:
    page = client.get(reverse("admin:login"), {"next": "/admin/"})
    assert page["Location"].startswith(reverse("account_login"))
    assert client.post(reverse("admin:login"), {"username": "a", "password": "b"}).status_code == 302


def test_the_banner_names_the_responder_that_answers_or_comes_next(as_anna: Client, mailbox: Mailbox) -> None:
    address = reverse("mailbox", args=[mailbox.pk])
    assert as_anna.get(address).context["foremost"] is None
    rows = [
        Responder.objects.create(
            mailbox=mailbox, position=position, subject=subject, text_body="x", type=type_, is_enabled=is_enabled,
            from_date=start and start.replace(tzinfo=None), from_utc=start,
        )
        for position, (subject, type_, is_enabled, start) in enumerate(
            [
                ("off", "standing", False, None),
                ("later", "absence", True, datetime(2099, 8, 1, tzinfo=UTC)),
                ("sooner", "absence", True, datetime(2099, 7, 1, tzinfo=UTC)),
                ("on", "standing", True, None),
            ]
        )
    ]  # fmt: skip
    assert as_anna.get(address).context["foremost"].row == rows[3]
    rows[3].delete()
    assert as_anna.get(address).context["foremost"].row == rows[2]


def test_support_finds_a_mailbox_by_a_case_number(
    as_support: Client, mailbox: Mailbox, somebody_elses: Mailbox
) -> None:
    NumberedCase.objects.create(
        mailbox=mailbox, number="2026/000123", opened_at=datetime(2026, 12, 1, tzinfo=UTC), opened_by="x",
        reverse_path="jan@example.com", reverse_path_key="jan@example.com",
    )  # fmt: skip
    page = as_support.get(reverse("mailbox_list"), {"q": " 2026/000123 "})
    assert [listed.row for listed in page.context["mailboxes"]] == [mailbox]


def test_the_list_tells_how_many_got_a_reply_and_has_a_switch(
    as_anna: Client, mailbox: Mailbox, standing_reply: Responder, database_clock: Callable[[datetime], None]
) -> None:
    database_clock(NOW)
    for ago in (0, 29, 31):
        row = decided(mailbox, "replied")
        Decision.objects.filter(pk=row.pk).update(decided_at=NOW - timedelta(days=ago))
    decided(mailbox, "spam")
    page = as_anna.get(reverse("mailbox_list"), headers={"accept-language": "pl"})
    assert "2 odpowiedzi w ciągu 30 dni" in page.text
    assert reverse("responder_switch", args=[standing_reply.pk]) in page.text


def test_a_chart_counts_by_the_days_of_the_mailboxs_zone(mailbox: Mailbox) -> None:
    moments = [
        (datetime(2026, 11, 30, 22, 59, tzinfo=UTC), "replied"),  # 23:59 in Warsaw
        (datetime(2026, 11, 30, 23, 0, tzinfo=UTC), "replied"),
        (datetime(2026, 11, 30, 23, 30, tzinfo=UTC), "spam"),
        (datetime(2026, 10, 1, 12, 0, tzinfo=UTC), "replied"),
    ]
    for moment, reason in moments:
        row = decided(mailbox, reason)
        Decision.objects.filter(pk=row.pk).update(decided_at=moment)
    found = statistics.chart(mailbox, datetime(2026, 12, 1, 12, tzinfo=UTC))
    days = [(bar.day.date.isoformat(), bar.day.answered, dict(bar.day.silent)) for bar in found.bars[-2:]]
    assert days == [("2026-11-30", 1, {}), ("2026-12-01", 1, {"spam": 1})]
    assert (len(found.bars), found.bars[0].day.date.isoformat()) == (30, "2026-11-02")
    assert (found.answered, found.silent, found.highest) == (2, 1, 2)
    assert (found.bars[-1].answered_height, found.bars[-1].silent) == (50, [statistics.Part(1, 0, 50)])
    assert found.reasons == [(1, "spam", 1)]


def test_the_chart_tells_reasons_apart_and_adds_up_the_rare_ones(mailbox: Mailbox) -> None:
    for count, reason in enumerate(["report", "auto-submitted", "list-or-bulk", "spam", "already-replied"], 1):
        for _each in range(count):
            decided(mailbox, reason)
    found = statistics.chart(mailbox, NOW)
    assert found.reasons == [(1, "already-replied", 5), (2, "spam", 4), (3, "list-or-bulk", 3), (4, "", 3)]
    parts = found.bars[-1].silent
    assert [part.shade for part in parts] == [1, 2, 3, 4]
    assert sum(part.height for part in parts) == pytest.approx(100, abs=0.3)
    assert parts[-1].y == pytest.approx(0, abs=0.1)


def test_the_chart_is_drawn_with_points_in_any_language(as_anna: Client, mailbox: Mailbox) -> None:
    for reason in ("replied", "spam", "spam"):
        row = decided(mailbox, reason)
        Decision.objects.filter(pk=row.pk).update(decided_at=database_now())
    page = as_anna.get(reverse("mailbox", args=[mailbox.pk]), headers={"accept-language": "pl"}).text
    assert 'height="33.3"' in page
    assert "z odpowiedzią 1, bez odpowiedzi 2" in page
    assert "z odpowiedzią: 1" in page


@pytest.mark.parametrize(
    ("page", "back", "name"),
    [
        ("mailbox_rename", "mailbox_settings", "Ustawienia skrzynki"),
        ("mailbox_settings", "mailbox", "anna@firma.example"), ("support_attention", "support", "Pomoc techniczna"),
    ],
)  # fmt: skip
def test_every_page_leads_back_to_the_one_above_it(
    as_support: Client, mailbox: Mailbox, page: str, back: str, name: str
) -> None:
    def of(view: str) -> str:
        return reverse(view, args=[mailbox.pk] if "mailbox" in view else [])

    shown = as_support.get(of(page), headers={"accept-language": "pl"}).text
    nav = re.search(r'<nav class="where" aria-label="Gdzie jesteś">\s*<a href="([^"]+)">.*?</svg>([^<]+)</a>', shown)
    assert nav is not None
    assert nav.groups() == (of(back), name)
