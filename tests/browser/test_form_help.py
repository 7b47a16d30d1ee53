"""The form's help in a real browser: quick ends, ready texts, a preview while one writes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox
from responders.models import Responder


@pytest.mark.parametrize(("width", "language"), [(360, "pl-PL"), (1280, "en-GB")])
def test_an_absence_is_set_in_a_few_clicks(
    open_panel: Callable[..., Page], mailbox: Mailbox, screenshots: Path, width: int, language: str
) -> None:
    page = open_panel(width, language)
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.fill("[name=from_date]", "2099-12-24T17:00")
    page.click("[data-end=week]")
    expect(page.locator("[name=to_date]")).to_have_value("2099-12-31T17:00")
    page.click("[data-end=monday]")
    expect(page.locator("[name=to_date]")).to_have_value("2099-12-28T08:00")
    page.fill("[name=from_date]", "2099-12-25T17:00")
    page.locator("[name=from_date]").blur()
    expect(page.locator("[name=to_date]")).to_have_value("2099-12-29T08:00")  # the length is kept
    page.click("#ready summary")
    page.locator("#ready button").first.click()
    expect(page.locator("[name=text_body]")).to_have_value("Dzień dobry,\n\ndziękuję za wiadomość. Jestem na urlopie i "
        "wracam {{ absence.return_date }}. Odpowiem po powrocie.\n\nZ poważaniem\n{{ mailbox.name }}")  # fmt: skip
    expect(page.locator("#preview .letter-text")).to_contain_text("wracam 29 grudnia 2099")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=screenshots / f"preview-{width}-{language}.png", full_page=True)
    page.click("[name=save]")
    expect(page.locator("article .state")).to_be_visible()
    assert "wracam" in Responder.objects.get().text_body


def test_what_was_typed_is_not_replaced_without_a_question(open_panel: Callable[..., Page], mailbox: Mailbox) -> None:
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.fill("[name=text_body]", "Mine.")
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.click("#ready summary")
    page.locator("#ready button").first.click()
    expect(page.locator("[name=text_body]")).to_have_value("Mine.")


def test_another_type_changes_a_text_that_nobody_touched_and_no_other(
    open_panel: Callable[..., Page], mailbox: Mailbox
) -> None:
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    expect(page.locator("[name=text_body]")).to_have_value(re.compile("Jestem na urlopie"))
    page.check("[name=type][value=standing]")
    expect(page.locator("[name=text_body]")).not_to_have_value(re.compile("Jestem na urlopie"))
    page.fill("[name=text_body]", "Mine.")
    page.check("[name=type][value=absence]")
    expect(page.locator("[name=text_body]")).to_have_value("Mine.")


def test_what_was_typed_before_a_mistake_is_not_replaced_without_a_question(
    open_panel: Callable[..., Page], mailbox: Mailbox
) -> None:
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    page.fill("[name=text_body]", "Mine.")
    page.fill("[name=subject]", "")
    page.click("[name=save]")
    expect(page.locator("#error_1_id_subject, .invalid-feedback").first).to_be_visible()
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.click("#ready summary")
    page.locator("#ready button").first.click()
    expect(page.locator("[name=text_body]")).to_have_value("Mine.")


def test_the_preview_stands_beside_the_form_where_there_is_room(
    open_panel: Callable[..., Page], mailbox: Mailbox
) -> None:
    page = open_panel(1280, "en-GB")
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    form, beside = (page.locator(name).bounding_box() for name in ("[name=text_body]", ".preview-area"))
    assert form is not None
    assert beside is not None
    assert beside["x"] > form["x"] + form["width"]
    assert beside["y"] < 400
    page.set_viewport_size({"width": 360, "height": 800})
    form, below = (page.locator(name).bounding_box() for name in ("[name=text_body]", ".preview-area"))
    assert form is not None
    assert below is not None
    assert below["y"] > form["y"] + form["height"]


def test_without_javascript_preview_and_ready_texts_are_buttons(
    open_panel: Callable[..., Page], mailbox: Mailbox
) -> None:
    page = open_panel(1280, "en-GB", javascript=False)
    page.goto(f"/mailboxes/{mailbox.pk}/responders/new/")
    expect(page.locator("#quick-ends")).to_be_hidden()
    page.click("#ready summary")
    page.locator("#ready button").first.click()
    assert "Jestem na urlopie" in page.input_value("[name=text_body]")
    page.click("[name=preview]")
    expect(page.locator("#preview .letter-text")).to_contain_text("Jestem na urlopie")
    assert not Responder.objects.exists()
