"""Whatever waits for a step at a moment shares one statement and one commit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from responders.hook.connection import Outage
from responders.hook.metrics import Metrics

MAX_BATCH = 500
# Under load, what comes within this time shares a commit; a message that comes alone waits for nobody. Seconds.
LINGER = 0.001
# More is not waited for once so many are there, or one in PART of the messages that wait for their decision: were it
# nearly all of them, nobody would be left to work while the database does.
ENOUGH = 8
PART = 3

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Hands everything that waits to one call of `commit`, which answers in the same order.

    A batch that fails for what is in it is tried again one by one, so that one poisoned item harms nobody else.

    To be made while the loop runs that it is used in: to ask which one runs costs a system call each time.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], step: str, metrics: Metrics
    ) -> None:
        self._commit = commit
        self._loop = asyncio.get_running_loop()
        self._step = step
        self._metrics = metrics
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None
        self._latest = 0  # how many shared the latest commit
        self._enough: asyncio.Future[None] | None = None  # that so many wait, while the worker waits for them

    def submit(self, item: Item) -> "asyncio.Future[Result]":
        """The item's result to come, or what `commit` raised for it. Its statement is on its way one turn of the loop
        later.
        """
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = self._loop.create_task(self._work())
        elif self._is_enough:
            _go_on(self._enough)
        return future

    @property
    def is_alone(self) -> bool:
        """Whether nobody else is at work who could share a commit with what comes now."""
        return self._metrics.deciding <= 1 and not self._waiting and (self._worker is None or self._worker.done())

    async def settle(self, item: Item) -> Result:
        """What `submit` gives. Alone, as in quiet times, it goes at once, without a worker between it and who waits."""
        if not self.is_alone:
            return await self.submit(item)
        self._latest = 1
        [result] = await self._committed([item])
        return result

    def stop(self) -> None:
        """Give up what still waits."""
        if self._worker is not None:
            self._worker.cancel()

    @property
    def _is_enough(self) -> bool:
        """Whether there is nothing to be gained by waiting for more."""
        return len(self._waiting) >= min(ENOUGH, self._metrics.deciding // PART)

    async def _work(self) -> None:
        while self._waiting:
            if self._latest > 1 and not self._is_enough:
                await self._linger()
            self._latest = len(self._waiting)
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            await self._settle(batch)

    async def _committed(self, items: Sequence[Item]) -> Sequence[Result]:
        with self._metrics.shared(self._step, len(items)):
            return await self._commit(items)

    async def _linger(self) -> None:
        self._enough = self._loop.create_future()
        timer = self._loop.call_later(LINGER, _go_on, self._enough)
        await self._enough
        timer.cancel()

    async def _settle(self, batch: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._committed([item for item, _future in batch])
        except Exception as error:  # noqa: BLE001 (every one that waits must hear of it)
            if len(batch) == 1 or isinstance(error, Outage):
                for _item, future in batch:
                    _fail(future, error)
                return
            for single in batch:
                await self._settle([single])
            return
        for (_item, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _go_on(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
