"""From door to door: real Postfix with the SQL maps of deploy/, the hook or Pigeonhole behind it.

Both sides have one Postfix configuration, database and Dovecot, which discards the message after its rules. On our
side a responder is on, so that Postfix makes a copy for the hook; on the other it is off, and Dovecot's vacation
answers. There the letter's own way and the answering are one delivery, here they are two. So it is measured once as it
stands in an installation, and once with one delivery on either side (*answering alone*): Postfix hands the letter
itself to the hook, and its question who gets a copy is answered with nobody.

Replies go out through the same Postfix, or (`relay`) both sides hand them to another host's relay, the sink.

*Fed* is how fast, while ten connections hand over the messages, all their replies reach the sink, from the first
message to the last reply. *Drained* is how fast that goes from a full queue, as after an outage, with nothing coming
in. *Taken* is how fast Postfix takes the messages meanwhile: who answers later leaves it more of the machine.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import load, messages, sink
from bench.measure import Figures, cpu_of_tree, medians, ratio
from bench.servers import ANNA, SIEVE, Database
from bench.servers import sink as running_sink
from tests.mta.stack import Stack, until

MEASURED = ("fed", "drained", "taken", "cpu_ms")
SIDES = ("hook", "hook alone", "pigeonhole")
PATIENCE = 120.0  # seconds for the last reply
_DISCARD = "discard;\n"
_PATIENT = {"queue_run_delay": "300s", "minimal_backoff_time": "300s", "maximal_backoff_time": "300s"}
_DOVECOT = """
submission_host = 127.0.0.1:{replies}
plugin {{
  sieve_extensions = +vacation
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
        is_ours, transport, copies = side != "pigeonhole", f"dovecot:unix:{self.stack.folder}/sockets/lmtp", "copies"
        if side == "hook alone":
            transport, copies = f"autoreply:inet:127.0.0.1:{self.stack.hook_port}", "nobody"
        self.stack.set_postfix(
            virtual_transport=transport, recipient_bcc_maps=f"proxy:pgsql:{self.stack.config}/pgsql-{copies}.cf"
        )
        self.stack.reload_postfix()
        self.postgres.run(f"UPDATE responders_responder SET is_enabled = {is_ours}")
        self._script.write_text(_DISCARD if is_ours else SIEVE)
        subprocess.run(["sievec", "-c", self.stack.dovecot_conf, self._script], check=True)
        for memory in self.stack.folder.glob("mail/**/.dovecot.lda-dupes"):
            memory.unlink()

    def measured(self, count: int) -> Figures:
        """Replies a second until the last of them is at the sink, and messages a second that Postfix takes."""
        used, before = self._cpu(), sink.counted(self.sink_port)[0]
        began = time.perf_counter()
        run = self._feed(count)
        self._wait_for(before + count)
        seconds = time.perf_counter() - began
        return {
            "fed": count / seconds, "taken": count / run.seconds, "cpu_ms": (self._cpu() - used) * 1000 / count,
            "drained": count / self._seconds_to_drain(count),
        }  # fmt: skip

    def _seconds_to_drain(self, count: int) -> float:
        """From a queue with so many letters, until the last reply is at the sink."""
        self.stack.set_postfix(defer_transports="dovecot autoreply", **_PATIENT)
        self.stack.reload_postfix()
        before = sink.counted(self.sink_port)[0]
        self._feed(count)
        until(lambda: self._deferred() == count, "a full queue", PATIENCE)
        self.stack.set_postfix(defer_transports="")
        self.stack.reload_postfix()
        began = time.perf_counter()
        self.stack.flush()
        self._wait_for(before + count)
        return time.perf_counter() - began

    def _deferred(self) -> int:
        return sum(len(files) for _folder, _folders, files in os.walk(self.stack.folder / "queue" / "deferred"))

    def _feed(self, count: int) -> load.Run:
        return load.send(self.stack.smtp_port, 10, self._letters(count), smtp=True)

    def _letters(self, count: int) -> list[messages.Letter]:
        self._round += 1
        return [one.to(ANNA) for one in messages.letters(f"z{self._round}r", count)]

    def _wait_for(self, replies: int) -> None:
        until = time.monotonic() + PATIENCE
        while (found := sink.counted(self.sink_port)[0]) < replies:
            if time.monotonic() > until:
                raise SystemExit(f"behind Postfix: {found} replies instead of {replies}")
            time.sleep(0.01)

    def _cpu(self) -> float:
        return cpu_of_tree(self.postgres.pid) + sum(map(cpu_of_tree, self.stack.pids))


def through_postfix(postgres: Database, rounds: int, count: int, *, has_relay: bool = False) -> dict[str, object]:
    """The medians of all sides, and of their ratios. `has_relay`: replies go to the sink without Postfix."""
    found: dict[str, list[Figures]] = {side: [] for side in SIDES}
    with _servers(postgres, has_relay=has_relay) as behind:
        for number in range(-1, rounds):
            for side in SIDES if number % 2 else reversed(SIDES):
                behind.use(side)
                figures = behind.measured(count)
                if number >= 0:
                    found[side].append(figures)
    theirs = found["pigeonhole"]
    ratios = {side: {name: ratio(found[side], theirs, name) for name in MEASURED} for side in SIDES[:2]}
    case = "through Postfix, relay elsewhere" if has_relay else "through Postfix"
    return {"case": case, "ratios": ratios, "rounds": found} | {side: medians(found[side]) for side in SIDES}


@contextmanager
def _servers(postgres: Database, *, has_relay: bool = False) -> Iterator[_Behind]:
    folder = Path(tempfile.mkdtemp(prefix="bench-mail-"))
    folder.chmod(0o755)
    try:
        with running_sink() as sink_port:
            os.environ.update(DNS_SERVER=f"127.0.0.1:{sink_port}", CHECK_SENDER_DOMAINS="1")
            stack = Stack(folder, postgres.url, role="bench_mail")
            stack.sink = _Elsewhere(sink_port)
            script = folder / "sieve" / "before.sieve"
            script.parent.mkdir()
            stack.dovecot_also = _DOVECOT.format(replies=sink_port if has_relay else stack.reply_port, script=script)
            script.write_text(_DISCARD)
            try:
                stack.start()
                copies = (stack.config / "pgsql-copies.cf").read_text()
                (stack.config / "pgsql-nobody.cf").write_text(copies.replace("%u@%d", "%u@%d.nobody"))
                with ExitStack() as also:
                    if has_relay:
                        stack.stop_hook()
                        also.enter_context(stack.hook_with(RELAY_URL=f"smtp://127.0.0.1:{sink_port}"))
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
