"""The folded parts of the form in a real browser: texts for others, conditions, a deputy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Alias, Mailbox
from responders.models import Responder


@pytest.mark.parametrize(("width", "language", "dark"), [(360, "pl-PL", False), (1280, "en-GB", True)])
def test_everything_about_a_responder_is_filled_in(
    open_panel: Callable[..., Page], mailbox: Mailbox, add_alias: Callable[..., Alias], screenshots: Path, width: int,
    language: str, dark: bool,
) -> None:  # fmt: skip
    colleague = Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", name="Ewa Lis")
    add_alias("kontakt", mailbox)
    add_alias("zespol", mailbox, colleague)
    page = open_panel(width, language, dark=dark)
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    for summary in page.locator("form details > summary:visible").all():
        if not summary.evaluate("element => element.parentElement.open"):
            summary.click()
    page.fill("[name=text_body]", "Wracam w styczniu.")
    page.select_option("[name=texts-0-language]", "en")
    page.fill("[name=texts-0-subject]", "Away: {{ subject }}")
    page.fill("[name=texts-0-text_body]", "I am back in January.")
    page.check("[name=addresses][value='kontakt@firma.example']")
    page.fill("[name=words]", "reklamacja, zwrot")
    page.check("[name=word_forms]")
    page.fill("[name=deputy_address]", "ewa@firma.example")
    page.check("[name=deputy_gets_copy]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=screenshots / f"everything-{width}-{language}.png", full_page=True)
    page.click("[name=save]")
    expect(page.locator("article .limits li")).to_have_count(4)
    row = Responder.objects.get()
    assert (row.texts[0]["subject"], row.deputy_gets_copy, row.word_forms) == ("Away: {{ subject }}", True, True)
    switch = page.get_by_role("switch", name="zespol@firma.example")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    page.screenshot(path=screenshots / f"limits-{width}-{language}.png", full_page=True)
