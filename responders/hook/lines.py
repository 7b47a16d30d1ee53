"""How lines of the log are written: cheaply enough for a program that writes a thousand of them a second."""

import asyncio
import contextlib
import functools
import logging
import threading
import time

# Characters that go into one write: less than what a pipe takes whole (PIPE_BUF, 4096 octets), so that lines of several
# processes are not mixed.
MAX_SHARED = 2_000
FORMAT = "{asctime} {levelname} {name} {message}"


class LineFormatter(logging.Formatter):
    """What the standard one makes of `FORMAT`; the words for a second are put together once."""

    def __init__(self) -> None:
        super().__init__(FORMAT, style="{")

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info or record.exc_text or record.stack_info:
            return super().format(record)
        return f"{self.formatTime(record)} {record.levelname} {record.name} {record.getMessage()}"

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's)
        return f"{_second(int(record.created))},{int(record.msecs):03d}"


@functools.lru_cache(maxsize=2)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


class LineHandler(logging.StreamHandler):  # type: ignore[type-arg]  # of whatever sys.stderr is
    """Writes to standard error, each line at once; after `share_writes` the lines of one turn of the loop together.

    A warning or worse never waits, nor does what another thread says; lines keep their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._lines: list[str] = []
        self._characters = 0

    def share_writes(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Of the loop that runs in this thread; None: no more."""
        self._loop, self._thread = loop, threading.get_ident()
        self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        loop = self._loop
        if loop is None or record.levelno >= logging.WARNING or threading.get_ident() != self._thread:
            self._write()
            super().emit(record)
            return
        try:
            line = self.format(record) + self.terminator
        except Exception:  # noqa: BLE001 (as every handler of the standard library)
            self.handleError(record)
            return
        if self._characters + len(line) > MAX_SHARED:
            self._write()
        self._lines.append(line)
        self._characters += len(line)
        if len(self._lines) == 1:
            loop.call_soon(self.flush)

    def flush(self) -> None:
        self.acquire()
        try:
            self._write()
            super().flush()
        finally:
            self.release()

    def _write(self) -> None:
        """What waits. A log that cannot be written must not hurt anybody's mail."""
        if self._lines:
            with contextlib.suppress(OSError, ValueError):
                self.stream.write("".join(self._lines))
            self._lines, self._characters = [], 0


def share_writes(loop: asyncio.AbstractEventLoop | None) -> None:
    """Let lines that are logged in one turn of this loop share a write; None: no more."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LineHandler):
            handler.share_writes(loop)
