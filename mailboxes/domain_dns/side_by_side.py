"""Many questions to the outside world at once, each taken from the database just before it is asked."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import TypeVar

Clock = Callable[[], datetime]
Turn = TypeVar("Turn")
Seen = TypeVar("Seen")

THREADS = 10
OF_ONE_CUSTOMER = 3  # at once: whoever has name servers that do not answer waits for them alone
# A worker that was killed leaves what it was looking at to the next one after so long; a look takes half a minute.
LEASE = timedelta(minutes=5)


def work_off(
    take: Callable[[Sequence[Turn]], Turn | None], look: Callable[[Turn], Seen], keep: Callable[[Turn, Seen], None]
) -> None:
    """Take, look and keep until there is nothing to take and nothing under way.

    `take` is told what is under way. `look` runs in threads; the others run here, where the database is.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        underway: dict[Future[Seen], Turn] = {}
        while True:
            while len(underway) < THREADS and (turn := take(list(underway.values()))) is not None:
                underway[threads.submit(look, turn)] = turn
            if not underway:
                return
            for ready in wait(underway, return_when=FIRST_COMPLETED).done:
                keep(underway.pop(ready), ready.result())


def busy_customers(customers: Sequence[int | None]) -> list[int]:
    """Those that have as many under way as one may have. Pure."""
    return [one for one in set(customers) if one is not None and customers.count(one) >= OF_ONE_CUSTOMER]
