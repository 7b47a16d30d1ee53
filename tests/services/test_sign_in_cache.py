"""The database tells whom Dovecot must forget, with the commit that concerns a sign-in; and what Dovecot is told."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.utils import timezone

from mailboxes import services
from mailboxes.models import AppPassword, Domain, Mailbox, User
from mailboxes.sign_in_cache import (
    AGAIN_AFTER,
    EVERYBODY,
    MANY,
    Changes,
    Following,
    Place,
    SignOuts,
    command,
    follow,
    mask,
    read_place,
    run,
)
from tests.committed import emptied_afterwards

ANNA = "anna@firma.example"
END = "the end"


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows are committed: a notice comes with the commit."""
    yield from emptied_afterwards(django_db_blocker)


@pytest.fixture
def changes(mailbox: Mailbox) -> Iterator[Changes]:
    parameters = connection.get_connection_params()
    not_libpqs = {"context", "cursor_factory", "prepare_threshold"}
    words = {name: value for name, value in parameters.items() if name not in not_libpqs}
    with Changes(psycopg.conninfo.make_conninfo(**words)) as changes:
        yield changes


@pytest.fixture
def told(changes: Changes) -> Callable[[], set[str]]:
    """Whom the database told of since the last time."""

    def since() -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('mail_sign_ins', %s)", [END])
        names: set[str] = set()
        while END not in names:
            names |= changes.within(60)
        return names - {END}

    return since


@pytest.fixture
def signed_out(changes: Changes, told: Callable[[], set[str]]) -> Callable[[], set[str]]:
    """Who is to be disconnected since the last time."""

    def since() -> set[str]:
        told()
        return changes.signed_out()

    return since


