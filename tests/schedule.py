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
# The longest first; of any two neighbours it does not matter which. What is not named takes less than half a minute on
# two busy cores, and waits little. `--durations=60` shows when a file has its place no more.
WAITS = [
    MAIL,
    "tests/mta/test_the_database_away.py",
    "tests/mta/test_doctor.py",
    "tests/mta/test_upgrade.py",
    "tests/mta/test_a_replica.py",
    "tests/mta/test_a_frozen_database.py",
    "tests/mta/test_everything_at_once.py",
    "tests/wiring/test_health.py",
    "tests/mta/test_trouble.py",
    "tests/wiring/test_pages_without_a_database.py",
    "tests/wiring/test_restore.py",
    "tests/wiring/test_a_database_host_that_vanishes.py",
]
WORKS = [
    "tests/wiring/test_run.py",
    "tests/browser/test_every_page.py",
    "tests/browser/test_flows.py",
    "tests/wiring/test_preparedatabase.py",
    "tests/browser/test_account_flows.py",
    "tests/browser/test_account.py",
    "tests/web/test_who_may_open_what.py",
    "tests/wiring/test_containers_database.py",
    "tests/services/test_log_owner.py",
    "tests/web/test_hostile_forms.py",
    "tests/web/test_admin.py",
]
PLACES = {piece: place for kind in (WAITS, WORKS) for place, piece in enumerate(kind)}


def piece_of_work(nodeid: str) -> str:
    file, _colons, _test = nodeid.partition("::")
    return MAIL if file.startswith(f"{MAIL}/") and file not in PLACES else file


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
    items.sort(key=lambda item: PLACES.get(piece_of_work(item.nodeid), len(PLACES)))
