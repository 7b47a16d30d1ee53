"""Pages are asked for through Django's test client."""

import logging
from collections.abc import Iterator

import pytest
from django.test import Client

from mailboxes.models import Domain, Mailbox, User


@pytest.fixture(autouse=True)
def _surroundings(plain_static_files: None, own_cache: None) -> None:
    """Every page names static files; sign-ins are counted."""


@pytest.fixture
def a_quiet_log() -> Iterator[None]:
    """For who is refused a thousand times: Django writes each into the log, with a traceback."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def as_anna(client: Client, anna: User) -> Client:
    """Signed in as the owner."""
    client.force_login(anna)
    return client


@pytest.fixture
def as_support(support: User) -> Client:
    """Signed in as a support agent."""
    client = Client()
    client.force_login(support)
    return client


@pytest.fixture
def somebody_elses(mailbox: Mailbox) -> Mailbox:
    """A mailbox of another owner."""
    owner = User.objects.create_user("obcy@inna.example")
    domain = Domain.objects.create(name="inna.example")
    return Mailbox.objects.create(domain=domain, local_part="obcy", owner=owner)
