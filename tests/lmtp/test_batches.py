"""Messages that wait at the same time share a commit; one that comes alone waits for nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

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

    async def work() -> None:
        batcher = batching.Batcher[int, int](commit, "claim", metrics)
        for count in waves:
            waiting = []
            for number in range(count):
                waiting.append(asyncio.ensure_future(batcher.submit(number)))
                await asyncio.sleep(0)
            assert await asyncio.gather(*waiting) == list(range(count))

    run(work)
    return sizes


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        await asyncio.wait_for(work(), 10)

    with ThreadPoolExecutor(1) as thread:  # a browser's test may have left a loop running in this one
        thread.submit(lambda: asyncio.run(in_time())).result()


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


def settled(deciding: int, *, submitted: int = 0) -> tuple[list[list[int]], list[str]]:
    """What shared each commit, and the tasks that did it, where one item is to be settled and so many more wait."""
    commits, tasks = list[list[int]](), list[str]()
    metrics = Metrics()
    metrics.deciding = deciding

    async def commit(items: Sequence[int]) -> Sequence[int]:
        task = asyncio.current_task()
        tasks.append("who asks" if task and task.get_name() == "who asks" else "a worker")
        commits.append(list(items))
        await asyncio.sleep(0.001)
        return [10 * item for item in items]

    async def work() -> None:
        batcher = batching.Batcher[int, int](commit, "record", metrics)
        others = [batcher.submit(number) for number in range(submitted)]
        asking = asyncio.create_task(batcher.settle(7), name="who asks")
        assert await asyncio.wait_for(asking, 5) == 70
        assert await asyncio.gather(*others) == [10 * number for number in range(submitted)]

    run(work)
    assert sum(metrics._batches["record"]._counts) == len(commits)
    return commits, tasks


def test_who_is_alone_needs_no_worker() -> None:
    assert settled(1) == ([[7]], ["who asks"])


def test_who_is_not_alone_shares_with_the_others() -> None:
    assert settled(2) == ([[7]], ["a worker"])
    commits, tasks = settled(1, submitted=2)
    assert sorted(item for items in commits for item in items) == [0, 1, 7]
    assert set(tasks) == {"a worker"}


def test_who_is_alone_hears_what_went_wrong() -> None:
    metrics = Metrics()

    async def commit(items: Sequence[int]) -> Sequence[int]:
        raise ValueError(items[0])

    async def work() -> None:
        batcher = batching.Batcher[int, int](commit, "record", metrics)
        for item in (1, 2):
            with pytest.raises(ValueError, match=str(item)):
                await batcher.settle(item)

    run(work)
    assert metrics._steps["record"].buckets()[0][-1] == ("+Inf", 2.0)
