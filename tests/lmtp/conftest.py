"""A real hook on a free port, with the tests' PostgreSQL behind it and a relay that keeps what it gets."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from mailboxes.models import Mailbox
from responders.hook.dialogue import Row
from responders.hook.ledger import loading
from responders.hook.ledger.loading import Behind, Query
from responders.models import Decision
from tests.committed import emptied_afterwards
from tests.lmtp.parts import Hook, LookUps, Relay


@pytest.fixture
def db(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Rows are committed, for the hook has connections of its own."""
    yield from emptied_afterwards(django_db_blocker)


@pytest.fixture(scope="session")
def running_relay() -> Iterator[Relay]:
    relay = Relay()
    yield relay
    relay.stop()


@pytest.fixture(scope="session")
def running_hook(running_relay: Relay, django_db_setup: None, django_db_blocker) -> Iterator[Hook]:
    with django_db_blocker.unblock():
        hook = Hook(running_relay.url)
    yield hook
    hook.stop()


@pytest.fixture
def relay(running_relay: Relay) -> Relay:
    """The relay, empty and willing."""
    running_relay.forget()
    return running_relay


@pytest.fixture
def hook(running_hook: Hook, relay: Relay, db: None) -> Hook:
    return running_hook


@pytest.fixture
def decisions(mailbox: Mailbox) -> Callable[[], list[str]]:
    """The reasons recorded so far, in order."""
    return lambda: list(Decision.objects.order_by("id").values_list("reason", flat=True))


@pytest.fixture
def second_hook(relay: Relay, db: None) -> Iterator[Hook]:
    hook = Hook(relay.url)
    yield hook
    hook.stop()


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> LookUps:
    """Those of all hooks from now on."""
    seen, asked = LookUps(), list[Query]()
    question, answers = loading.question, loading.answers

    def ask(queries: Sequence[Query]) -> object:
        if seen.trouble:
            raise seen.trouble
        asked.extend(queries)
        return question(queries)

    def read(rows: Sequence[Row], count: int) -> list[list[Behind]]:
        found = answers(rows, count)
        seen.answered += asked
        asked.clear()
        return found

    monkeypatch.setattr(loading, "question", ask)
    monkeypatch.setattr(loading, "answers", read)
    return seen
