"""Loaded by pytest (`-p tests.schedule`): what each worker of pytest-xdist gets, and in which order.

All tests of a file run in one worker, as with `--dist loadfile`. Most files of `tests/mta` are one piece, for they
share running mail servers and are short. Half of the workers begin with what mostly waits, for time-outs and for mail
servers, the other half with what keeps a processor busy: so neither is left over for the end. Of each kind, what takes
long begins first, so that no worker has the last of it alone.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

MAIL = "tests/mta"
# Seconds, on two cores that have nothing else to do. What is not named takes less, and waits little.
WAITS = {
    MAIL: 260,
    "tests/mta/test_doctor.py": 180,
    "tests/mta/test_the_database_away.py": 150,
    "tests/mta/test_a_frozen_database.py": 80,
    "tests/mta/test_a_replica.py": 70,
    "tests/mta/test_everything_at_once.py": 70,
    "tests/wiring/test_pages_without_a_database.py": 50,
    "tests/mta/test_upgrade.py": 50,
    "tests/mta/test_trouble.py": 50,
    "tests/wiring/test_health.py": 40,
    "tests/wiring/test_restore.py": 30,
}
WORKS = {
    "tests/wiring/test_run.py": 60,
    "tests/browser/test_every_page.py": 50,
    "tests/wiring/test_preparedatabase.py": 45,
    "tests/browser/test_flows.py": 45,
    "tests/browser/test_account_flows.py": 40,
    "tests/browser/test_account.py": 35,
    "tests/web/test_who_may_open_what.py": 30,
    "tests/wiring/test_containers_database.py": 25,
    "tests/web/test_hostile_forms.py": 20,
    "tests/services/test_log_owner.py": 20,
}
LONG = WAITS | WORKS


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

    def _assign_work_unit(self, node: WorkerController) -> None:
        shall_wait = self.nodes.index(node) < len(self.nodes) // 2
        if preferred := [piece for piece in self.workqueue if (piece in WAITS) == shall_wait]:
            self.workqueue.move_to_end(preferred[0], last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByPieces | None:
    return ByPieces(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: -LONG.get(piece_of_work(item.nodeid), 0))
