"""Loaded by pytest (`-p tests.schedule`): what each worker of pytest-xdist gets, and in which order.

All tests of a file run in one worker, as with `--dist loadfile`. Most files of `tests/mta` are one piece, for they
share running mail servers and are short; those in which something goes wrong wait for long, and the workers wait side
by side. What takes long begins first, so that no worker has the last of it alone.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

MAIL = "tests/mta"
# Seconds, on two cores that have nothing else to do. What is not named takes less.
LONG = {
    MAIL: 260,
    "tests/mta/test_doctor.py": 180,
    "tests/mta/test_the_database_away.py": 150,
    "tests/mta/test_a_replica.py": 75,
    "tests/mta/test_upgrade.py": 95,
    "tests/mta/test_a_frozen_database.py": 80,
    "tests/mta/test_everything_at_once.py": 70,
    "tests/browser/test_every_page.py": 60,
    "tests/wiring/test_run.py": 60,
    "tests/wiring/test_pages_without_a_database.py": 50,
    "tests/mta/test_trouble.py": 55,
    "tests/wiring/test_preparedatabase.py": 50,
    "tests/wiring/test_containers_database.py": 40,
    "tests/wiring/test_backup.py": 40,
    "tests/browser/test_account.py": 40,
    "tests/browser/test_account_flows.py": 40,
    "tests/browser/test_flows.py": 40,
    "tests/wiring/test_health.py": 30,
    "tests/web/test_who_may_open_what.py": 25,
}


def piece_of_work(nodeid: str) -> str:
    file, _colons, _test = nodeid.partition("::")
    return MAIL if file.startswith(f"{MAIL}/") and file not in LONG else file


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
