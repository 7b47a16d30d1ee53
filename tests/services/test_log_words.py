"""What the log keeps in English is read in the language of whoever reads it."""

import ast
import re
from pathlib import Path

import pytest
from django.utils import translation

from mailboxes import adapters, log_words
from mailboxes.models import LogLine

ROOT = Path(__file__).resolve().parent.parent.parent


def told(words: str, model: str = "mailboxes.mailbox") -> str:
    return LogLine(model=model, words=words).sentence


@pytest.mark.parametrize(
    ("model", "words", "polish"),
    [
        ("mailboxes.mailbox", "made", "utworzono"),
        ("mailboxes.mailbox", "suspended", "zawieszona"),
        ("mailboxes.user", "password changed", "zmieniono hasło"),
        ("mailboxes.user", "signed out on all other devices: 3", "wylogowano na pozostałych urządzeniach: 3"),
        ("mailboxes.mailbox", "replies_per_hour: – → 7", "najwięcej automatycznych odpowiedzi na godzinę: – → 7"),
        ("mailboxes.mailbox", "successor: jan@x.example from –", "następca: jan@x.example, od: –"),
        ("mailboxes.mailbox", "jan@x.example may not sign in", "jan@x.example nie może się zalogować"),
        ("mailboxes.alias", "targets: a@x.example → b@x.example", "cele: a@x.example → b@x.example"),
        ("mailboxes.domain", "DKIM key signs: s1", "klucz DKIM podpisuje: s1"),
        ("mailboxes.user", "a person was forgotten in 4 lines", "zapomniano o osobie; wpisów: 4"),
    ],
)
def test_it_is_read_in_polish(model: str, words: str, polish: str) -> None:
    with translation.override("pl"):
        assert told(words, model) == polish
    with translation.override("en"):
        assert "_" not in told(words, model)


def test_what_is_not_known_stays_as_it_is() -> None:
    with translation.override("pl"):
        for words in ("", "something else", "nofield: a → b", "x; y", "%(what)s", "name", "made of gold"):
            assert told(words) == words
            assert told(words, "gone.model") == words


def test_every_word_that_the_code_writes_is_known() -> None:
    """Read from the calls themselves, so that a new line cannot be forgotten."""
    written = [words for path in sorted(ROOT.glob("[mri]*/**/*.py")) for words in _written(path)]
    written += list(adapters.SIGN_IN_CHANGED.values())
    assert len(written) > 30
    with translation.override("pl"):
        assert [words for words in written if told(words) == words] == []


def _written(path: Path) -> list[str]:
    if "migrations" in path.parts or not re.search(r"\brecord\(|log\.write\(|\bwrite\(", path.read_text()):
        return []
    found = []
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and len(call.args) == 3:
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            words = call.args[1]
            either = [words.body, words.orelse] if isinstance(words, ast.IfExp) else [words]
            if name in {"record", "write"}:
                found += [_example(one) for one in either if isinstance(one, ast.Constant | ast.JoinedStr)]
    return found


def _example(words: ast.Constant | ast.JoinedStr) -> str:
    """As it is written, with something in each gap."""
    if isinstance(words, ast.Constant):
        return str(words.value)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in words.values)


def test_every_form_has_its_polish() -> None:
    with translation.override("pl"):
        assert [one for one in log_words.WORDS + log_words.WITH_MORE if translation.gettext(one) == one] == []
