"""`python -m bench [CASE…]`: all cases, or those named, in one run on one machine, and a table of the ratios."""

import argparse
import os
from collections.abc import Iterator

from bench import alone, answering, report, servers
from bench.alone import Row
from bench.behind_postfix import through_postfix

ALONE = ("remembered", "processes", "memory", "postfix", "relay")
# Only when it is asked for: it takes long.
FLAT = "flat"


def main() -> None:
    options = _options()
    names = [case.name for case in answering.cases(1, 1)]
    unknown = set(options.case) - {*names, *ALONE, FLAT}
    if unknown:
        raise SystemExit(f"{', '.join(sorted(unknown))}: there are {', '.join([*names, *ALONE, FLAT])}")
    rows = list(_rows(options, set(options.case) or {*names, *ALONE}))
    print(report.keep(rows, vars(options)))
    flat = next((row for row in rows if row["case"] == FLAT), None)
    if flat and isinstance(flat["ratio"], float) and flat["ratio"] > 1.05:
        raise SystemExit(f"the hook grew: {flat['ratio']:.3f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("case", nargs="*", help="reply, repeat, list, mixed …; all but flat if none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000, help="in each case and round")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument(
        "--processes", type=int, default=1, help="of the hook beside Pigeonhole, which takes as many as it likes"
    )
    parser.add_argument("--senders", type=int, default=1_000_000, help="of the mailbox that remembers many")
    parser.add_argument("--mailboxes", type=int, default=1_000_000, help="of the memory cases")
    parser.add_argument("--flat-messages", type=int, default=1_000_000)
    return parser.parse_args()


def _rows(options: argparse.Namespace, wanted: set[str]) -> Iterator[Row]:
    rounds, count, connections = options.rounds, options.messages, options.connections
    report.head()
    with servers.database() as postgres:
        yield from _against_pigeonhole(options, wanted, postgres)
        if "processes" in wanted:
            for row in alone.processes(postgres, count, connections, rounds):
                report.processes(row)
                yield row
        if "remembered" in wanted:
            yield (row := alone.remembered(postgres, options.senders, count, connections, rounds))
            report.remembered(row)
    if wanted & {"memory", FLAT}:
        with servers.database() as postgres:
            alone.many_mailboxes(postgres, options.mailboxes)
            if "memory" in wanted:
                yield (row := alone.memory(options.mailboxes, 10 * count, connections))
                report.memory(row)
            if FLAT in wanted:
                yield alone.flat(options.mailboxes, options.flat_messages, connections)
    for name in ("postfix", "relay"):
        if name in wanted and _has_mail_servers():
            with servers.database() as postgres:
                yield (row := through_postfix(postgres, rounds, count, has_relay=name == "relay"))
                report.through_postfix(row)


def _against_pigeonhole(options: argparse.Namespace, wanted: set[str], postgres: servers.Database) -> Iterator[Row]:
    cases = [case for case in answering.cases(options.messages, options.connections) if case.name in wanted]
    if not cases or not _has_mail_servers():
        return
    with servers.hook(postgres, options.processes) as ours, servers.pigeonhole() as (theirs, memory):
        for found in answering.compare(cases, ours, theirs, memory, options.rounds):
            yield report.against_pigeonhole(found)


def _has_mail_servers() -> bool:
    if servers.DOVECOT.exists() and os.geteuid() == 0:
        return True
    print("The comparison needs Debian's packages of tests/install-debian-packages.sh, and root: left out")
    return False


if __name__ == "__main__":
    main()
