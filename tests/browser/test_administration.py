"""The administration works in a real browser under its own content security policy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.log import By, record
from mailboxes.models import Mailbox, User
from responders.models import Responder, ResponderEvent
from tests.conftest import PASSWORD


def test_an_administrator_makes_a_responder(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder, screenshots: Path
) -> None:
    User.objects.create_superuser("admin@hosting.example", PASSWORD)
    page = open_panel(1280, "pl-PL", address="admin@hosting.example", lands_on="/support/")
    page.get_by_role("link", name="Administracja").click()
    page.screenshot(path=screenshots / "administration.png")
    page.goto("/admin/responders/responder/?q=anna")
    expect(page.locator("#result_list")).to_contain_text("Auto: {{ subject }}")
    page.screenshot(path=screenshots / "administration-list.png")
    page.goto("/admin/responders/responder/add/")
    page.locator(".select2-selection").first.click()
    page.locator(".select2-search__field").fill("anna")
    page.locator(".select2-results__option", has_text="anna@firma.example").click()
    page.fill("[name=from_date]", "2099-07-01T08:00")
    page.fill("[name=subject]", "Urlop")
    page.fill("[name=text_body]", "Nie ma mnie.")
    page.screenshot(path=screenshots / "administration-form.png", full_page=True)
    page.locator("[name=_save]").click()
    page.wait_for_url("**/admin/responders/responder/")
    assert ResponderEvent.objects.get().responder == Responder.objects.get(subject="Urlop")


@pytest.mark.parametrize("language", ["en-GB", "pl-PL"])
def test_the_log_is_read_without_scrolling_sideways(
    open_panel: Callable[..., Page], mailbox: Mailbox, screenshots: Path, language: str
) -> None:
    boss = User.objects.create_superuser("administrator-of-everything@hosting.example", PASSWORD)
    words = f"name: {'Anna Nowak, księgowość i kadry, ' * 4}→ {'Anna Kowalska, zastępstwo, ' * 6}"
    for changed in (words, "replies_per_hour: – → 7", "made"):
        record(mailbox, changed, By(boss, place="2001:db8:1234:5678:9abc:def0:1234:5678", way="administration"))
    page = open_panel(1280, language, address=boss.email, lands_on="/support/")
    page.goto("/admin/mailboxes/logline/")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=screenshots / f"administration-log-{language}.png")
    right = page.locator("#result_list").evaluate("one => one.getBoundingClientRect().right")
    assert right <= page.evaluate("document.documentElement.clientWidth")


def test_no_page_of_the_administration_breaks_its_policy(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder
) -> None:
    User.objects.create_superuser("admin@hosting.example", PASSWORD)
    page = open_panel(1280, "en-GB", address="admin@hosting.example", lands_on="/support/")
    owner, reply = mailbox.owner_id, standing_reply.pk
    paths = [f"mailboxes/{name}/" for name in ("user", "customer", "domain", "mailbox", "alias", "aliastarget")]
    paths += [f"responders/{name}/" for name in ("responder", "decision", "previousresponse", "responderevent")]
    paths += [f"mailboxes/user/{owner}/change/", f"mailboxes/user/{owner}/password/", "mailboxes/alias/add/"]
    paths += [f"responders/responder/{reply}/change/", f"responders/responder/{reply}/delete/", "password_change/"]
    for path in paths:
        answer = page.goto(f"/admin/{path}")
        assert answer is not None
        assert answer.status == 200, path
        page.wait_for_load_state("networkidle")
