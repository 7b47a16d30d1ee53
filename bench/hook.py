"""How many messages a second the delivery hook decides, and what each costs.

A real `manage.py lmtpd`, a PostgreSQL of its own with fsync on, a fast sink as the relay. Three cases: every message
is answered (distinct senders), every sender was answered before, every message is from a list. CPU is that of the
hook and the database; the load generator and the sink are not counted.

    python bench/hook.py [--messages 2000] [--connections 10] [--size 2048]
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Counted as ever, and never drawn.
NO_BRAKE = {"MAILBOX_REPLIES_PER_HOUR": "1000000000", "DOMAIN_REPLIES_PER_HOUR": "1000000000"}
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from webmail_panel import embedded  # noqa: E402 (the path goes first)

TICKS = os.sysconf("SC_CLK_TCK")
KEPT, BYE = b"250 kept\r\n", b"221 bye\r\n"
RECIPIENT = "anna=bench.example@autoreply.invalid"


def main() -> None:
    options = _options()
    if options.sink:
        asyncio.run(run_sink(options.sink))
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    postgres = embedded.start_postgres(folder / "postgres")
    try:
        os.environ.update(
            DATABASE_URL=postgres.url(),
            SECRET_KEY="x" * 60,
            DEBUG="0",
            MAIL_HOSTNAME="panel.example",
            LOG_LEVEL="ERROR",
            CHECK_SENDER_DOMAINS="0",
        )
        if options.memory:
            raise SystemExit(_remember(options))
        rows = list(_measure(postgres.process.pid, options))
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "hook.json").write_text(json.dumps({"options": vars(options), "rows": rows}, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000, help="in each case")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--size", type=int, default=2048, help="octets of a message")
    parser.add_argument(
        "--memory",
        type=int,
        metavar="MESSAGES",
        help="send so many, and fail if the hook grew by more than 5% after the first tenth",
    )
    parser.add_argument("--sink", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(postgres_pid: int, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    make_a_mailbox()
    with programs() as (hook_pid, port):
        asyncio.run(send(port, options.connections, [content("warm", n, options.size) for n in range(200)]))
        cases = {
            "reply": [content("new", number, options.size) for number in range(options.messages)],
            "repeat": [content("new", number, options.size) for number in range(options.messages)],
            "list": [content("list", number, options.size, "List-Id: <news.example>\r\n")
                     for number in range(options.messages)],
        }  # fmt: skip
        print("case     per second  CPU ms    hook  database  p50 ms  p99 ms  hook MB")
        for case, messages in cases.items():
            yield _row(case, messages, port, hook_pid, postgres_pid, options.connections)


def _remember(options: argparse.Namespace) -> int:
    """Whether the hook's memory stays flat: 0 if so, else 1."""
    make_a_mailbox()
    kinds = (("new", ""), ("new", ""), ("list", "List-Id: <news.example>\r\n"))
    with programs() as (hook_pid, port):
        sizes, sent = [], 0
        for until in (options.memory // 10, options.memory):
            while sent < until:
                batch = [
                    content(kind, (sent + place) // 3, options.size, extra)
                    for place, (kind, extra) in zip(range(min(3_000, until - sent)), kinds * 1_000, strict=False)
                ]
                asyncio.run(send(port, options.connections, batch))
                sent += len(batch)
            sizes.append(resident_mb(hook_pid))
            print(f"{sent:>9} messages: {sizes[-1]:.1f} MB", flush=True)
    print(f"ratio {sizes[1] / sizes[0]:.3f}")
    return int(sizes[1] > sizes[0] * 1.05)


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _row(
    case: str, messages: list[tuple[str, bytes]], port: int, hook_pid: int, postgres_pid: int, connections: int
) -> dict[str, object]:
    before, started = (cpu(hook_pid), cpu_of_children(postgres_pid)), time.perf_counter()
    took = asyncio.run(send(port, connections, messages))
    seconds = time.perf_counter() - started
    hook, database = cpu(hook_pid) - before[0], cpu_of_children(postgres_pid) - before[1]
    count = len(messages)
    row = {
        "case": case,
        "per_second": count / seconds,
        "cpu_ms": (hook + database) * 1000 / count,
        "hook_cpu_ms": hook * 1000 / count,
        "database_cpu_ms": database * 1000 / count,
        "p50_ms": statistics.median(took) * 1000,
        "p99_ms": statistics.quantiles(took, n=100)[98] * 1000,
        "hook_mb": resident_mb(hook_pid),
    }
    print(
        f"{case:<8}{row['per_second']:>11.0f}{row['cpu_ms']:>8.2f}{row['hook_cpu_ms']:>8.2f}"
        f"{row['database_cpu_ms']:>10.2f}{row['p50_ms']:>8.1f}{row['p99_ms']:>8.1f}{row['hook_mb']:>9.1f}",
        flush=True,
    )
    return row


def make_a_mailbox() -> None:
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "--verbosity=0"], check=True)
    subprocess.run(
        [*manage, "mailbox", "add", "anna@bench.example", "--name", "Anna", "--create-domain"], check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    subprocess.run(
        [*manage, "responder", "set", "anna@bench.example", "--type", "standing", "--subject", "Auto: {{ subject }}",
         "--text-file", "-"],
        input="Dziękuję, {{ sender.name }}.\n", text=True, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


@contextmanager
def programs() -> Iterator[tuple[int, int]]:
    """The sink and the hook; the hook's pid and its port."""
    port, health, sink_port = embedded.free_port(), embedded.free_port(), embedded.free_port()
    sink = subprocess.Popen([sys.executable, __file__, f"--sink={sink_port}"])
    hook = subprocess.Popen(
        [sys.executable, "manage.py", "lmtpd", f"--listen=127.0.0.1:{port}", f"--health=127.0.0.1:{health}"],
        cwd=ROOT, env=os.environ | {"RELAY_URL": f"smtp://127.0.0.1:{sink_port}"} | NO_BRAKE,
    )  # fmt: skip
    try:
        wait_for(port, hook)
        wait_for(sink_port, sink)
        yield hook.pid, port
    finally:
        for process in (hook, sink):
            process.send_signal(signal.SIGTERM)
            process.wait(40)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _attempt in range(200):
        if process.poll() is not None:
            raise SystemExit("a program ended before it began to listen")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nobody listens on port {port}")


def content(kind: str, number: int, size: int, extra: str = "") -> tuple[str, bytes]:
    """A reverse-path and a message that reads as Postfix hands it over."""
    sender = f"{kind}.{'abcdefghij'[number % 10]}x{number}y@sender.example"
    head = (
        f"Received: from client.example (client.example [192.0.2.1])\r\n"
        f"\tby panel.example (Postfix) with ESMTPS id 4{kind}{number}Z{time.monotonic_ns()}\r\n"
        f"\tfor <anna@bench.example>; Mon, 4 Jan 2027 08:00:00 +0100 (CET)\r\n"
        f"Received: from [192.0.2.7] (unknown [192.0.2.7])\r\n"
        f"\tby client.example (Postfix) with ESMTPSA id 4X{number}\r\n"
        f"\tfor <anna@bench.example>; Mon, 4 Jan 2027 07:59:59 +0100 (CET)\r\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=sender.example; s=2027;\r\n\tb={'A' * 170}\r\n"
        f"From: =?utf-8?q?Jan_Kowalski?= <{sender}>\r\nTo: Anna <anna@bench.example>\r\nSubject: Pytanie {number}\r\n"
        f"Date: Mon, 4 Jan 2027 07:59:58 +0100\r\nMessage-ID: <{kind}.{number}@sender.example>\r\n{extra}"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    line = "Lorem ipsum dolor sit amet, consectetur adipiscing elit.\r\n"
    return sender, (head + line * max(1, (size - len(head)) // len(line))).encode()


async def send(
    port: int, connections: int, messages: list[tuple[str, bytes]], recipient: str = RECIPIENT
) -> list[float]:
    """Every message, over so many connections; how long each took in seconds."""
    took: list[float] = []
    queue = iter(messages)
    await asyncio.gather(*(_client(port, queue, took, recipient) for _number in range(connections)))
    return took


async def _client(port: int, queue: Iterator[tuple[str, bytes]], took: list[float], recipient: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"LHLO bench.example\r\n")
    while (await reader.readline())[:4] != b"250 ":
        pass
    for sender, octets in queue:
        started = time.perf_counter()
        writer.write(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        for code in (b"250", b"250", b"354"):
            answer = await reader.readline()
            if not answer.startswith(code):
                raise SystemExit(f"the server answered {answer!r}")
        writer.write(octets + b".\r\n")
        answer = await reader.readline()
        if not answer.startswith(b"250"):
            raise SystemExit(f"the hook answered {answer!r}")
        took.append(time.perf_counter() - started)
    writer.close()


class Sink(asyncio.Protocol):
    """An SMTP server that takes everything as fast as it can."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer, self.is_content = b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        answers = []
        while True:
            line, end, rest = self.buffer.partition(b"\r\n.\r\n" if self.is_content else b"\r\n")
            if not end:
                break
            self.buffer = rest
            answers.append(self._answer(line))
        self.transport.write(b"".join(answers))
        if answers[-1:] == [BYE]:
            self.transport.close()

    def _answer(self, line: bytes) -> bytes:
        if self.is_content:
            self.is_content = False
            return KEPT
        if line.startswith(b"EHLO"):
            return b"250-sink\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250-DSN\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        if line == b"QUIT":
            return BYE
        self.is_content = line == b"DATA"
        return b"354 go\r\n" if self.is_content else b"250 ok\r\n"


async def run_sink(port: int) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await stop.wait()
    server.close()


def cpu(pid: int) -> float:
    """Seconds of CPU that a process used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_children(pid: int) -> float:
    """Seconds of CPU of a process and its children, the ones that ended included."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(cpu(int(child)) for child in children) + sum(map(int, fields[11:15])) / TICKS


if __name__ == "__main__":
    main()
