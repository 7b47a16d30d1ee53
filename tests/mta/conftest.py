"""Servers and data for the tests on real mail servers.

They have a database of their own, in the server that all tests share: what is stored here is committed, for
Postfix, Dovecot and the hook read it through connections of their own. It is deleted after each test.
"""

import contextlib
import copy
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import connection, connections
from django.db.utils import load_backend

from mailboxes import services as mailbox_services
from mailboxes.models import Alias, Customer, Domain, LogLine, Mailbox, User
from responders.models import Decision, Responder
from responders.services import database_now, save_responder
from responders.validation import ResponderInput
from tests import databases
from tests.mta.stack import Stack, require_mail_servers
from webmail_panel import embedded

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
PASSWORD = "correct horse battery staple"
# Who changed is forgotten because Dovecot is told so, not as time goes by.
REMEMBERS = "auth_cache_ttl = 1 hour\n"
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _passwords_cost_little() -> None:
    """Not here: Dovecot reads them as they are made in earnest."""


@pytest.fixture(scope="session")
def shared_stack() -> Iterator[Stack]:
    require_mail_servers()
    name = f"mta_{WORKER}"
    with running_stack(name, databases.create_filled(name), dovecot_also=REMEMBERS) as stack:
        yield stack


@contextlib.contextmanager
def running_stack(name: str, database_url: str, dovecot_also: str = "") -> Iterator[Stack]:
    """Every server, on a database of its own."""
    folder = Path(os.environ["PANEL_TESTS_VAR_DIR"]) / name
    folder.mkdir(mode=0o755)
    stack = Stack(folder, database_url, role=name)
    stack.dovecot_also = dovecot_also
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@contextlib.contextmanager
def database_of(stack: Stack, blocker: Any) -> Iterator[None]:
    """Let Django's connection of this process be one to the database of the stack."""
    panel = connections["default"]
    settings = copy.deepcopy(panel.settings_dict) | {"NAME": urlsplit(stack.database_url).path.strip("/")}
    settings["OPTIONS"] |= dict(parse_qsl(urlsplit(stack.database_url).query))
    settings["PASSWORD"] = urlsplit(stack.database_url).password
    with blocker.unblock():
        connections["default"] = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"] = panel


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """Running servers, with nothing in Postfix's queue and the hook up."""
    yield shared_stack
    if not shared_stack.hook_is_running:
        shared_stack.start_hook()
    shared_stack.empty_queue()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """What the servers of a test that failed wrote lately."""
    report = yield
    stacks = {one for one in getattr(item, "funcargs", {}).values() if isinstance(one, Stack)}
    if report.failed:
        report.sections += [section for stack in stacks for section in stack.latest_logs()]
    return report  # type: ignore[return-value]  # a wrapper hands on what it got


@dataclass
class Hosting:
    """Makes what a customer has: a domain of its own for each test, mailboxes, aliases, responders."""

    domain: str
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)

    def mailbox(self, local_part: str, **options: Any) -> str:
        address = f"{local_part}@{self.domain}"
        self.mailboxes[address] = mailbox_services.add_mailbox(address, create_domain=True, **options)
        return address

    def alias(self, local_part: str, *targets: str, own: bool = False) -> str:
        alias = mailbox_services.add_alias(f"{local_part}@{self.domain}", targets)
        alias.targets.update(is_own_address=own)
        return str(alias.address)

    def responder(self, address: str, **changes: Any) -> Responder:
        """A standing reply that is on, unless `changes` say otherwise."""
        chosen = {
            "type": "standing", "is_enabled": True, "from_date": None, "to_date": None, "time_zone": "Europe/Warsaw",
            "subject": "Auto: {{ subject }}", "text_body": "Jestem poza biurem. Wracam wkrótce.",
        } | changes  # fmt: skip
        return save_responder(self.mailboxes[address], ResponderInput(**chosen), actor=None, now=database_now())

    def away(self, local_part: str, **options: Any) -> str:
        """A mailbox that answers."""
        address = self.mailbox(local_part, **options)
        self.responder(address)
        return address

    def decisions(self, address: str) -> list[str]:
        """The reasons recorded for mail to the address, oldest first."""
        rows = Decision.objects.filter(forward_path=address).order_by("id")
        return list(rows.values_list("reason", flat=True))


@pytest.fixture
def hosting(stack: Stack, django_db_blocker: Any) -> Iterator[Hosting]:
    yield from _hosting_on(stack, django_db_blocker)


def _hosting_on(stack: Stack, blocker: Any) -> Iterator[Hosting]:
    with database_of(stack, blocker):
        yield Hosting(f"firma{next(_numbers)}.example")
        connections["default"].close()  # the server may have been stopped and started
        with connection.cursor() as cursor:  # only ever added to, but for tests
            cursor.execute("SET panel.emptying = 'on'")
            cursor.execute(f"TRUNCATE {LogLine._meta.db_table}")
        for model in (Decision, Alias, Mailbox, Domain, Customer, User):
            model.objects.all().delete()
        with connection.cursor() as cursor:  # the same address is made again in the next test, and found in its folder
            cursor.execute("TRUNCATE mailboxes_former_home")


class OwnPostgres:
    """A database server that no other test uses, to be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        self.server = embedded.start_postgres(self._folder, durable=False)

    def stop(self) -> None:
        self.server.stop()

    def crash(self) -> None:
        """At once: what was not committed is lost, and the next start recovers."""
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGQUIT)
        self.server.process.wait(60)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """For a while it takes connections and answers nothing, as on a host whose disk hangs."""
        assert self.server.process is not None
        pid = self.server.process.pid
        os.kill(pid, signal.SIGSTOP)
        stopped = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        for child in stopped[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)
        try:
            yield
        finally:
            for one in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGCONT)


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[OwnPostgres]:
    server = OwnPostgres(Path(os.environ["PANEL_TESTS_VAR_DIR"]) / f"mta-postgres-{WORKER}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def own_stack(own_postgres: OwnPostgres) -> Iterator[Stack]:
    """Every server, on that database."""
    require_mail_servers()
    databases.fill(own_postgres.server.url())
    with running_stack(f"own_{WORKER}", own_postgres.server.url()) as stack:
        yield stack


@pytest.fixture
def own_hosting(own_stack: Stack, django_db_blocker: Any) -> Iterator[Hosting]:
    yield from _hosting_on(own_stack, django_db_blocker)


@pytest.fixture
def sender(hosting: Hosting) -> str:
    """An outside address that no other test writes from."""
    return f"jan@klient-{hosting.domain}"


@pytest.fixture
def clock(hosting: Hosting) -> Iterator[Callable[[datetime | None], None]]:
    """Puts the clock of everybody who reads the database at a moment (None: back to the real one)."""

    def put(moment: datetime | None) -> None:
        source = "statement_timestamp()" if moment is None else f"timestamptz ''{moment.isoformat()}''"
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION panel_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT {source}'"
            )

    yield put
    put(None)
