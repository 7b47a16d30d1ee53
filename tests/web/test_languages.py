"""Every text stands in Polish and English."""

import io
import re
from pathlib import Path

import django
import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command

CATALOGUE = Path(settings.BASE_DIR, "locale/pl/LC_MESSAGES/django.po")


def test_the_polish_catalogue_has_every_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of the code as they are now, collected as `make messages` does, all stand in the catalogue."""
    (tmp_path / "locale").mkdir()
    for name in ("mailboxes", "responders", "templates", "webmail_panel"):
        (tmp_path / name).symlink_to(settings.BASE_DIR / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "LOCALE_PATHS", [tmp_path / "locale"])
    call_command("makemessages", locale=["pl"], symlinks=True, stdout=io.StringIO(), verbosity=0)
    collected = read_po(io.BytesIO((tmp_path / "locale/pl/LC_MESSAGES/django.po").read_bytes()))
    known = read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="pl")
    keys = {(message.id, message.context) for message in known if message.id and message.string}
    assert [message.id for message in collected if message.id and (message.id, message.context) not in keys] == []


def test_no_polish_text_is_unsure_or_breaks_its_pattern() -> None:
    for message in read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="pl"):
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        originals, forms = (
            [texts] if isinstance(texts, str) else list(texts) for texts in (message.id, message.string)
        )
        assert len(forms) == (1 if len(originals) == 1 else 3), message.id
        for form in forms:
            assert form, message.id
            assert _named(form) == _named(originals[-1]), message.id
            assert '"' not in form, f"quotation marks in Polish are „ ”: {form}"


# Not said by this administration: no list is edited in place, signing out leads to the panel.
UNSAID = {"%(count)s %(name)s was changed successfully.", "In case you’ve forgotten, you are:", "Logged out"}


@pytest.mark.parametrize("app", ["admin", "auth"])
def test_no_polish_of_django_is_left_that_bends_for_no_name(app: str) -> None:
    """As “został(a)(-ło) dodany(-na)(-ne)” does not: our catalogue says it otherwise."""
    ours = {message.id for message in read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="pl")}
    theirs = Path(django.__file__).parent / "contrib" / app / "locale/pl/LC_MESSAGES/django.po"
    bent = re.compile(r"\w\(-?\w{1,4}\)")
    for message in read_po(io.BytesIO(theirs.read_bytes()), locale="pl"):
        texts, forms = ([one] if isinstance(one, str) else list(one) for one in (message.id, message.string))
        if any(bent.search(form) for form in forms):
            assert texts[0] in ours | UNSAID, forms


def _named(text: str) -> list[str]:
    return sorted(re.findall(r"%\((\w+)\)[sd]", text))
