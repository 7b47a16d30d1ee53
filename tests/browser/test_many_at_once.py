"""Many mailboxes changed at once, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from mailboxes.models import Mailbox, User
from responders import tasks
from responders.many import batches
from responders.models import Batch, Responder
from tests.browser.axe import violations
from tests.small_steps import in_steps_of


@pytest.mark.parametrize(("width", "language"), [(390, "pl-PL"), (1280, "en-GB")])
def test_an_office_closes_in_a_minute(
    open_panel: Callable[..., Page], mailbox: Mailbox, support: User, screenshots: Path, width: int, language: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    handed: list[int] = []
    monkeypatch.setattr(tasks.run_batch, "delay", handed.append)
    in_steps_of(2, monkeypatch)
    for number in range(5):
        Mailbox.objects.create(domain=mailbox.domain, local_part=f"biuro{number}", name=f"Biuro {number}")
    page = open_panel(width, language, address=support.email)
    page.goto("/support/domains/firma.example/")
    page.locator("main .actions a[href*='/many/new/set/']").click()
    expect(page.locator("[name=where]")).to_have_value("firma.example")
    fill(page, from_date="2098-12-24T17:00", to_date="2099-01-02T08:00", subject="Biuro nieczynne")
    fill(page, text_body="Wracamy {{ absence.return_date }}.", reason="Telefon od prezesa")
    page.screenshot(path=screenshots / f"many-form-{width}.png", full_page=True)
    page.locator("input[name=save]").click()
    expect(page.locator("#batch .found li")).to_have_count(6)
    page.screenshot(path=screenshots / f"many-preview-{width}.png", full_page=True)
    page.locator("button[value=start]").click()
    expect(page.locator("progress")).to_have_attribute("value", "0")
    [pk] = handed
    assert batches._a_few(pk, Batch.objects.get().created_at)
    expect(page.locator("progress")).to_have_attribute("value", "2")  # by itself
    page.screenshot(path=screenshots / f"many-progress-{width}.png", full_page=True)
    page.reload()
    expect(page.locator("progress")).to_have_attribute("value", "2")
    tasks.run_batch(pk)
    expect(page.locator("progress")).to_have_count(0)
    assert Responder.objects.count() == 6
    page.screenshot(path=screenshots / f"many-done-{width}.png", full_page=True)
    page.locator("button[value=take-back]").click()
    tasks.run_batch(pk)
    expect(page.locator("progress")).to_have_count(0)
    assert not Responder.objects.exists()


def fill(page: Page, **values: Any) -> None:
    for name, value in values.items():
        page.fill(f"[name={name}]", value)


FILE = """address,name,targets
nowa@firma.example,Nowa Osoba,
biuro@firma.example,,nowa@firma.example
x@nie.example,,
"""


@pytest.mark.parametrize(("width", "language"), [(360, "pl-PL"), (1280, "en-GB")])
def test_new_mailboxes_come_from_a_file_and_their_passwords_are_fetched_once(
    open_panel: Callable[..., Page], mailbox: Mailbox, support: User, screenshots: Path, width: int, language: str,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    handed: list[int] = []
    monkeypatch.setattr(tasks.run_batch, "delay", handed.append)
    file = tmp_path / "nowi.csv"
    file.write_text(FILE)
    page = open_panel(width, language, address=support.email)
    page.goto("/domains/import/")
    page.locator("a[href='/many/new/make/']").click()
    page.set_input_files("[name=file]", file)
    page.screenshot(path=screenshots / f"many-make-form-{width}.png", full_page=True)
    assert violations(page) == []
    page.locator("input[name=save]").click()
    expect(page.locator("#batch .found li")).to_have_count(3)
    page.screenshot(path=screenshots / f"many-make-preview-{width}.png", full_page=True)
    assert violations(page) == []
    page.locator("button[value=start]").click()
    expect(page.locator("progress")).to_have_attribute("value", "1")  # what cannot be made is ready
    [pk] = handed
    tasks.run_batch(pk)
    expect(page.locator("progress")).to_have_count(0)
    page.screenshot(path=screenshots / f"many-make-done-{width}.png", full_page=True)
    assert violations(page) == []
    with page.expect_download() as fetched:
        page.locator("a[href$='passwords.csv']").click()
    assert "nowa@firma.example" in Path(fetched.value.path()).read_text(encoding="utf-8-sig")
    page.locator("button[value=forget]").click()
    expect(page.locator("a[href$='passwords.csv']")).to_have_count(0)
