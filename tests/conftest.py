"""Fixtures that more than one folder of tests uses."""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone, translation
from pytest_django import Settings

from mailboxes.hashers import DovecotArgon2PasswordHasher
from mailboxes.models import Alias, AliasTarget, Domain, Mailbox, User
from responders.models import Responder
from tests import databases

PASSWORD = "correct horse battery staple"
USUAL_COST = {name: getattr(DovecotArgon2PasswordHasher, name) for name in ("memory_cost", "time_cost")}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Each worker's database is a copy; what pytest-django does next finds nothing left to migrate."""
    databases.create_filled(connection.creation._get_test_db_name())  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The database of the tests may be emptied between them, its history included."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        name = connection.ops.quote_name(connection.settings_dict["NAME"])
        cursor.execute(f"ALTER DATABASE {name} SET panel.emptying = 'on'")
        cursor.execute("SET panel.emptying = 'on'")


@pytest.fixture(autouse=True)
def _no_language_of_an_earlier_test() -> None:
    """A page leaves its visitor's language and zone to the thread that drew it."""
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def _passwords_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same kind, Argon2id, but made in no time: nearly every test makes people who have a password."""
    for name, least in (("memory_cost", 8), ("time_cost", 1)):
        monkeypatch.setattr(DovecotArgon2PasswordHasher, name, least)


@pytest.fixture
def passwords_cost_what_they_should(_passwords_cost_little: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, usual in USUAL_COST.items():
        monkeypatch.setattr(DovecotArgon2PasswordHasher, name, usual)


@pytest.fixture
def anna(db: None) -> User:
    """The owner of `mailbox`."""
    return User.objects.create_user("anna@firma.example", PASSWORD, name="Anna Nowak")


@pytest.fixture
def mailbox(anna: User) -> Mailbox:
    """anna@firma.example, in Polish and in Europe/Warsaw."""
    domain = Domain.objects.create(name="firma.example")
    return Mailbox.objects.create(domain=domain, local_part="anna", name="Anna Nowak", owner=anna)


@pytest.fixture
def standing_reply(mailbox: Mailbox) -> Responder:
    """A standing reply of `mailbox` that is on."""
    return Responder.objects.create(
        mailbox=mailbox, type="standing", subject="Auto: {{ subject }}", text_body="Dziękuję za wiadomość.",
        state="active",
    )  # fmt: skip


@pytest.fixture
def add_alias(mailbox: Mailbox) -> Callable[..., Alias]:
    """Makes an alias of the mailboxes given, at the domain of `mailbox`."""

    def add(local_part: str, *mailboxes: Mailbox, own: bool = False) -> Alias:
        alias = Alias.objects.create(domain=mailbox.domain, local_part=local_part)
        for target in mailboxes:
            AliasTarget.objects.create(alias=alias, mailbox=target, is_own_address=own)
        return alias

    return add


@pytest.fixture
def database_clock(db: None) -> Iterator[Callable[[datetime | None], None]]:
    """Puts the database's clock at a moment (None: back to the real one); rolled back or restored at the end."""

    def put(moment: datetime | None) -> None:
        source = "statement_timestamp()" if moment is None else f"timestamptz ''{moment.isoformat()}''"
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION panel_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT {source}'"
            )

    yield put
    put(None)


@pytest.fixture
def plain_static_files(settings: Settings) -> None:
    """Pages of a checkout whose static files were not collected."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


@pytest.fixture
def own_cache(settings: Settings) -> None:
    """Keys of the test's own: the brake on sign-ins counts by IP address, and every test has the same."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": uuid.uuid4().hex}}


_FOLDER = Path(__file__).parents[1] / "responders/migrations"
_MIGRATIONS_OF_ROLES = [f"responders.migrations.{path.stem}" for path in sorted(_FOLDER.glob("*_roles*.py"))]


@pytest.fixture
def roles(db: None) -> None:
    """The groups that migrations make: some tests that commit empty every table after them."""
    if Group.objects.filter(name="support").exists():
        return
    with connection.schema_editor() as editor:
        for module in map(import_module, _MIGRATIONS_OF_ROLES):
            for made in filter(None, (getattr(module, name, None) for name in ("make_roles", "add_rights"))):
                made(apps, editor)


@pytest.fixture
def support(roles: None) -> User:
    """A support agent."""
    agent = User.objects.create_user("pomoc@hosting.example", PASSWORD, name="Pomoc")
    agent.groups.add(Group.objects.get(name="support"))
    return agent
