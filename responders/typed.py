"""What a form sent, as one text to keep; QueryDict reads it again."""

import re
from collections.abc import Collection

from django.http import QueryDict

from responders.validation import MAX_CHARACTERS_TOGETHER

# Of all that was typed: the longest texts, each line end of which a browser sends as two characters, and the rest.
MAX_CHARACTERS = 2 * MAX_CHARACTERS_TOGETHER + 50_000
# Letters stand as they are: percent-encoded, one in Cyrillic has six characters, and an emoji twelve.
_HAS_A_MEANING = re.compile(r"[%&=+;\x00-\x1f\x7f]")


def as_text(sent: QueryDict, *, but: Collection[str]) -> str | None:
    """All fields except some; None where it is more than a form holds."""
    fields = [(name, value) for name, values in sent.lists() if name not in but for value in values]
    if sum(len(name) + len(value) for name, value in fields) > MAX_CHARACTERS:
        return None
    return "&".join(f"{_kept(name)}={_kept(value)}" for name, value in fields)


def _kept(text: str) -> str:
    encoded = _HAS_A_MEANING.sub(lambda found: f"%{ord(found[0]):02X}", text)
    return encoded.replace(" ", "+")
