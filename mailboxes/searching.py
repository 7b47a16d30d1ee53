"""Whether an index of parts of words (pg_trgm) finds what was typed: it knows every three letters that stand together.

Where it does not, words are looked for at the beginning of addresses, which another index holds in order.
"""

import re
from collections.abc import Callable, Collection

PART = re.compile(r"[^\W_]{3,}")
SAMPLE = 1_000  # rows: enough to tell
COMMON = 0.1


def finds(words: str, sample: Callable[[], Collection[str]]) -> bool:
    """Whether the index soon finds the words, in lower case, among texts of which a sample is at hand.

    It does not, where they have no part that it knows; nor where each part stands nearly everywhere and together they
    stand nowhere (“e.example.com.e”): it would give every row there is, to be looked at one by one.
    """
    known = PART.findall(words)
    if not known or known == [words]:
        return bool(known)
    texts = sample()
    near = sum(words not in text and all(part in text for part in known) for text in texts)
    return near <= COMMON * len(texts)
