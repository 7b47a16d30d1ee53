"""Messages that wait at the same time share a commit; one that comes alone waits for nobody."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from responders.hook.ledger import batcher as batching
from responders.hook.metrics import Metrics


def sizes_of(*waves: int, deciding: int = 100) -> list[int]:
    """How many shared each commit, where items come in waves, the items of a wave one tick of the loop apart;
    `deciding` messages wait for their decision all the while.
    """
    sizes: list[int] = []
    metrics = Metrics()
    metrics.deciding = deciding

    async def commit(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        await asyncio.sleep(0.001)  # a commit takes longer than a tick
        return items

    async def run() -> None:
        batcher = batching.Batcher[int, int](commit, "claim", metrics)
        for count in waves:
            waiting = []
            for number in range(count):
                waiting.append(asyncio.ensure_future(batcher.submit(number)))
                await asyncio.sleep(0)
            assert await asyncio.gather(*waiting) == list(range(count))

    with ThreadPoolExecutor(1) as thread:  # a browser's test may have left a loop running in this one
        thread.submit(lambda: asyncio.run(asyncio.wait_for(run(), 10))).result()
    return sizes


def test_alone_it_is_committed_at_once(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(batching, "LINGER", 3_600)
    assert sizes_of(1, 1, 1) == [1, 1, 1]


def test_under_load_those_that_come_shortly_after_one_another_share() -> None:
    first = sizes_of(5)
    assert len(first) > 1
    assert sizes_of(5, 5)[len(first) :] == [5]


def test_nobody_waits_where_enough_wait_already(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(batching, "LINGER", 0.01)
    monkeypatch.setattr(batching, "ENOUGH", 2)
    assert sum(sizes_of(6, 6)) == 12
    assert max(sizes_of(6, 6)) <= 6


def test_nobody_waits_for_more_than_a_part_of_those_that_are_under_way(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(batching, "LINGER", 3_600)
    assert sum(sizes_of(9, 9, deciding=5)) == 18  # a third of five is one: there is always enough
    assert sizes_of(4, 3, 3, deciding=9)[-2:] == [3, 3]  # without waiting for an hour