CHANGES: dict[str, Callable[[Mailbox], object]] = {
    "password": lambda box: User.objects.filter(pk=box.owner_id).update(password="argon2$argon2id$other"),
    "barred": lambda box: User.objects.filter(pk=box.owner_id).update(is_active=False),
    "second factor": lambda box: Authenticator.objects.create(user_id=box.owner_id, type="totp", data={}),
    "suspended": lambda box: Mailbox.objects.filter(pk=box.pk).update(is_active=False, suspended_at=timezone.now()),
    "space": lambda box: Mailbox.objects.filter(pk=box.pk).update(quota_mb=5),
    "another owner": lambda box: Mailbox.objects.filter(pk=box.pk).update(owner=None),
    "deleted": lambda box: Mailbox.objects.filter(pk=box.pk).delete(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_concerns_a_sign_in_is_told(mailbox: Mailbox, told: Callable[[], set[str]], change: Any) -> None:
    change(mailbox)
    assert told() == {ANNA}


def test_a_second_factor_that_ended_is_told(mailbox: Mailbox, told: Callable[[], set[str]]) -> None:
    factor = Authenticator.objects.create(user=mailbox.owner, type="totp", data={})
    assert told() == {ANNA}
    factor.delete()
    assert told() == {ANNA}


def test_a_new_app_password_is_nobodys_business_and_one_that_ended_is(
    mailbox: Mailbox, told: Callable[[], set[str]]
) -> None:
    made = AppPassword.objects.create(mailbox=mailbox, owner=mailbox.owner, name="phone", digest="0" * 64)
    assert told() == set()
    made.delete()
    assert told() == {ANNA}


def test_of_a_renamed_mailbox_both_addresses_are_told(mailbox: Mailbox, told: Callable[[], set[str]]) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(local_part="ania")
    assert told() == {ANNA, "ania@firma.example"}


@pytest.mark.parametrize("change", [{"is_active": False}, {"quota_mb": 3}])
def test_a_change_of_a_domain_concerns_everybody(
    mailbox: Mailbox, told: Callable[[], set[str]], change: dict[str, Any]
) -> None:
    Domain.objects.filter(pk=mailbox.domain.pk).update(**change)
    assert told() == {EVERYBODY}


def test_every_mailbox_of_an_owner_is_told(mailbox: Mailbox, told: Callable[[], set[str]]) -> None:
    Mailbox.objects.create(domain=mailbox.domain, local_part="info", owner=mailbox.owner)
    assert told() == set()
    CHANGES["password"](mailbox)
    assert told() == {ANNA, "info@firma.example"}


def test_what_does_not_concern_a_sign_in_is_not_told(mailbox: Mailbox, told: Callable[[], set[str]]) -> None:
    """A visit writes the time of it; a name is nobody's password."""
    User.objects.filter(pk=mailbox.owner_id).update(last_login=timezone.now(), name="Ania")
    Mailbox.objects.filter(pk=mailbox.pk).update(name="Ania", language="en")
    Domain.objects.filter(pk=mailbox.domain.pk).update(max_mailboxes=5)
    assert told() == set()


def give_password(box: Mailbox) -> object:
    return User.objects.filter(pk=box.owner_id).update(password="x", password_given_at=timezone.now())


def change_ones_own_password(box: Mailbox) -> object:
    return services.disconnect_programs(box.owner) if box.owner else None


DISCONNECT: dict[str, tuple[Callable[[Mailbox], object], str]] = {
    **{name: (CHANGES[name], ANNA) for name in ("barred", "second factor", "suspended", "another owner", "deleted")},
    "given password": (give_password, ANNA), "own password": (change_ones_own_password, ANNA),
    "renamed": (lambda box: Mailbox.objects.filter(pk=box.pk).update(local_part="ania"), ANNA),
    "domain": (lambda box: Domain.objects.filter(pk=box.domain.pk).update(is_active=False), "@firma.example"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "who"), DISCONNECT.values(), ids=DISCONNECT.keys())
def test_who_may_be_signed_in_no_more_is_to_be_disconnected(
    mailbox: Mailbox, signed_out: Callable[[], set[str]], change: Any, who: str
) -> None:
    change(mailbox)
    assert signed_out() == {who}
    assert signed_out() == set()


def test_nobody_is_disconnected_for_less(mailbox: Mailbox, signed_out: Callable[[], set[str]]) -> None:
    """A hash that is renewed at a sign-in, another space, a second key, a sign-in that is open again."""
    CHANGES["second factor"](mailbox)
    signed_out()
    CHANGES["password"](mailbox)
    CHANGES["space"](mailbox)
    Authenticator.objects.create(user=mailbox.owner, type="webauthn", data={})
    Authenticator.objects.create(user=mailbox.owner, type="recovery_codes", data={})
    Domain.objects.filter(pk=mailbox.domain.pk).update(quota_mb=3)
    assert signed_out() == set()
    User.objects.filter(pk=mailbox.owner_id).update(is_active=False)
    assert signed_out() == {ANNA}
    User.objects.filter(pk=mailbox.owner_id).update(is_active=True)
    assert signed_out() == set()


def test_a_program_whose_password_ended_is_disconnected(mailbox: Mailbox, signed_out: Callable[[], set[str]]) -> None:
    made = AppPassword.objects.create(mailbox=mailbox, owner=mailbox.owner, name="phone", digest="0" * 64)
    assert signed_out() == set()
    made.delete()
    assert signed_out() == {ANNA}


@pytest.mark.usefixtures("db")
def test_everything_that_the_look_up_reads_is_known_to_a_trigger() -> None:
    """A view that reads one more table needs a trigger there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT table_name FROM information_schema.view_table_usage"
            " WHERE view_name IN ('mail_accounts', 'mail_app_passwords', 'mail_mailboxes')"
        )
        read = {name for (name,) in cursor.fetchall()}
        cursor.execute(
            "SELECT DISTINCT t.tgrelid::regclass::text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE p.prosrc LIKE '%mail_sign_ins%'"
        )
        watched = {name for (name,) in cursor.fetchall()}
    assert read == watched


def test_few_are_named_and_of_many_everybody_is_forgotten() -> None:
    beginning = b"VERSION\t1\t0\nCACHE-FLUSH\t1"
    assert command(["b@x", "a@x"]) == beginning + b"\ta@x\tb@x\n"
    assert command(["b@x", EVERYBODY]) == beginning + b"\n"
    assert command(f"{number}@x" for number in range(MANY + 1)) == beginning + b"\n"
    assert command(["a@x\nPASS\t2\tb@x"]) == beginning + b"\n"
    assert command(f"{'x' * 60}{number}@firma.example" for number in range(20)) == beginning + b"\n"  # no longer line


def test_a_notice_disconnects_nobody_but_whom_it_names() -> None:
    """Whoever may connect to the database may send one."""
    assert [mask(name) for name in (ANNA, "@firma.example")] == [ANNA, "*@firma.example"]
    assert [mask(name) for name in ("*@firma.example", "a*b@firma.example", "@*")] == [
        "?@firma.example", "a?b@firma.example", "*@?",
    ]  # fmt: skip
    assert mask("-f@firma.example") == "?f@firma.example"  # no option
    assert {mask(name) for name in ("", "*", "anna", "a@b\tkick\tc@d", "a@b\n", "a@b@c", "@")} == {""}


def test_whoever_is_disconnected_is_so_once_more_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in with the old password that was on its way came to its end in between."""
    kicked: list[tuple[float, set[str]]] = []
    clock = [0.0]
    monkeypatch.setattr("mailboxes.sign_in_cache.kick", lambda _path, names: kicked.append((clock[0], set(names))))
    sign_outs = SignOuts("/run/kick", lambda: clock[0])
    sign_outs.expect({"a@x"})
    sign_outs.end()
    clock[0] = AGAIN_AFTER - 1
    sign_outs.expect({"b@x"})
    sign_outs.end()
    clock[0] = AGAIN_AFTER
    sign_outs.end()
    assert kicked == [(0.0, {"a@x"}), (AGAIN_AFTER - 1, {"b@x"}), (AGAIN_AFTER, {"a@x"})]


def test_with_the_file_of_an_earlier_version_nobody_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "conf"
    path.write_text("[sign-ins]\ndatabase = host=x\nsocket = /run/x-master\n")
    place = read_place(path)
    monkeypatch.setattr("mailboxes.sign_in_cache.kick", lambda _path, _names: pytest.fail("asked"))
    sign_outs = SignOuts(place.kick, lambda: 0.0)
    sign_outs.expect({"a@x"})
    sign_outs.end()


def test_who_could_not_be_disconnected_is_so_as_soon_as_dovecot_is_back(
    mailbox: Mailbox, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away as it was to forget, then as it was to disconnect, then at the second time."""
    away = {"forget", "kick"}
    said: list[set[str]] = []
    clock = [0.0]

    def answer(what: str, names: set[str]) -> None:
        if what in away:
            raise ConnectionRefusedError
        if what == "kick":
            said.append(set(names))

    monkeypatch.setattr("mailboxes.sign_in_cache.forget", lambda _path, names: answer("forget", set(names)))
    monkeypatch.setattr("mailboxes.sign_in_cache.kick", lambda _path, names: answer("kick", set(names)))
    sign_outs = SignOuts("/run/kick", lambda: clock[0])
    following = Following(Place("", "/run/auth", "/run/kick"), changes, sign_outs)
    CHANGES["barred"](mailbox)
    told = following.within(60)
    with pytest.raises(ConnectionRefusedError):
        following.pass_on(told)
    away.discard("forget")
    following.pass_on({EVERYBODY})
    assert said == []
    away.discard("kick")
    assert following.within(0) == set()
    assert said == [{ANNA}]
    away.add("kick")
    clock[0] = AGAIN_AFTER
    sign_outs.end()
    away.clear()
    following.pass_on({EVERYBODY})
    following.pass_on({EVERYBODY})
    assert said == [{ANNA}, {ANNA}]


class Lost:
    """A connection over which somebody was named before it broke; the second time there is no more to tell."""

    connections = 0

    def __init__(self, _database: str) -> None:
        Lost.connections += 1
        self._names: set[str] = set()

    def __enter__(self) -> "Lost":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def within(self, _seconds: float) -> set[str]:
        if Lost.connections > 1:
            raise Ended
        self._names = {ANNA}
        raise TimeoutError

    def signed_out(self) -> set[str]:
        return self._names


def test_who_was_told_before_the_database_went_away_is_disconnected_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[set[str]] = []
    monkeypatch.setattr(Lost, "connections", 0)
    monkeypatch.setattr("mailboxes.sign_in_cache.Changes", Lost)
    monkeypatch.setattr("mailboxes.sign_in_cache.RETRY", 0)
    monkeypatch.setattr("mailboxes.sign_in_cache.forget", lambda _path, _names: None)
    monkeypatch.setattr("mailboxes.sign_in_cache.kick", lambda _path, names: ended.append(set(names)))
    with pytest.raises(Ended):
        run(Place("", "/run/auth", "/run/kick"))
    assert ended == [{ANNA}]


class Ended(Exception):
    """No more is told."""


def test_it_begins_with_everybody_and_says_everything_twice() -> None:
    """What was told before it listened is made good; the second time is for look-ups that were on their way."""
    forgotten: list[tuple[float, set[str]]] = []
    clock = [0.0]
    news = {2.0: {"a@x"}, 3.0: {"b@x"}}

    def within(seconds: float) -> set[str]:
        end = clock[0] + seconds
        clock[0] = min([end, *(at for at in news if clock[0] < at)])
        if clock[0] > 3 * AGAIN_AFTER:
            raise Ended
        return news.get(clock[0], set())

    with contextlib.suppress(Ended):
        follow(within, lambda names: forgotten.append((clock[0], names)), lambda: clock[0])
    assert forgotten == [
        (0.0, {EVERYBODY}), (2.0, {"a@x"}), (3.0, {"b@x"}),
        (AGAIN_AFTER, {EVERYBODY}), (2.0 + AGAIN_AFTER, {"a@x"}), (3.0 + AGAIN_AFTER, {"b@x"}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("[other]\n", "sign-ins"),
        ("[sign-ins]\nsocket = x\n", "database"),
        ("\x00", "cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "conf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=said) as error:
        read_place(path)
    assert "\n" not in str(error.value)


def test_a_password_with_anything_in_it_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("[sign-ins]\ndatabase = host=x password=a%(b)s;=!\nsocket = /run/x-master\n")
    assert read_place(path).database == "host=x password=a%(b)s;=!"
