"""Who was found behind an address a moment ago: a mailbox that many write to at once is not looked up for each of them.

Only a reply is decided by it, and only the first to a sender: its claim makes sure that the rows are the same ones and
that nothing is known of the sender (`claiming.Belief`). Silence, and whatever the claim finds changed, is decided by a
look-up. What no claim looks at is who has which address: of that a reply may know what was so a second ago.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from responders.core.facts import WayBack
from responders.hook.ledger.loading import Behind, Query

SECONDS = 1.0  # for which something is known
RENEWED_AT = 0.6  # of that time: then it is looked up again after a reply, so that no later one waits for it
MAX_ADDRESSES = 200
MAX_SENDERS = 10_000
_NEVER: tuple[float, Behind | None] = (-math.inf, None)


class Known:
    """What one process knows; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: dict[tuple[str, str], tuple[float, Behind]] = {}
        self._met: set[tuple[str, str]] = set()  # addresses and senders who wrote to them
        self._renewed: set[tuple[str, str]] = set()  # what is being looked up again

    def learn(self, query: Query, behind: Sequence[Behind]) -> None:
        """Remember what a look-up found, if another sender may be answered by it."""
        now = self._clock()
        self._found.pop((query.address, query.base), None)
        self._renewed.discard((query.address, query.base))
        self._forget(now - SECONDS)
        if len(behind) == 1 and _may_answer(behind[0]):
            self._found[query.address, query.base] = now, _of_nobody(behind[0])

    def knows(self, address: str, base: str) -> bool:
        """Whether `take` would give something for a sender whom it has not met."""
        return self._clock() - self._found.get((address, base), _NEVER)[0] <= SECONDS

    def is_to_be_renewed(self, query: Query) -> bool:
        """Whether it is time to look up again what a reply was just decided by; said to one, who is to `learn`."""
        name = query.address, query.base
        age = self._clock() - self._found.get(name, _NEVER)[0]
        if not RENEWED_AT * SECONDS <= age <= SECONDS or name in self._renewed:
            return False
        self._renewed.add(name)
        return True

    def take(self, query: Query) -> Behind | None:
        """What a look-up would find for a sender of whom nothing is known; None where it must be asked. Of each sender
        once: who was met may have been answered.
        """
        met, found = (query.address, query.reverse_path_key), self._fresh(query)
        if met in self._met:
            return None
        if len(self._met) >= MAX_SENDERS:
            self._met.clear()
        self._met.add(met)
        return found

    def _forget(self, before: float) -> None:
        """The oldest, of which texts are large, as soon as they are too old or too many."""
        while self._found:
            oldest = next(iter(self._found))
            if self._found[oldest][0] >= before and len(self._found) < MAX_ADDRESSES:
                break
            del self._found[oldest]
            self._renewed.discard(oldest)

    def _fresh(self, query: Query) -> Behind | None:
        learnt_at, one = self._found.get((query.address, query.base), _NEVER)
        seconds = self._clock() - learnt_at
        if one is None or seconds > SECONDS:
            return None
        return one._replace(now=one.now + timedelta(seconds=seconds))


def _may_answer(one: Behind) -> bool:
    """Case numbers ask for the conversation."""
    responders = one.mailbox.responders
    return any(row.is_active(one.now) for row in responders) and not any(row.gives_case_numbers for row in responders)


def _of_nobody(one: Behind) -> Behind:
    """The same without what was found of the sender."""
    return one._replace(mailbox=replace(one.mailbox, colleague_domains=frozenset()), previous={}, way_back=WayBack())
