"""From door to door: real Postfix with the SQL maps of deploy/, the hook or Pigeonhole behind it.

Both sides have one Postfix configuration, database and Dovecot, which discards the message after its rules. On our
side a responder is on, so that Postfix makes a copy for the hook; on the other it is off, and Dovecot's vacation
answers. *Fed* is how fast Postfix takes the messages, *drained* how fast all their replies reach the sink.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import load, messages, sink
from bench.measure import Figures, cpu_of_tree, medians, ratio
from bench.servers import ANNA, SIEVE, Database
from bench.servers import sink as running_sink
from tests.mta.stack import Stack

PATIENCE = 120.0  # seconds for the last reply
_DISCARD = "discard;\n"
_DOVECOT = """
submission_host = 127.0.0.1:{replies}
plugin {{
  sieve_extensions =
  sieve_before = {script}
  sieve_user_email = anna@bench.example
}}
"""


class _Behind:
    """The servers, and which side answers."""

    def __init__(self, stack: Stack, postgres: Database, sink_port: int, script: Path) -> None:
        self.stack, self.postgres, self.sink_port, self._script = stack, postgres, sink_port, script
        self._round = 0

    def use(self, side: str) -> None:
        is_ours = side == "hook"
        self.postgres.run(f"UPDATE responders_responder SET is_enabled = {is_ours}")
        self._script.write_text(_DISCARD if is_ours else SIEVE)
        config = self.stack.folder / "dovecot" / "dovecot.conf"
        subprocess.run(["sievec", "-c", config, self._script], check=True)
        for memory in self.stack.folder.glob("mail/**/.dovecot.lda-dupes"):
            memory.unlink()

    def fed(self, count: int) -> Figures:
        """Messages a second that Postfix takes while they are being answered; then waits for the replies."""
        began, before = self._cpu(), sink.counted(self.sink_port)[0]
        run = load.send(self.stack.smtp_port, 10, self._letters(count), smtp=True)
        self._wait_for(before + count)
        return {"fed": count / run.seconds, "cpu_ms": (self._cpu() - began) * 1000 / count}

    def drained(self, count: int) -> float:
        """Replies a second, of messages that all wait in Postfix's queue when it is let go; from the first one on."""
        before = sink.counted(self.sink_port)[0]
        # in_flow_delay: else Postfix is slow to take what it cannot send on.
        with self.stack.postfix_with(defer_transports="dovecot, autoreply", in_flow_delay="0"):
            load.send(self.stack.smtp_port, 10, self._letters(count), smtp=True)
        self.stack.flush()
        first = self._wait_for(before + 1)
        began = time.perf_counter()
        self._wait_for(before + count)
        return (before + count - first) / (time.perf_counter() - began)

    def _letters(self, count: int) -> list[messages.Letter]:
        self._round += 1
        return [one.to(ANNA) for one in messages.letters(f"z{self._round}r", count)]

    def _wait_for(self, replies: int) -> int:
        """How many there are as soon as there are so many."""
        until = time.monotonic() + PATIENCE
        while (found := sink.counted(self.sink_port)[0]) < replies:
            if time.monotonic() > until:
                raise SystemExit(f"behind Postfix: {found} replies instead of {replies}")
            time.sleep(0.01)
        return found

    def _cpu(self) -> float:
        return cpu_of_tree(self.postgres.pid) + sum(map(cpu_of_tree, self.stack.pids))


def through_postfix(postgres: Database, rounds: int, count: int) -> dict[str, object]:
    """The medians of both sides, and of their ratios."""
    fed: dict[str, list[Figures]] = {"hook": [], "pigeonhole": []}
    drained: dict[str, list[Figures]] = {"hook": [], "pigeonhole": []}
    with _servers(postgres) as behind:
        for number in range(-1, rounds):
            for side in ("hook", "pigeonhole") if number % 2 else ("pigeonhole", "hook"):
                behind.use(side)
                found = behind.fed(count)
                with behind.stack.postfix_with(
                    in_flow_delay="0"
                ):  # else Postfix is slow to take what it cannot send on
                    behind.fed(20)
                    rate = behind.drained(count)
                if number >= 0:
                    fed[side].append(found)
                    drained[side].append({"drained": rate})
    return {
        "case": "through Postfix", "hook": medians(fed["hook"]) | medians(drained["hook"]),
        "pigeonhole": medians(fed["pigeonhole"]) | medians(drained["pigeonhole"]),
        "fed": ratio(fed["hook"], fed["pigeonhole"], "fed"),
        "drained": ratio(drained["hook"], drained["pigeonhole"], "drained"),
        "cpu": ratio(fed["hook"], fed["pigeonhole"], "cpu_ms"), "rounds": {"fed": fed, "drained": drained},
    }  # fmt: skip


@contextmanager
def _servers(postgres: Database) -> Iterator[_Behind]:
    folder = Path(tempfile.mkdtemp(prefix="bench-mail-"))
    folder.chmod(0o755)
    try:
        with running_sink() as sink_port:
            os.environ.update(DNS_SERVER=f"127.0.0.1:{sink_port}", CHECK_SENDER_DOMAINS="1")
            stack = Stack(folder, postgres.url, role="bench_mail")
            stack.sink = _Elsewhere(sink_port)
            script = folder / "sieve" / "before.sieve"
            script.parent.mkdir()
            stack.dovecot_also = _DOVECOT.format(replies=stack.reply_port, script=script)
            script.write_text(_DISCARD)
            try:
                stack.start()
                yield _Behind(stack, postgres, sink_port, script)
            finally:
                stack.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Elsewhere:
    """The sink runs already, as a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def start(self) -> None: ...

    def stop(self) -> None: ...
