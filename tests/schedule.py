"""Loaded by pytest (`-p tests.schedule`): what each worker of pytest-xdist gets, and in which order.

All tests of a file run in one worker, as with `--dist loadfile`. Those of `tests/mta` do together: they share running
mail servers, and wait more than they work. What takes long begins first, so that no worker has the last of it alone.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Seconds, on two cores that have nothing else to do. What is not named takes less.
LONG = {
    "tests/mta": 300,
    "tests/browser/test_every_page.py": 60,
    "tests/wiring/test_run.py": 50,
    "tests/wiring/test_backup.py": 40,
    "tests/browser/test_account.py": 40,
    "tests/wiring/test_health.py": 30,
    "tests/web/test_who_may_open_what.py": 25,
}
MAIL_SERVERS = "tests/mta"


def piece_of_work(nodeid: str) -> str:
    file, _colons, _test = nodeid.partition("::")
    return MAIL_SERVERS if file.startswith(f"{MAIL_SERVERS}/") else file


class ByPieces(LoadScopeScheduling):
    """pytest-xdist's own way to hand out pieces, with ours for scopes and in our order."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by the number of tests: the slowest files have few

    def _split_scope(self, nodeid: str) -> str:
        return piece_of_work(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByPieces | None:
    return ByPieces(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: -LONG.get(piece_of_work(item.nodeid), 0))
