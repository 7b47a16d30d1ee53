"""The editor of formatted texts: what senders with and without HTML read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox
from responders.models import Draft, Responder
from tests.browser.axe import violations


def start(page: Page, mailbox: Mailbox, text: str = "") -> None:
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.locator("[name=type][value=standing]").check()
    if text:
        page.fill("[name=text_body]", text)
    page.locator(".editor-choice").first.click()
    expect(area(page)).to_be_focused()


def area(page: Page):  # type: ignore[no-untyped-def]
    return page.locator(".editor-area").first


@pytest.mark.parametrize(("width", "language", "dark"), [(360, "pl-PL", True), (1280, "en-GB", False)])
def test_a_text_is_formatted_and_goes_out_in_both_forms(
    open_panel: Callable[..., Page], mailbox: Mailbox, screenshots: Path, width: int, language: str, dark: bool
) -> None:
    page = open_panel(width, language, dark=dark)
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.locator("[name=type][value=standing]").check()
    page.fill("[name=text_body]", "Dzień dobry,\n\nwracam & piszę")
    page.locator(".editor-choice").first.click()
    expect(area(page)).to_be_visible()
    area(page).press("Control+End")
    page.keyboard.press("Enter")
    page.locator(".toolbar").first.locator("button").nth(3).click()
    page.keyboard.type("po pierwsze")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+b")
    page.keyboard.type("po drugie")
    expect(page.locator(".toolbar [aria-pressed=true]")).to_have_count(2)
    expect(page.locator("#preview .letter-text")).to_contain_text("- po drugie")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.screenshot(path=screenshots / f"editor-{width}-{language}.png", full_page=True)
    page.click("[name=save]")
    expect(page.locator("article .state")).to_be_visible()
    row = Responder.objects.get()
    assert row.text_body == "Dzień dobry,\n\nwracam & piszę\n- po pierwsze\n- po drugie"
    assert row.html_body == (
        "<div>Dzień dobry,</div><div><br></div><div>wracam &amp; piszę</div>"
        "<ul><li>po pierwsze</li><li><b>po drugie</b><br></li></ul>"
    )


def test_a_stored_text_opens_in_the_editor_and_keeps_its_plain_form_until_it_is_changed(
    open_panel: Callable[..., Page], standing_reply: Responder
) -> None:
    html = '<p>Zob. <a href="https://example.com/">stronę</a></p>'
    Responder.objects.update(html_body=html, text_body="Inny tekst.")
    page = open_panel(1280, "en-GB")
    page.goto(f"/responders/{standing_reply.pk}/")
    expect(area(page).locator("a")).to_have_text("stronę")
    assert page.input_value("[name=text_body]") == "Inny tekst."
    area(page).press("Control+End")
    page.keyboard.type("!")
    assert page.input_value("[name=text_body]") == "Zob. stronę (https://example.com/)!"


def test_a_text_that_was_only_opened_begins_no_draft(
    open_panel: Callable[..., Page], standing_reply: Responder
) -> None:
    """The editor may announce what was put into it, a moment later."""
    Responder.objects.update(html_body="<p>Wracam <b>jutro</b>.</p>", text_body="Inny tekst.")
    page = open_panel(1280, "en-GB")
    page.goto(f"/responders/{standing_reply.pk}/")
    expect(area(page).locator("b")).to_have_text("jutro")
    area(page).evaluate(
        """async (area) => {
            area.append("x");
            area.lastChild.remove();
            await new Promise((done) => setTimeout(done));
        }"""
    )
    assert page.input_value("[name=text_body]") == "Inny tekst."
    page.goto(f"/mailboxes/{standing_reply.mailbox_id}/")  # with a change in the form the browser would ask
    assert not Draft.objects.exists()


def test_paragraphs_and_addresses_read_well_in_the_plain_form(
    open_panel: Callable[..., Page], standing_reply: Responder
) -> None:
    link = '<a href="mailto:biuro@firma.example">biuro@firma.example</a>'
    Responder.objects.update(html_body=f"<p>Dzień dobry,</p><p>pomoże {link}</p>", text_body="x")
    page = open_panel(1280, "en-GB")
    page.goto(f"/responders/{standing_reply.pk}/")
    expect(area(page).locator("a")).to_be_visible()
    area(page).press("Control+Home")
    page.keyboard.type("!")
    expect(page.locator("[name=text_body]")).to_have_value("!Dzień dobry,\n\npomoże biuro@firma.example")


def test_plain_text_again_asks_before_it_throws_the_formatting_away(
    open_panel: Callable[..., Page], mailbox: Mailbox
) -> None:
    page = open_panel(1280, "en-GB")
    start(page, mailbox, "Zwykły")
    area(page).press("Control+a")
    area(page).press("Control+b")
    expect(area(page).locator("b")).to_have_text("Zwykły")
    asked: list[str] = []

    def answer(dialog) -> None:  # type: ignore[no-untyped-def]
        asked.append(dialog.message)
        dialog.accept() if len(asked) > 1 else dialog.dismiss()

    page.on("dialog", answer)
    page.locator(".editor-choice").first.click()
    expect(area(page)).to_be_visible()
    page.locator(".editor-choice").first.click()
    expect(area(page)).to_be_hidden()
    assert asked == ["The formatting will be lost. Go on?"] * 2
    assert page.input_value("[name=text_body]") == "Zwykły"
    assert page.locator("[name=html_body]").first.input_value() == ""


def test_what_is_pasted_loses_what_mail_should_not_carry(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    """And breaks no policy: `open_panel` fails on any complaint of the console."""
    page = open_panel(1280, "en-GB")
    start(page, mailbox)
    area(page).evaluate(
        """(area) => {
            const data = new DataTransfer();
            data.setData("text/html", '<p style="color:red" onclick="boom()" class="x">Tu <script>boom()</scr' + 'ipt>'
                + '<img src="https://evil.example/x.png" onerror="boom()"><a href="javascript:boom()">klik</a></p>');
            data.setData("text/plain", "Tu klik");
            area.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(area(page)).to_contain_text("klik")
    html = page.locator("[name=html_body]").first.input_value()
    assert not any(word in html for word in ("style", "script", "boom", "img", "class"))


def test_a_placeholder_cut_in_two_is_an_error_that_is_seen(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    page = open_panel(1280, "en-GB")
    start(page, mailbox, "x")
    area(page).press("Control+a")
    page.keyboard.type("Hello {{ nobody }}")
    page.click("[name=save]")
    expect(
        page.locator("#div_id_text_body .invalid-feedback, #div_id_html_body .invalid-feedback").first
    ).to_be_visible()
    expect(area(page)).to_have_text("Hello {{ nobody }}")


def test_the_editor_is_left_with_the_tab_key(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    page = open_panel(1280, "en-GB")
    start(page, mailbox, "x")
    area(page).focus()
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.classList.contains('editor-area')")


def test_a_ready_text_goes_into_the_editor(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    page = open_panel(1280, "en-GB")
    start(page, mailbox)
    page.click("#ready summary")
    page.locator("#ready button").first.click()
    expect(area(page)).to_contain_text("Jestem na urlopie")
    assert "Jestem na urlopie" in page.locator("[name=html_body]").first.input_value()
