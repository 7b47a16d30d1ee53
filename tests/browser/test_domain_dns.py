"""The DNS page of a domain in a real browser: copying, waiting for a look, and all of it without JavaScript."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from mailboxes import tasks
from mailboxes.domain_dns import checking
from mailboxes.models import Customer, DomainHealth, Mailbox, User

PATH = "/domains/firma.example/dns/"


@pytest.fixture
def _boss(mailbox: Mailbox, anna: User) -> None:
    """Anna administers her company."""
    company = Customer.objects.create(name="Firma", number="1")
    company.administrators.add(anna)
    mailbox.domain.customer = company
    mailbox.domain.save()


@pytest.mark.usefixtures("_boss")
def test_a_click_copies_name_value_and_all_of_it(open_panel: Callable[..., Page]) -> None:
    page = open_panel(360, "en-GB")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(PATH)
    record = page.locator(".record", has_text="MX").first
    read = "navigator.clipboard.readText()"
    record.get_by_role("button", name="Copy the name").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate(read) == "firma.example"
    record.get_by_role("button", name="Copy the value").click()
    page.wait_for_function(f"async () => (await {read}) === '10 panel.example.'")
    page.get_by_text("All of it as lines of a zone file").click()
    page.get_by_role("button", name="Copy all of it").click()
    page.wait_for_function(f"async () => (await {read}).includes('firma.example. 3600 IN MX 10 panel.example.\\n')")
    expect(page.locator("#copied")).to_have_text("")  # after two seconds


@pytest.mark.usefixtures("_boss")
def test_without_javascript_the_text_is_there_to_be_selected(open_panel: Callable[..., Page]) -> None:
    page = open_panel(360, "en-GB", javascript=False)
    page.goto(PATH)
    expect(page.get_by_text("10 panel.example.").first).to_be_visible()
    assert page.locator(".copy:visible").count() == 0


@pytest.mark.usefixtures("_boss")
def test_the_page_shows_the_result_when_the_look_is_done(
    open_panel: Callable[..., Page], mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over: list[int] = []
    monkeypatch.setattr(tasks.check_domain, "delay", handed_over.append)
    page = open_panel(360, "en-GB")
    page.goto(PATH)
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("We are looking …")).to_be_visible()
    assert handed_over == [mailbox.domain.pk]
    checking.record(mailbox.domain, checking.unasked(mailbox.domain), timezone.now())  # the worker's part
    expect(page.get_by_text("Last looked at")).to_be_visible()
    assert DomainHealth.objects.get().silent_since is not None
