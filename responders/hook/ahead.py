"""What is looked up while the content of a message is still on its way, so that the decision need not wait for it.

Postfix sends the content when it has heard that it may: long enough for the database to say who is behind the address.
Only in quiet times. Under load a list's message must not cost a query, and the others share theirs.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from responders.hook.ledger.loading import Behind, Query

# Seconds. It is quiet where nobody came for so long; a machine that answers a thousand a second never is.
QUIET = 0.004
# What was looked up longer ago than this is looked up again: a decision is right to the second, and more.
FRESH = 0.05

Found = asyncio.Future[list[Behind]]
Load = Callable[[Query], Found]


class Ahead:
    """What was looked up for an envelope. The queries do not name the copy: its queue id is in the content."""

    def __init__(self, found: Mapping[Query, Found], clock: Callable[[], float], until: float) -> None:
        self._found = found
        self._clock, self._until = clock, until

    async def behind(self, query: Query) -> list[Behind] | None:
        """What `load` would answer to the query; None where it must be asked. Raises what the look-up raised.

        Who was answered before is looked up again: whether it was this very copy only its queue id tells.
        """
        looked_up = self._found.get(query._replace(queue_id=""))
        if looked_up is None or self._clock() > self._until:
            return None
        behind = await looked_up
        return None if any(one.previous for one in behind) else behind


NOTHING = Ahead({}, lambda: 0.0, 0.0)


class LookingAhead:
    """Looks up in quiet times alone."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._clock = asyncio.get_running_loop().time
        self._came_at = 0.0

    def is_quiet(self) -> bool:
        """Whether nobody came for a while. To be asked once for each message that comes."""
        now, before = self._clock(), self._came_at
        self._came_at = now
        return now - before >= QUIET

    def begin(self, queries: Iterable[Query]) -> Ahead:
        """Ask for them all; nobody needs to wait for the answers."""
        found = {query: self._load(query) for query in queries}
        for one in found.values():
            one.add_done_callback(_heard)
        return Ahead(found, self._clock, self._clock() + FRESH)


def _heard(found: Found) -> None:
    """Where nobody waits for it, its trouble is nobody's."""
    if not found.cancelled():
        found.exception()
