"""docs/import.md explains every reason, every option, and no other."""

import re
from argparse import _SubParsersAction
from importlib import import_module

from tests.services.imports.runs import HERE

ROOT = HERE.parents[2]
DOCUMENT = (ROOT / "docs" / "import.md").read_text()
# Hyphenated words of the code that are no reasons: kinds, names of fields, headers and encodings.
NOT_REASONS = {
    "catch-all", "header-names", "header-list", "date-part", "key-list", "match-type", "utf-8", "utf-8-sig",
    "iso8859-2",
}  # fmt: skip
NO_REASON = re.compile(r"(?:x|iso|content|auto)-")


def test_every_reason_is_explained() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "importing").glob("*.py"))
    used = {word for word in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', code) if not NO_REASON.match(word)}
    hashes = (ROOT / "mailboxes" / "foreign_hashes.py").read_text()
    used |= {f"password-{reason}" for reason in re.findall(r'NotTaken\("([a-z-]+)"', hashes)}
    tables = DOCUMENT[DOCUMENT.index("## What the report says") :]
    explained = {
        word
        for line in tables.splitlines()
        if line.startswith("| `")
        for word in re.findall(r"`([a-z-]+)`", line.split("|")[1])
    }
    assert used - NOT_REASONS - explained == set()
    assert explained - used == {"refused"}


def test_every_option_is_explained() -> None:
    command = import_module("importing.management.commands.import").Command()
    parser = command.create_parser("manage.py", "import")
    [systems] = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    options = {
        option
        for system in systems.choices.values()
        for action in system._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    common = {"--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color"}
    common |= {"--force-color", "--skip-checks"}
    assert {option for option in options - common if f"`{option}" not in DOCUMENT} == set()
    for name in systems.choices:
        assert f"import {name}" in DOCUMENT
