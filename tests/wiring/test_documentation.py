"""The documentation names what there is."""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from responders.core.decision import RULES
from responders.core.facts import Reason
from responders.hook.journal import Journal
from responders.hook.ledger import Ledger
from responders.hook.lmtp import Session
from responders.hook.pipeline import Pipeline
from responders.hook.relay import Relay
from tests.wiring.commands import assert_understood

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
]


def test_every_setting_stands_in_the_operators_table() -> None:
    settings = set(re.findall(r'env\.\w+\(\s*"(\w+)"', (ROOT / "webmail_panel" / "settings.py").read_text()))
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "operate.md").read_text(), re.MULTILINE))
    assert settings == table


def test_every_target_that_is_written_about_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE))
        assert named <= targets, page


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Each call of the panel's command line in a block of code: where it stands, and its words."""
    for page in PAGES:
        text = re.sub("…[^…\\n]+…", "…", re.sub(r"\\\n\s*", " ", (ROOT / page).read_text()))
        for line in re.findall(r"^    (.*?)(?: {3,}.*)?$", text, re.MULTILINE):  # a remark stands apart
            for call in re.findall(r"(?:webmail-panel|manage\.py) ((?![-.*])\w+ ?[^|<&;#]*)", line):
                if line.lstrip().startswith(("systemctl", "journalctl", "install", "adduser", "docker", "apt", "cp")):
                    continue
                yield f"{page}: {line.strip()}", shlex.split(call)


def test_every_command_that_is_written_about_is_understood() -> None:
    """Options by the real parsers; what stands for the reader's own (DIR, ID, …) is filled in."""
    found = list(command_lines())
    assert len(found) > 30
    for where, words in found:
        plain = ["1" if word == "ID" else word.strip("[]") for word in words if word != "…"]
        if "…" in words and plain[0] == "mailconfig":
            plain.append("--output=DIR")  # among the options that the page left out
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                assert_understood(["manage.py", *plain])
            except AssertionError as error:
                raise AssertionError(f"{where}: {error} {said.getvalue()}") from error


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_written_about_exist(page: str) -> None:
    """Of the repository; a * stands for several, and a page may leave the ending out of a service's name."""
    folders = (
        "bench|deploy|docs|importing|locale|mailboxes|requirements|responders|static|templates|tests|webmail_panel"
    )
    named = set(re.findall(rf"(?<![\w/@.-])((?:{folders})/[\w./*-]*\w)", (ROOT / page).read_text()))
    assert [name for name in sorted(named) if not any(ROOT.glob(name)) and not any(ROOT.glob(f"{name}*"))] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "docs/" in page])
def test_services_that_are_written_about_exist(page: str) -> None:
    units = {path.stem for path in (ROOT / "deploy" / "systemd").iterdir()}
    named = re.findall(r"\bwebmail-panel-(?!names\b)[a-z]+(?:-[a-z]+)*", (ROOT / page).read_text())
    assert set(named) <= units


def test_what_owners_are_told_to_press_is_on_the_pages() -> None:
    """In docs/users.md whatever is in bold is a word of the pages, a few words apart that only stand out."""
    catalogue = read_po(io.BytesIO((ROOT / "locale/pl/LC_MESSAGES/django.po").read_bytes()))
    words = {text for one in catalogue for text in ([one.id] if isinstance(one.id, str) else one.id)}
    known = {text.rstrip(":.…").lower() for text in words} | {"dns", "mail to", "words"}
    told = re.findall(r"\*\*([^*]+)\*\*", (ROOT / "docs" / "users.md").read_text())
    assert [text for text in told if " ".join(text.split()).rstrip(":.…").lower() not in known] == []


def test_the_makefile_lists_every_target_with_its_purpose() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^\.PHONY: ([a-z-]+)$", makefile, re.MULTILINE):
        assert re.search(rf"^{target}:.*  ## .+$", makefile, re.MULTILINE), target


def test_every_reason_stands_in_the_table_of_decisions_in_the_order_of_the_rules() -> None:
    documented = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "decisions.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(reason.value for reason in Reason)
    in_order = [rule.reason.value for rule in RULES]
    assert [reason for reason in documented if reason in in_order] == in_order


def test_the_functions_on_the_way_of_a_mail_exist() -> None:
    """In docs/flow.md, every file is there, and every `Class.function` is one of the hook's."""
    text = (ROOT / "docs" / "flow.md").read_text()
    for path in re.findall(r"`([a-z_]+/[\w/]+\.(?:py|cf))`", text):
        assert (ROOT / path).is_file(), path
    classes = {each.__name__: each for each in (Session, Pipeline, Ledger, Relay, Journal)}
    named = re.findall(r"`([A-Z]\w+)\.(\w+)`", text)
    assert {name for name, _function in named} == set(classes)
    assert [function for name, function in named if not hasattr(classes[name], function)] == []
    core = "".join(path.read_text() for path in (ROOT / "responders" / "core").glob("*.py"))
    for function in ("read_message", "decide_by_message", "decide", "render", "compose"):
        assert f"def {function}(" in core
        assert f"`{function}`" in text
