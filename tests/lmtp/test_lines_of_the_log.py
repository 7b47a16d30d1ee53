"""Lines of the log share writes, and none is lost, mixed up or late."""

import asyncio
import io
import logging
import sys
import threading

import pytest

from responders.hook.lines import FORMAT, MAX_SHARED, LineFormatter, LineHandler


class Stream(io.StringIO):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


class Full(Stream):
    def write(self, text: str) -> int:
        raise OSError("no space left on device")


def logger_to(stream: Stream) -> tuple[logging.Logger, LineHandler]:
    logger, handler = logging.Logger("a.log"), LineHandler()  # noqa: LOG001 (one of its own for each test)
    handler.setStream(stream)
    handler.setFormatter(logging.Formatter("{message}", style="{"))
    logger.addHandler(handler)
    return logger, handler


def test_lines_of_a_turn_share_a_write() -> None:
    logger, handler = logger_to(stream := Stream())

    async def work() -> None:
        handler.share_writes(asyncio.get_running_loop())
        for turn in range(2):
            for line in range(3):
                logger.info("%s %s", turn, line)
            await asyncio.sleep(0)
        logger.info("last")
        handler.share_writes(None)
        logger.info("after")

    asyncio.run(work())
    assert stream.writes == ["0 0\n0 1\n0 2\n", "1 0\n1 1\n1 2\n", "last\n", "after\n"]


def test_without_a_loop_each_is_written_at_once() -> None:
    logger, _handler = logger_to(stream := Stream())
    logger.info("one")
    assert stream.writes == ["one\n"]


def test_a_warning_and_another_thread_wait_for_nobody() -> None:
    logger, handler = logger_to(stream := Stream())

    async def work() -> None:
        handler.share_writes(asyncio.get_running_loop())
        logger.info("one")
        logger.warning("two")
        assert stream.getvalue() == "one\ntwo\n"
        logger.info("three")
        other = threading.Thread(target=logger.info, args=("four",))
        other.start()
        other.join()
        assert stream.getvalue() == "one\ntwo\nthree\nfour\n"

    asyncio.run(work())


def test_no_write_is_more_than_a_pipe_takes_whole() -> None:
    logger, handler = logger_to(stream := Stream())
    lines = [f"{number:03} {'ż' * (number % 300)}" for number in range(600)]

    async def work() -> None:
        handler.share_writes(asyncio.get_running_loop())
        for line in lines:
            logger.info(line)
        await asyncio.sleep(0)

    asyncio.run(work())
    assert stream.getvalue().splitlines() == lines
    assert max(len(text.encode()) for text in stream.writes) <= 2 * MAX_SHARED < 4096
    assert len(stream.writes) < len(lines) / 5


def test_a_log_that_cannot_be_written_hurts_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    logger, handler = logger_to(Full())

    async def work() -> None:
        handler.share_writes(asyncio.get_running_loop())
        logger.info("one")
        logger.warning("two")
        logger.info("%s %s", "too few")  # noqa: PLE1206 (what is tried here)
        logger.info("three")
        handler.share_writes(None)

    asyncio.run(work())
    assert "no space left" in capsys.readouterr().err


def test_a_line_reads_as_the_standard_library_writes_it() -> None:
    own, standard = LineFormatter(), logging.Formatter(FORMAT, style="{")
    for created in (0.0, 1_800_000_000.0129, 1_800_000_000.999, 1_774_745_999.5, 1_774_746_000.0):
        record = logging.LogRecord("a.log", logging.INFO, "", 0, "word %s", ("ż",), None)
        record.created, record.msecs = created, (created - int(created)) * 1000
        assert own.format(record) == standard.format(record)


def test_a_bug_stands_under_its_line() -> None:
    try:
        int("a bug")
    except ValueError:
        record = logging.LogRecord("a.log", logging.ERROR, "", 0, "word", None, sys.exc_info())
    assert LineFormatter().format(record) == logging.Formatter(FORMAT, style="{").format(record)
    assert "ValueError: invalid" in LineFormatter().format(record)
