"""Loaded by pytest (`-p tests.room`): every test has room for deep calls, which on a virtual machine is a fifth of its
time, and the collector of garbage does not look again and again at what was there before it.

CPython keeps the frames of calls in pieces of 16 KB, and maps and unmaps a piece at each call that crosses an edge
between two. A page is made some two hundred calls deep; where a busy loop of it meets an edge, that is nearly all it
does. A frame that says it is large brings a piece in which what it calls has room, too.
"""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from _pytest import python


def _with_room(call: Callable[..., Any], *arguments: Any) -> Any:
    return call(*arguments)


# Words of eight octets: of the megabyte that is mapped for them, a quarter is left over.
_with_room.__code__ = _with_room.__code__.replace(co_stacksize=100_000)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    return _with_room(python.pytest_pyfunc_call, pyfuncitem)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
