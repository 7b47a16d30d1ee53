"""Many mailboxes and aliases from a file, as a job: the preview, the work, the passwords, the way back."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from mailboxes import passwords, services
from mailboxes.models import Alias, Customer, DeletedAlias, Domain, Mailbox, User
from mailboxes.services import targets_of
from responders import tasks
from responders.many import batches, new_addresses
from responders.models import Batch
from tests.conftest import PASSWORD
from tests.small_steps import in_steps_of
from tests.web.test_company import boss, company
from tests.web.test_many_at_once import handed_over, told

__all__ = ["boss", "company", "handed_over"]  # fixtures

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
FILE = """address,name,quota_mb,targets
biuro@firma.example,,,jan@firma.example ewa@firma.example
jan@firma.example,Jan Żółw,,
ewa@firma.example,Ewa,,
x@cudza.example,,,
nie adres,,,
"""


@pytest.fixture(autouse=True)
def _december(mailbox: Mailbox, database_clock: Callable[[datetime], None], handed_over: list[int]) -> None:
    database_clock(NOW)


@pytest.fixture
def as_boss(boss: User) -> Client:
    """Who has typed her password a moment ago."""
    client = Client()
    client.post(reverse("account_login"), {"login": boss.email, "password": PASSWORD})
    return client


def send(client: Client, text: str) -> Any:
    file = SimpleUploadedFile("nowi.csv", text.encode())
    return client.post(reverse("batch_new", args=["make"]), {"file": file})


def begun(client: Client, text: str = FILE) -> Batch:
    answer = send(client, text)
    assert answer.status_code == 302, answer.text
    batch = Batch.objects.latest("pk")
    client.post(answer["Location"], {"do": "start"})
    return batch


def done(client: Client, text: str = FILE) -> Batch:
    batch = begun(client, text)
    tasks.run_batch(batch.pk)
    batch.refresh_from_db()
    assert batch.state == "done"
    return batch


def fetched(client: Client, batch: Batch) -> dict[str, str]:
    answer = client.get(reverse("batch_passwords", args=[batch.pk]))
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    _head, *rows = csv.reader(text.splitlines(), delimiter=";" if ";" in text.splitlines()[0] else ",")
    return dict(rows)


def test_a_file_is_looked_at_first_and_then_made(as_boss: Client, handed_over: list[int]) -> None:
    answer = send(as_boss, FILE)
    page = as_boss.get(answer["Location"])
    assert "will be made" in page.text
    assert "This is not a domain that you manage." in page.text
    assert not Mailbox.objects.filter(address="jan@firma.example").exists()
    batch = Batch.objects.get()
    assert told(batch) == {
        "jan@firma.example": "waiting", "ewa@firma.example": "waiting", "biuro@firma.example": "waiting",
        "x@cudza.example": "failed", "nie adres": "failed",
    }  # fmt: skip
    as_boss.post(answer["Location"], {"do": "start"})
    tasks.run_batch(batch.pk)
    assert set(told(batch).values()) == {"done", "failed"}
    assert Mailbox.objects.get(address="jan@firma.example").name == "Jan Żółw"
    assert targets_of(Alias.objects.get()) == ["ewa@firma.example", "jan@firma.example"]
    result = b"".join(as_boss.get(reverse("batch_result", args=[batch.pk])).streaming_content).decode()  # type: ignore[attr-defined]
    assert "cannot be made" in result


def test_the_passwords_are_right_and_stand_nowhere(as_boss: Client) -> None:
    batch = done(as_boss)
    found = fetched(as_boss, batch)
    assert found.keys() == {"jan@firma.example", "ewa@firma.example"}
    assert found == fetched(as_boss, batch)
    for address, password in found.items():
        assert User.objects.get(email=address).check_password(password)
    with connection.cursor() as cursor:
        cursor.execute("SELECT values::text FROM responders_batch UNION SELECT i::text FROM responders_batchitem i")
        stored = " ".join(row[0] for row in cursor.fetchall())
    assert not any(password in stored for password in found.values())


def test_when_they_are_forgotten_nobody_has_them_any_more(as_boss: Client) -> None:
    batch = done(as_boss)
    before = fetched(as_boss, batch)
    page = reverse("batch", args=[batch.pk])
    assert reverse("batch_passwords", args=[batch.pk]) in as_boss.get(page).text
    assert "forgotten the passwords" in as_boss.post(page, {"do": "forget"}, follow=True).text
    assert as_boss.get(reverse("batch_passwords", args=[batch.pk])).status_code == 404
    assert reverse("batch_passwords", args=[batch.pk]) not in as_boss.get(page).text
    assert "seed" not in Batch.objects.get().values
    assert User.objects.get(email="jan@firma.example").check_password(before["jan@firma.example"])


def test_a_day_after_the_end_they_are_forgotten_by_themselves(
    as_boss: Client, database_clock: Callable[[datetime], None]
) -> None:
    batch = done(as_boss)
    database_clock(NOW + timedelta(hours=23))
    tasks.go_on_with_batches()
    assert fetched(as_boss, batch)
    database_clock(NOW + timedelta(hours=25))
    tasks.go_on_with_batches()
    assert "seed" not in Batch.objects.get().values


def test_who_fetches_them_proves_who_they_are(as_boss: Client, boss: User) -> None:
    batch = done(as_boss)
    path = reverse("batch_passwords", args=[batch.pk])
    client = Client()
    client.force_login(boss)  # a session of long ago
    assert reverse("account_reauthenticate") in client.get(path)["Location"]
    assert client.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": path})["Location"] == path
    assert fetched(client, batch).keys() == {"jan@firma.example", "ewa@firma.example"}


def test_of_what_they_manage_no_more_they_have_none(as_boss: Client, boss: User) -> None:
    batch = done(as_boss)
    other = Domain.objects.create(name="druga.example", customer=Customer.objects.create(number="9"))
    other.customer.administrators.add(boss)  # type: ignore[union-attr]
    Mailbox.objects.filter(address="jan@firma.example").update(domain=other, local_part="jan")
    assert fetched(as_boss, batch).keys() == {"jan@firma.example", "ewa@firma.example"}
    boss.administers.remove(Domain.objects.get(name="firma.example").customer)  # type: ignore[arg-type]
    assert fetched(as_boss, batch).keys() == {"jan@firma.example"}
    boss.administers.set([Customer.objects.create(number="10")])
    Domain.objects.create(name="trzecia.example", customer=boss.administers.get())
    assert as_boss.get(reverse("batch_passwords", args=[batch.pk])).status_code == 404


def test_nobody_else_fetches_them(as_boss: Client, as_support: Client, client: Client, anna: User) -> None:
    batch = done(as_boss)
    client.force_login(anna)
    for other in (as_support, client, Client()):
        assert other.get(reverse("batch_passwords", args=[batch.pk])).status_code in {302, 404}
    as_support.post(reverse("batch", args=[batch.pk]), {"do": "forget"})
    assert fetched(as_boss, batch)


def test_what_is_made_after_they_were_forgotten_gets_others(as_boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    in_steps_of(1, monkeypatch)
    batch = begun(as_boss)
    assert batches._a_few(batch.pk, NOW)
    page = reverse("batch", args=[batch.pk])
    as_boss.post(page, {"do": "stop"})
    first = fetched(as_boss, batch)
    assert len(first) == 1
    as_boss.post(page, {"do": "forget"})
    as_boss.post(page, {"do": "start"})
    tasks.run_batch(batch.pk)
    rest = fetched(as_boss, batch)
    assert first.keys() | rest.keys() == {"jan@firma.example", "ewa@firma.example"}
    for address, password in (first | rest).items():
        assert User.objects.get(email=address).check_password(password)


def test_what_is_forgotten_while_it_is_made_stops_nothing(as_boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    in_steps_of(1, monkeypatch)
    batch = begun(as_boss)
    assert batches._a_few(batch.pk, NOW)
    first = fetched(as_boss, batch)
    as_boss.post(reverse("batch", args=[batch.pk]), {"do": "forget"})
    tasks.run_batch(batch.pk)
    rest = fetched(as_boss, batch)
    assert first.keys() | rest.keys() == {"jan@firma.example", "ewa@firma.example"}
    assert len(first) == len(rest) == 1
    for address, password in (first | rest).items():
        assert User.objects.get(email=address).check_password(password)


def test_whoever_starts_it_by_what_they_read_before_keeps_the_seed_that_is_there(as_boss: Client) -> None:
    stale = Batch.objects.get(pk=int(send(as_boss, FILE)["Location"].rstrip("/").rpartition("/")[2]))
    batches.start(Batch.objects.get(pk=stale.pk))
    batches.stop(Batch.objects.get(pk=stale.pk))
    seed = Batch.objects.get(pk=stale.pk).values["seed"]
    batches.start(stale)
    assert Batch.objects.get(pk=stale.pk).values["seed"] == seed


def test_an_alias_of_too_many_targets_is_a_problem_of_its_line(as_boss: Client) -> None:
    many = " ".join(f"x{number}@elsewhere.example" for number in range(services.MAX_TARGETS + 1))
    few = many.rpartition(" ")[0]
    batch = done(as_boss, f"address,targets\nwielu@firma.example,{many}\nmniej@firma.example,{few}\n")
    assert told(batch) == {"wielu@firma.example": "failed", "mniej@firma.example": "done"}
    assert "more than 200 targets" in batch.items.get(address="wielu@firma.example").note
    assert len(targets_of(Alias.objects.get())) == services.MAX_TARGETS


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_not_wait_for_another_one_at_the_same_job(as_boss: Client) -> None:
    batch = begun(as_boss)
    is_held, is_over = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
            is_held.set()
            is_over.wait(60)
        connections.close_all()

    other = Thread(target=hold)
    other.start()
    try:
        assert is_held.wait(60)
        assert batches.run(batch.pk, seconds=60)
        assert not Mailbox.objects.filter(address="jan@firma.example").exists()
    finally:
        is_over.set()
        other.join()
    assert batches.run(batch.pk, seconds=60)
    assert told(batch)["jan@firma.example"] == "done"


def test_with_another_secret_key_the_rest_gets_passwords_of_its_own(
    as_boss: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    in_steps_of(1, monkeypatch)
    batch = begun(as_boss)
    assert batches._a_few(batch.pk, NOW)
    batches.stop(batch)
    settings.SECRET_KEY = "another-" * 8
    batch.refresh_from_db()
    assert not new_addresses.has_passwords(batch)
    batches.start(batch)
    tasks.run_batch(batch.pk)
    batch.refresh_from_db()
    assert [row[0] for row in new_addresses.passwords_of(batch)][1:] == ["jan@firma.example"]
    assert "waiting" not in told(batch).values()


def test_all_of_it_is_taken_back_but_for_what_somebody_uses(as_boss: Client) -> None:
    batch = done(as_boss)
    User.objects.filter(email="ewa@firma.example").update(last_login=timezone.now())
    as_boss.post(reverse("batch", args=[batch.pk]), {"do": "take-back"})
    tasks.run_batch(batch.pk)
    assert told(batch) == {
        "jan@firma.example": "taken-back", "ewa@firma.example": "kept", "biuro@firma.example": "taken-back",
        "x@cudza.example": "failed", "nie adres": "failed",
    }  # fmt: skip
    assert Mailbox.objects.get(address="jan@firma.example").deleted_at is not None
    assert Mailbox.objects.get(address="ewa@firma.example").deleted_at is None
    assert not Alias.objects.exists()
    assert DeletedAlias.objects.count() == 1


def test_what_another_made_meanwhile_is_told_of_its_line_alone(as_boss: Client) -> None:
    batch = begun(as_boss)
    services.add_mailbox("ewa@firma.example")
    tasks.run_batch(batch.pk)
    assert told(batch)["ewa@firma.example"] == "failed"
    assert told(batch)["jan@firma.example"] == told(batch)["biuro@firma.example"] == "done"
    assert "mailbox already" in batch.items.get(address="ewa@firma.example").note


def test_whoever_administers_the_company_no_more_makes_nothing(as_boss: Client, boss: User) -> None:
    batch = begun(as_boss)
    boss.administers.clear()
    tasks.run_batch(batch.pk)
    assert set(told(batch).values()) == {"failed"}


@pytest.mark.parametrize(
    ("text", "words"), [("", "empty"), ("address\n", "no lines"), ("x,y\n1,2\n", "column"), ("\x00\xff", "")]
)
def test_a_file_that_is_none_is_refused_beside_its_field(as_boss: Client, text: str, words: str) -> None:
    answer = send(as_boss, text)
    assert answer.status_code == 422
    assert words in json.dumps(answer.context["form"].errors["file"])


def test_ten_thousand_are_planned_with_few_queries(
    as_boss: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    text = "address,name\n" + "".join(f"osoba{number}@firma.example,Osoba {number}\n" for number in range(10_000))
    with django_assert_max_num_queries(60):
        assert send(as_boss, text).status_code == 302
    batch = Batch.objects.get()
    assert batches.counts(batch) == {"waiting": 10_000}
    assert as_boss.get(reverse("batch", args=[batch.pk])).status_code == 200


def test_the_page_of_small_files_leads_there(as_boss: Client) -> None:
    assert reverse("batch_new", args=["make"]) in as_boss.get(reverse("address_import")).text


def test_a_password_of_a_seed_is_like_one_by_chance() -> None:
    made = {passwords.of_seed(b"seed", f"{number}@firma.example") for number in range(1_000)}
    assert len(made) == 1_000
    assert {len(password) for password in made} == {len(passwords.by_chance())}
    assert set("".join(made)) == {*passwords._CLEAR, "-"}
    assert passwords.of_seed(b"other", "1@firma.example") not in made
