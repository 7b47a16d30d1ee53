"""The service `setup` of docker-compose.yml, its own lines run against a real PostgreSQL: which role may do what."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mailboxes import log_owner
from mailboxes.log_owner import Wall
from tests import databases
from tests.log_attacks import OF_A_ROLE_THAT_MAKES_NO_ROLES, attacks
from tests.wiring.test_containers import COMPOSE, EXAMPLES, ROOT, SERVICES, filled_in
from webmail_panel import embedded
from webmail_panel.embedded import Postgres, free_port, start_postgres

SUPERUSER = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
DATABASE = SERVICES["postgres"]["environment"]["POSTGRES_DB"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """As the image makes it from the service's environment: one superuser, an empty database of that name."""
    assert (SUPERUSER, DATABASE) == (embedded.DATABASE_OWNER, embedded.DATABASE_OWNER)
    tmp_path.chmod(0o755)
    server = start_postgres(tmp_path / "postgres", listen="127.0.0.1", port=free_port(), durable=False)
    with psycopg.connect(server.url(), autocommit=True) as superuser:
        superuser.execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{EXAMPLES['POSTGRES_PASSWORD']}'")
    yield server
    server.stop()


def environment(service: dict[str, Any], server: Postgres) -> dict[str, str]:
    """What the service gets, with the database where it is here."""
    given = {name: filled_in(str(value)) for name, value in service["environment"].items()}
    here = {name: value.replace("@postgres:5432/", f"@127.0.0.1:{server.port}/") for name, value in given.items()}
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "VAR_DIR": "/nonexistent", **here}


def set_up(server: Postgres) -> str:
    """Run the lines that make the database; those that render the mail servers' files have a test of their own.

    What they end with needs Redis, which the services that they are for wait for, too.
    """
    shell, option, script = SERVICES["setup"]["command"]
    lines = [
        line.replace("$$", "$")
        for line in filled_in(script).splitlines()
        if "mailconfig" not in line and "dkim" not in line
    ]
    finished = subprocess.run(
        [shell, option, "\n".join(lines)],
        cwd=ROOT, env=environment(SERVICES["setup"], server), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


def manage(server: Postgres, *arguments: str, **changed: str) -> None:
    env = environment(SERVICES["web"], server) | changed
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, check=True)


def assert_that_the_log_is_closed(server: Postgres) -> None:
    for service in ("web", "hook", "worker", "beat"):
        with psycopg.connect(environment(SERVICES[service], server)["DATABASE_URL"], autocommit=True) as role:
            assert log_owner.wall(role) == Wall(False, False, False, False)
    with psycopg.connect(environment(SERVICES["web"], server)["DATABASE_URL"], autocommit=True) as role:
        for statement in [*attacks(role.info.user, DATABASE), *OF_A_ROLE_THAT_MAKES_NO_ROLES]:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.DependentObjectsStillExist)):
                role.execute(statement)


def assert_that_the_mail_servers_read(server: Postgres) -> None:
    for name, denied in {"postfix": "mail_accounts", "dovecot": "mail_aliases"}.items():
        password = EXAMPLES[f"{name.upper()}_DATABASE_PASSWORD"]
        with psycopg.connect(
            f"postgresql://webmail_panel_{name}:{password}@127.0.0.1:{server.port}/{DATABASE}", autocommit=True
        ) as mail:
            assert mail.execute("SELECT address FROM mail_mailboxes").fetchall() == [("anna@firma.example",)]
            for table in ("mailboxes_user", denied):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    mail.execute(f"SELECT * FROM {table}")  # type: ignore[call-overload]


def test_at_every_up_the_panels_role_is_one_that_cannot_change_the_log(server: Postgres) -> None:
    assert "webmail_panel_postfix made\nwebmail_panel_dovecot made" in set_up(server)
    manage(server, "mailbox", "add", "anna@firma.example", "--create-domain")
    assert "webmail_panel_postfix changed\nwebmail_panel_dovecot changed" in set_up(server)
    assert_that_the_log_is_closed(server)
    assert_that_the_mail_servers_read(server)


def test_a_volume_of_an_earlier_version_where_the_panel_was_the_superuser(server: Postgres) -> None:
    as_before = {
        "DATABASE_URL": environment(SERVICES["setup"], server)["SETUP_DATABASE_URL"].replace(
            "/postgres", f"/{DATABASE}"
        ),
        "MAIL_DATABASE_PASSWORD": "of-both-mail-servers",
    }
    databases.fill(as_before["DATABASE_URL"])
    for command in (["mailrole", "both"], ["mailbox", "add", "anna@firma.example", "--create-domain"]):
        manage(server, *command, **as_before)
    set_up(server)
    assert_that_the_log_is_closed(server)
    assert_that_the_mail_servers_read(server)
    manage(server, "mailbox", "suspend", "anna@firma.example")


def test_a_dump_goes_back_as_the_documentation_says(server: Postgres, tmp_path: Path) -> None:
    set_up(server)
    manage(server, "mailbox", "add", "anna@firma.example", "--create-domain")
    documented = re.findall(r"pg_(?:dump|restore) -U[^<>]+", (ROOT / "docs" / "operate.md").read_text())
    dump, restore = (line.replace("\\\n", " ").replace("-U ", f"{local(server)} -U ").split() for line in documented)
    env = {**os.environ, "PGPASSWORD": EXAMPLES["POSTGRES_PASSWORD"]}
    file = tmp_path / "webmail-panel.dump"
    with file.open("wb") as output:
        subprocess.run([server.bin_dir / dump[0], *dump[1:]], env=env, stdout=output, check=True)
    manage(server, "mailbox", "add", "jan@firma.example")  # later than the dump
    with file.open("rb") as source:
        subprocess.run([server.bin_dir / restore[0], *restore[1:]], env=env, stdin=source, check=True)
    set_up(server)
    assert_that_the_log_is_closed(server)
    assert_that_the_mail_servers_read(server)


def local(server: Postgres) -> str:
    return f"--host=127.0.0.1 --port={server.port}"


def test_the_superusers_password_is_known_to_the_setup_alone() -> None:
    knowing = {name for name, service in SERVICES.items() if "POSTGRES_PASSWORD" in str(service)}
    assert knowing == {"setup", "postgres"}
    assert "POSTGRES_PASSWORD" not in str(COMPOSE["x-panel"])
