"""Support's search in a real browser, by keyboard alone."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox, User


def test_a_mailbox_is_found_and_opened_without_a_mouse(
    open_panel: Callable[..., Page], mailbox: Mailbox, support: User
) -> None:
    for local_part in ("anna.b", "anna.c"):
        Mailbox.objects.create(domain=mailbox.domain, local_part=local_part)
    page = open_panel(1280, "en-GB", address=support.email)
    page.get_by_role("banner").get_by_role("link", name="Support").press("Enter")
    box = page.locator("#id_q")
    expect(box).to_be_focused()
    page.keyboard.type("anna.")
    results = page.locator("#found a")
    expect(results).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(results.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")  # the last one
    expect(results.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("anna.b@firma.example")
