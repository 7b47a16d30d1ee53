"""What is measured of the hook alone: a memory of a million senders, two processes, its own memory."""

from bench import load, messages
from bench.measure import Figures, measured, medians, peak_mb, ratio, resident_mb
from bench.messages import Letter
from bench.servers import Database, hooks, settled

Row = dict[str, object]
_REMEMBERED = """
INSERT INTO responders_previousresponse
    (responder_id, text_revision, activation, reverse_path_key, queue_id, state, claimed_at, lease_until, replied_at)
SELECT r.id, r.text_revision, r.activation, md5(n::text) || '@remembered.example', md5(n::text), 'replied', now(),
    now(), now()
FROM responders_responder r, generate_series(1, %s) n
"""


def remembered(postgres: Database, senders: int, count: int, connections: int, rounds: int) -> Row:
    """One mailbox that remembers a few senders, then a million: the rates of replies."""
    found: list[list[Figures]] = []
    for number, remembers in enumerate((0, senders)):
        if remembers:
            postgres.run(_REMEMBERED.replace("%s", str(remembers)))
        postgres.run("VACUUM (ANALYZE) responders_previousresponse")
        postgres.run("CHECKPOINT")
        with hooks() as (pids, ports, _relay):
            load.send(ports[0], connections, messages.letters(f"w{number}r", count))
            settled((*pids, postgres.pid))
            sent = [messages.letters(f"m{number}x{one}r", count) for one in range(rounds)]
            found.append([_measured((*pids, postgres.pid), ports, connections, letters) for letters in sent])
    few, many = found
    return {
        "case": "a million remembered", "few": medians(few), "many": medians(many), "senders": senders,
        "rate": ratio(many, few, "per_second"), "cpu": ratio(many, few, "cpu_ms"),
    }  # fmt: skip


def processes(postgres: Database, count: int, connections: int, rounds: int) -> list[Row]:
    """One hook of one process against one of two with as many connections, and against two that have as many each.

    CPU per message.
    """
    with hooks(2) as (pids, ports, _relay), hooks(processes=2) as (pair, [port_of_two], _its_relay):
        sides = {
            "one": (ports[:1], connections), "shared": ([port_of_two], connections), "each": (ports, 2 * connections),
        }  # fmt: skip
        found: dict[str, list[Figures]] = {name: [] for name in sides}
        of_all = (*pids, *pair, postgres.pid)
        for port in (*ports, port_of_two):
            load.send(port, connections, messages.letters(f"p{port}r", count))
        for number in range(rounds):
            for name, (among, so_many) in sides.items() if number % 2 else reversed(sides.items()):
                settled(of_all)
                letters = messages.letters(f"q{number}{name}r", count)
                found[name].append(_measured(of_all, among, so_many, letters))
    names = {"shared": f"two, {connections} in all", "each": f"two, {connections} each"}
    return [
        {
            "case": case, "one": medians(found["one"]), "two": medians(found[name]),
            "rate": ratio(found[name], found["one"], "per_second"), "cpu": ratio(found[name], found["one"], "cpu_ms"),
        }
        for name, case in names.items()
    ]  # fmt: skip


def _measured(pids: tuple[int, ...], ports: list[int], connections: int, letters: list[Letter]) -> Figures:
    return measured(pids, lambda: load.send_to_each(ports, connections, letters))


def many_mailboxes(postgres: Database, count: int) -> None:
    """Mailboxes mN@bench.example, each with Anna's standing reply."""
    first = postgres.ask("SELECT max(id) FROM mailboxes_mailbox")
    changes = {"id": f"{first} + n", "local_part": "'m' || n", "home": "'bench.example/m' || n"}
    _copy(postgres, "mailboxes_mailbox", count, changes)
    _copy(postgres, "responders_responder", count, {"id": f"{first} + n", "mailbox_id": f"{first} + n"})
    postgres.run("VACUUM ANALYZE")


def _copy(postgres: Database, table: str, count: int, changes: dict[str, str]) -> None:
    """The first row so many times, with changes, whatever columns it has; generated ones the database makes."""
    ask = "SELECT array_agg(quote_ident(attname) ORDER BY attnum) FROM pg_attribute"
    ask += f" WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    columns = postgres.ask(ask)
    assert isinstance(columns, list)
    values = (changes.get(column, f"t.{column}") for column in columns)
    postgres.run(  # without its triggers: what they look at is right, and a million looks take a quarter of an hour
        "SET session_replication_role = 'replica';"
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM (SELECT * FROM {table} ORDER BY id LIMIT 1) t, generate_series(1, {count}) n"
    )


def memory(mailboxes: int, count: int, connections: int) -> Row:
    """Resident memory of a hook: at the start, after messages to that many mailboxes, with 50 large ones at once."""
    with hooks() as (pids, ports, _relay):
        [pid], [port] = pids, ports
        started = resident_mb(pid)
        load.send(port, connections, [_to_one_of(mailboxes, number, "v") for number in range(count)])
        after = resident_mb(pid)
        load.send(port, 50, [_to_one_of(mailboxes, number, "large", 50 * messages.MB) for number in range(50)])
        return {
            "case": "memory", "started_mb": started, "after_mb": after, "mailboxes": mailboxes, "messages": count,
            "large_mb": peak_mb(pid) - after, "after_large_mb": resident_mb(pid),
        }  # fmt: skip


def flat(mailboxes: int, count: int, connections: int) -> Row:
    """Whether a hook's memory stays flat: after a tenth of the messages, and at the end."""
    with hooks() as (pids, ports, _relay):
        sizes: list[float] = []
        for begin in range(0, count, max(count // 10, 1)):
            until = min(begin + max(count // 10, 1), count)
            for start in range(begin, until, 5_000):
                batch = range(start, min(start + 5_000, until))
                load.send(ports[0], connections, [_to_one_of(mailboxes, number, "f") for number in batch])
            sizes.append(resident_mb(pids[0]))
            print(f"{until:>9} messages: {sizes[-1]:.1f} MB", flush=True)
    return {"case": "flat", "messages": count, "mb": sizes, "ratio": sizes[-1] / sizes[0]}


def _to_one_of(mailboxes: int, number: int, kind: str, size: int = 2 * messages.KB) -> Letter:
    """Two of three messages are answered or repeats, the third is of a list."""
    place = 1 + number * 7919 % mailboxes
    extra = messages.LIST if number % 3 == 2 and size < messages.MB else ""
    made = messages.letter(f"{kind}r", number, size, extra, to=f"m{place}@bench.example")
    return made.to(f"m{place}=bench.example@autoreply.invalid")
