"""The administration works in a real browser under its own content security policy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox, User
from responders.models import Responder, ResponderEvent
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_administrator_makes_a_responder(
    open_panel: Callable[..., Page], mailbox: Mailbox, standing_reply: Responder, screenshots: Path
) -> None:
    User.objects.create_superuser("admin@hosting.example", PASSWORD)
    page = open_panel(1280, "pl-PL", address="admin@hosting.example")
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
