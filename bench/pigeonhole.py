"""The delivery hook beside Dovecot's LMTP with Pigeonhole's vacation: replies, repeats, list mail.

The same messages, the same load, the same sink, in turn within one run; medians of several rounds, and their ratios.
Pigeonhole discards the message after its rules, so that only answering is compared. Needs Debian's dovecot-lmtpd and
dovecot-sieve, and root (Dovecot changes users).

    python bench/pigeonhole.py [--rounds 5] [--messages 1000] [--connections 10] [--size 2048]
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hook  # beside this file; puts the project's folder on the path

from webmail_panel import embedded

DOVECOT = Path("/usr/sbin/dovecot")
RECIPIENT = "anna@bench.example"
CONFIGURATION = """
protocols = lmtp
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
ssl = no
mail_location = maildir:~/Maildir
first_valid_uid = 1
default_internal_user = dovecot
default_login_user = dovenull
postmaster_address = postmaster@bench.example
hostname = panel.example
submission_host = 127.0.0.1:{sink}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/home/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener lmtp {{
    mode = 0600
  }}
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve_before = {folder}/vacation.sieve
  sieve_user_email = anna@bench.example
}}
"""
SIEVE = """require ["vacation"];
vacation :days 7 :subject "Auto: Pytanie" text:
Dziękuję za wiadomość. Jestem poza biurem.
.
;
discard;
"""
COLUMNS = ("per_second", "cpu_ms", "p50_ms", "p99_ms")


def main() -> None:
    options = _options()
    if not DOVECOT.exists() or os.geteuid() != 0:
        print("bench/pigeonhole.py needs Debian's dovecot-lmtpd and dovecot-sieve, and root: left out")
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    postgres = embedded.start_postgres(folder / "postgres")
    try:
        os.environ.update(
            DATABASE_URL=postgres.url(), SECRET_KEY="x" * 60, DEBUG="0", MAIL_HOSTNAME="panel.example",
            LOG_LEVEL="ERROR", CHECK_SENDER_DOMAINS="0",
        )  # fmt: skip
        hook.make_a_mailbox()
        assert postgres.process is not None
        with hook.programs() as (hook_pid, port), _dovecot(folder) as (dovecot_pid, dovecot_port):
            ours = (port, hook.RECIPIENT, [hook_pid, postgres.process.pid])
            theirs = (dovecot_port, RECIPIENT, [dovecot_pid])
            memory = folder / "home" / RECIPIENT / ".dovecot.lda-dupes"
            rows = _rounds({"hook": ours, "pigeonhole": theirs}, lambda: memory.unlink(missing_ok=True), options)
    except SystemExit:
        print((folder / "dovecot.log").read_text()[-2000:], file=sys.stderr)
        raise
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    results = hook.ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "pigeonhole.json").write_text(json.dumps({"options": vars(options), "rows": rows}, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000, help="in each case and round")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--size", type=int, default=2048, help="octets of a message")
    return parser.parse_args()


def _rounds(
    servers: dict[str, tuple[int, str, list[int]]], forget: Callable[[], None], options: argparse.Namespace
) -> list[dict[str, object]]:
    measured: dict[tuple[str, str], list[dict[str, float]]] = {}
    for number in range(-1, options.rounds):  # the first is to warm up
        names = list(servers) if number % 2 else list(reversed(servers))
        for case, messages in _cases(number, options).items():
            for name in names:
                forget()  # Pigeonhole's cost grows with the senders it remembers: it begins with none each time
                if case == "repeat":  # one connection: at ten, Pigeonhole's processes forget each other's senders
                    asyncio.run(hook.send(servers[name][0], 1, messages, servers[name][1]))
                    time.sleep(1.5)
                found = _measure(*servers[name], messages, options.connections)
                if number >= 0:
                    measured.setdefault((case, name), []).append(found)
    print("case    server      per second  CPU ms  p50 ms  p99 ms")
    rows: list[dict[str, object]] = []
    for (case, name), found in measured.items():
        medians = {column: statistics.median(row[column] for row in found) for column in COLUMNS}
        rows.append({"case": case, "server": name, **medians, "rounds": found})
        print(f"{case:<8}{name:<12}{medians['per_second']:>10.0f}{medians['cpu_ms']:>8.2f}"
              f"{medians['p50_ms']:>8.1f}{medians['p99_ms']:>8.1f}")  # fmt: skip
    for case in dict.fromkeys(case for case, _name in measured):
        faster, dearer = (
            statistics.median(
                one[column] / other[column]
                for one, other in zip(measured[case, "hook"], measured[case, "pigeonhole"], strict=True)
            )
            for column in ("per_second", "cpu_ms")
        )
        rows.append({"case": case, "rate": faster, "cpu": dearer})
        print(f"{case:<8}hook / pigeonhole: {faster:.2f} × the rate, {dearer:.2f} × the CPU")
    return rows


def _cases(number: int, options: argparse.Namespace) -> dict[str, list[tuple[str, bytes]]]:
    kind = f"new{'abcdefghijklmnop'[number + 1]}"
    made = [hook.content(kind, each, options.size) for each in range(options.messages)]
    again = [hook.content(f"a{kind}", each, options.size) for each in range(options.messages)]
    lists = [
        hook.content("list", each, options.size, "List-Id: <news.example>\r\n") for each in range(options.messages)
    ]
    return {"reply": made, "repeat": again, "list": lists}


def _measure(
    port: int, recipient: str, pids: list[int], messages: list[tuple[str, bytes]], connections: int
) -> dict[str, float]:
    before, started = sum(map(cpu_of_tree, pids)), time.perf_counter()
    took = asyncio.run(hook.send(port, connections, messages, recipient))
    seconds = time.perf_counter() - started
    return {
        "per_second": len(messages) / seconds,
        "cpu_ms": (sum(map(cpu_of_tree, pids)) - before) * 1000 / len(messages),
        "p50_ms": statistics.median(took) * 1000,
        "p99_ms": statistics.quantiles(took, n=100)[98] * 1000,
    }


@contextmanager
def _dovecot(folder: Path) -> Iterator[tuple[int, int]]:
    """Dovecot's pid and its LMTP port; replies go to a sink of its own."""
    port, sink_port = embedded.free_port(), embedded.free_port()
    (folder / "home").mkdir()
    shutil.chown(folder / "home", "mail", "mail")
    (folder / "vacation.sieve").write_text(SIEVE)
    (folder / "dovecot.conf").write_text(CONFIGURATION.format(folder=folder, port=port, sink=sink_port))
    subprocess.run(["sievec", "-c", folder / "dovecot.conf", folder / "vacation.sieve"], check=True)
    sink = subprocess.Popen([sys.executable, hook.__file__, f"--sink={sink_port}"])
    server = subprocess.Popen([DOVECOT, "-F", "-c", folder / "dovecot.conf"])
    try:
        hook.wait_for(port, server)
        hook.wait_for(sink_port, sink)
        yield server.pid, port
    finally:
        for process in (server, sink):
            process.terminate()
            process.wait(40)


def cpu_of_tree(pid: int) -> float:
    """Seconds of CPU of a process and all below it, those that ended included."""
    total, waiting = 0.0, [pid]
    while waiting:
        try:
            one = waiting.pop()
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):  # ended just now: its parent has counted it
            continue
        total += sum(map(int, fields[11:15])) / hook.TICKS
    return total


if __name__ == "__main__":
    main()
