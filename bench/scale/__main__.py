"""The panel at the size of a hosting company: a table for each part, and JSON below bench/results/.

A PostgreSQL of its own with fsync on is filled by the database itself, in about three minutes at full size (12 GB).

    make bench-scale
    make bench-scale ARGS="--mailboxes 10000 --aliases 2000 --decisions 100000 --due 1000 --only clock lookups"
    make bench-scale ARGS="--keep /var/tmp/scale"     # fill once, measure again and again

The parts: what the mail servers ask (lookups), what changes at a second (clock), every page (pages), a file of all
mailboxes and a change of ten thousand (many), people at the panel (load), old decisions that go (retention).
"""

import argparse
from importlib import import_module

import django

from bench.scale.filling import Size
from bench.scale.server import connect, keep_results, servers

PARTS = ("lookups", "clock", "pages", "many", "load", "retention")


def main() -> None:
    options = _options()
    size = Size(options.mailboxes, options.aliases, options.decisions)
    with servers(size, options.keep) as postgres:
        django.setup()
        for name in options.only:
            print(f"\n{name}", flush=True)
            part = import_module(f"bench.scale.{name}")  # now that the settings have their environment
            with connect(postgres) as connection:
                keep_results(name, vars(options), part.measure(connection, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mailboxes", type=int, default=1_000_000)
    parser.add_argument("--aliases", type=int, default=200_000)
    parser.add_argument("--decisions", type=int, default=10_000_000)
    parser.add_argument("--due", type=int, default=100_000, help="responders that begin in the same second")
    parser.add_argument("--page", default="", help="only pages whose name holds this")
    parser.add_argument("--keep", default="", metavar="DIR", help="a folder for the data, left for the next run")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
