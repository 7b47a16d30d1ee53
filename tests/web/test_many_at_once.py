"""Many mailboxes changed at once: the preview, the work, stopping, the result, the way back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from kombu.exceptions import OperationalError

from mailboxes import hosting
from mailboxes.models import Customer, Delegation, Domain, Mailbox, User
from responders import services, tasks, validation
from responders.many import batch_scope, batches
from responders.models import Batch, BatchItem, Responder, ResponderEvent
from tests.conftest import PASSWORD
from tests.small_steps import in_steps_of

CLOSED = {
    "type": "absence", "from_date": "2026-12-24T17:00", "to_date": "2027-01-02T08:00", "subject": "Biuro nieczynne",
    "text_body": "Wracamy {{ absence.return_date }}.", "language": "pl", "order": "after", "reason": "Telefon",
    "other_language": "en", "other_text": "We are closed.",
}  # fmt: skip
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _december(database_clock: Callable[[datetime], None], handed_over: list[int]) -> None:
    database_clock(NOW)


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What would be a task of a worker's: the tests do it themselves."""
    handed: list[int] = []
    monkeypatch.setattr(tasks.run_batch, "delay", handed.append)
    return handed


@pytest.fixture
def five(mailbox: Mailbox) -> list[Mailbox]:
    """Four colleagues of Anna's, one with a mailbox in London."""
    names = ["ewa", "jan", "ola", "piotr"]
    made = [Mailbox.objects.create(domain=mailbox.domain, local_part=name, name=name.title()) for name in names]
    Mailbox.objects.filter(pk=made[1].pk).update(time_zone="Europe/London")
    return [mailbox, *made]


def plan(client: Client, kind: str, **values: Any) -> Batch:
    answer = client.post(reverse("batch_new", args=[kind]), values)
    assert answer.status_code == 302, answer.content.decode()[:20_000]
    return Batch.objects.latest("pk")


def told(batch: Batch) -> dict[str, str]:
    return dict(batch.items.values_list("address", "state"))


def finish(batch: Batch) -> None:
    assert batches.run(batch.pk, seconds=60)
    batch.refresh_from_db()


def test_an_office_is_closed_and_open_again(as_support: Client, five: list[Mailbox], handed_over: list[int]) -> None:
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    assert set(told(batch).values()) == {"waiting"}
    assert not Responder.objects.exists()  # a preview changes nothing
    as_support.post(reverse("batch", args=[batch.pk]), {"do": "start"})
    finish(batch)
    assert batch.state == "done"
    rows = {row.mailbox.local_part: row for row in Responder.objects.select_related("mailbox")}
    assert len(rows) == 5
    assert rows["anna"].from_utc == datetime(2026, 12, 24, 16, 0, tzinfo=UTC)
    assert rows["jan"].from_utc == datetime(2026, 12, 24, 17, 0, tzinfo=UTC)  # in the mailbox's own zone
    assert rows["ewa"].texts[0]["text_body"] == "We are closed."
    assert ResponderEvent.objects.filter(reason="Telefon", kind="created").count() == 5
    as_support.post(reverse("batch", args=[batch.pk]), {"do": "take-back"})
    finish(batch)
    assert batch.state == "taken-back"
    assert not Responder.objects.exists()
    assert set(told(batch).values()) == {"taken-back"}


def test_when_it_was_done_is_said_in_the_readers_zone(as_support: Client, five: list[Mailbox], support: User) -> None:
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    pages = [reverse("batches"), reverse("batch", args=[batch.pk])]
    Batch.objects.update(created_at=datetime(2026, 7, 1, 23, 30, tzinfo=UTC))
    for page in pages:
        assert "2 July 2026, 01:30 CEST" in as_support.get(page, headers={"accept-language": "en"}).text
    Mailbox.objects.filter(pk=five[2].pk).update(owner=support)
    for page in pages:
        assert "2 July 2026, 00:30 BST" in as_support.get(page, headers={"accept-language": "en"}).text


def test_the_tasks_are_handed_over_once_the_change_is_stored(
    as_support: Client, five: list[Mailbox], handed_over: list[int],
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    with django_capture_on_commit_callbacks(execute=True):
        as_support.post(reverse("batch", args=[batch.pk]), {"do": "start"})
    assert handed_over == [batch.pk]


def test_without_a_broker_it_is_begun_all_the_same(
    as_support: Client, five: list[Mailbox], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any,
    handed_over: list[int],
) -> None:  # fmt: skip
    batch = plan(as_support, "set", where="firma.example", **CLOSED)

    def broken(_pk: int) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.run_batch, "delay", broken)
    with django_capture_on_commit_callbacks(execute=True):
        assert as_support.post(reverse("batch", args=[batch.pk]), {"do": "start"}).status_code == 302
    monkeypatch.setattr(tasks.run_batch, "delay", handed_over.append)
    assert tasks.go_on_with_batches() == 1
    assert handed_over == [batch.pk]


def test_what_was_changed_since_is_not_taken_back(as_support: Client, five: list[Mailbox], anna: User) -> None:
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    batches.start(batch)
    finish(batch)
    row = five[0].responders.get()
    values = validation.as_input(row)
    services.save_responder(five[0], validation.replace(values, subject="Moje"), actor=anna, now=NOW, responder=row)
    batches.take_back(batch)
    finish(batch)
    assert told(batch)["anna@firma.example"] == "kept"
    assert list(Responder.objects.values_list("subject", flat=True)) == ["Moje"]


@pytest.mark.parametrize(
    ("order", "position", "state"), [("after", 1, "done"), ("first", 0, "done"), ("skip", None, "skipped")]
)
def test_whose_own_answers_first(
    as_support: Client, standing_reply: Responder, order: str, position: int | None, state: str
) -> None:
    batch = plan(as_support, "set", where="firma.example", **CLOSED | {"order": order})
    batches.start(batch)
    finish(batch)
    assert list(told(batch).values()) == [state]
    found = Responder.objects.filter(subject="Biuro nieczynne").values_list("position", flat=True).first()
    assert found == position
    positions = list(Responder.objects.order_by("position").values_list("position", flat=True))
    assert positions == list(range(len(positions)))


def test_the_same_twice_is_done_once(as_support: Client, five: list[Mailbox]) -> None:
    for _number in range(2):
        batch = plan(as_support, "set", where="firma.example, anna@firma.example", **CLOSED)
        batches.start(batch)
        finish(batch)
    assert Responder.objects.count() == 5
    assert set(told(batch).values()) == {"skipped"}


def test_a_file_says_more_of_each_mailbox(as_support: Client, five: list[Mailbox]) -> None:
    text = (
        "Adres;Od;Do;Temat\r\nanna@firma.example;24.12.2026 12:00;;\r\nEWA@firma.example;;;=SUMA(A1)\r\n"
        "obcy@inna.example;;;\r\njan@firma.example;wczoraj;;\r\n;;;\r\n"
    )
    file = SimpleUploadedFile("święta.csv", text.encode("cp1250"))
    batch = plan(as_support, "set", file=file, **CLOSED)
    assert told(batch) == {
        "anna@firma.example": "waiting", "EWA@firma.example": "waiting", "obcy@inna.example": "failed",
        "jan@firma.example": "failed",
    }  # fmt: skip
    batches.start(batch)
    finish(batch)
    assert five[0].responders.get().from_date == datetime(2026, 12, 24, 12, 0)
    assert five[1].responders.get().subject == "=SUMA(A1)"
    answer = as_support.get(reverse("batch_result", args=[batch.pk]))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 5
    assert any("wczoraj" in line for line in lines)


@pytest.mark.parametrize(
    "date", ["0001-01-01 08:00", "9999-12-31 23:59", "2026-12-24T17:00Z", "2026-12-24 17:00+01:00", "0001-01-01"]
)
def test_a_date_that_no_zone_knows_or_of_another_zone_is_told_of_its_row(
    as_support: Client, five: list[Mailbox], date: str
) -> None:
    file = SimpleUploadedFile("x.csv", f"address;from\nanna@firma.example;{date}\newa@firma.example;\n".encode())
    batch = plan(as_support, "set", file=file, **CLOSED | {"from_date": "", "to_date": ""})
    assert told(batch) == {"anna@firma.example": "failed", "ewa@firma.example": "waiting"}
    assert "2026-12-24 17:00." in batch.items.get(address="anna@firma.example").note


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + b"\0" * 200, "CSV"), (b"name;phone\r\na;b\r\n", "address"), (b"", "empty"),
        (b"address\r\n", "no mailbox"), (b'address\n"' + b"x" * 200_000, "CSV"), (b"\xff\xfe\x00\x01", "address"),
        (b"address\n" + b"x" * (5 * 1024 * 1024), "5 MB"), (b"address\n" + b"a@b\n" * 20_001, "20000"),
    ],
    ids=["zip", "no-address", "empty", "no-rows", "endless-cell", "binary", "large", "many-rows"],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_beside_its_field(
    as_support: Client, five: list[Mailbox], content: bytes, words: str
) -> None:
    values = CLOSED | {"file": SimpleUploadedFile("x.csv", content)}
    answer = as_support.post(reverse("batch_new", args=["set"]), values, headers={"Accept-Language": "en"})
    assert answer.status_code == 422
    assert words in str(answer.context["form"].errors["file"])
    assert not Batch.objects.exists()
    assert "Biuro nieczynne" in answer.content.decode()  # what was typed is still there


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("set", {"where": "nie-ma.example"}, "where"), ("set", {"where": ""}, "where"),
        ("set", {"where": "firma.example", "reason": ""}, "reason"),
        ("set", {"where": "firma.example", "text_body": "{{ nic }}"}, "text_body"),
        ("set", {"where": "firma.example", "other_text": "{% for x in y %}"}, "other_text"),
        ("set", {"where": "firma.example", "other_text": ""}, "other_text"),
        ("set", {"where": "firma.example", "other_language": ""}, "other_language"),
        ("set", {"where": "firma.example", "to_date": "2020-01-01T00:00"}, "to_date"),
        ("set", {"where": "firma.example", "from_date": "2027-03-28T02:30", "to_date": ""}, "from_date"),
        ("end", {"where": "firma.example", "types": []}, "types"),
        ("leave", {"where": "anna@firma.example", "successor": ""}, "successor"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_beside_the_field(
    as_support: Client, five: list[Mailbox], kind: str, values: dict[str, Any], field: str
) -> None:
    answer = as_support.post(reverse("batch_new", args=[kind]), CLOSED | values)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors


def test_everything_that_answers_is_ended(as_support: Client, five: list[Mailbox], standing_reply: Responder) -> None:
    batch = plan(as_support, "set", where="firma.example", **CLOSED | {"from_date": ""})
    batches.start(batch)
    finish(batch)
    ending = plan(as_support, "end", where="firma.example", types=["absence"], words="biuro", reason="Otwarte")
    assert "Biuro nieczynne" in ending.items.get(address="anna@firma.example").note
    batches.start(ending)
    finish(ending)
    assert set(Responder.objects.filter(is_enabled=True)) == {standing_reply}
    rest = plan(as_support, "end", where="firma.example", types=["standing"], words="", reason="Otwarte")
    assert rest.items.get(state="waiting").note == "Ends: “Auto: …”"
    batches.take_back(ending)
    finish(ending)
    assert Responder.objects.filter(is_enabled=True).count() == 6


def test_somebody_leaves_and_comes_back(
    as_support: Client, five: list[Mailbox], anna: User, database_clock: Callable[[datetime | None], None]
) -> None:
    page = as_support.get(reverse("batch_new", args=["leave"]) + "?for=anna@firma.example")
    typed = {
        name: page.context["form"][name].value() for name in ("subject", "text_body", "language", "other_language")
    }
    typed |= {
        "other_text": "Gone.",
        "successor": "ewa@firma.example",
        "days": "30",
        "blocks_sign_in": "on",
        "reason": "x",
    }
    batch = plan(as_support, "leave", where="anna@firma.example", **typed)
    assert f"Mail goes there from {NOW + timedelta(days=30):%-d %B %Y}." in batch.items.get().note
    batches.start(batch)
    finish(batch)
    row = five[0].responders.get()
    assert (row.type, row.deputy_address, row.position) == ("standing", "ewa@firma.example", 0)
    anna.refresh_from_db()
    assert not anna.is_active
    assert targets("anna@firma.example") == []
    database_clock(NOW + timedelta(days=30))
    assert targets("anna@firma.example") == ["ewa@firma.example"]
    assert not Client().login(email=anna.email, password=PASSWORD)
    database_clock(NOW + timedelta(days=13))
    batches.take_back(batch)
    finish(batch)
    anna.refresh_from_db()
    assert anna.is_active
    assert targets("anna@firma.example") == []
    assert not five[0].responders.exists()


def targets(address: str) -> list[str]:
    """Where Postfix would take mail for the address, beside the mailbox."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT target FROM mail_aliases WHERE address = %s", [address])
        return [target for (target,) in cursor.fetchall()]


def test_a_sign_in_that_opens_other_mailboxes_stays(as_support: Client, five: list[Mailbox], anna: User) -> None:
    Mailbox.objects.filter(pk=five[2].pk).update(owner=anna)
    values = {"successor": "ewa@firma.example", "days": "", "blocks_sign_in": "on"}
    batch = plan(as_support, "leave", where="anna@firma.example", **CLOSED | values)
    batches.start(batch)
    finish(batch)
    anna.refresh_from_db()
    assert anna.is_active
    assert told(batch) == {"anna@firma.example": "done"}


def test_who_looked_after_a_colleagues_mailbox_is_blocked_all_the_same(
    as_support: Client, five: list[Mailbox], anna: User
) -> None:
    Delegation.objects.create(mailbox=five[1], user=anna)
    values = {"successor": "ewa@firma.example", "days": "", "blocks_sign_in": "on"}
    batch = plan(as_support, "leave", where="anna@firma.example", **CLOSED | values)
    assert "The sign-in is blocked." in batch.items.get().note
    batches.start(batch)
    finish(batch)
    anna.refresh_from_db()
    assert not anna.is_active


@pytest.mark.parametrize(
    "successor", ["obcy@inna.example", "anna@firma.example", "nikt@firma.example", "ola@firma.example", "x"]
)
def test_mail_goes_to_a_colleague_only(
    as_support: Client, five: list[Mailbox], somebody_elses: Mailbox, successor: str
) -> None:
    hosting.delete_mailbox(five[3], now=NOW, actor=None)
    batch = plan(as_support, "leave", where="anna@firma.example", **CLOSED | {"successor": successor, "days": "1"})
    assert told(batch) == {"anna@firma.example": "failed"}


def test_a_responder_is_copied_with_everything_of_it(as_support: Client, five: list[Mailbox]) -> None:
    values = validation.ResponderInput(
        type="standing", is_enabled=True, from_date=None, to_date=None, time_zone="Europe/Warsaw", subject="Sprawa",
        text_body="Nr {{ case.number }}", gives_case_numbers=True, words=("reklamacja",), html_body="<p>Nr</p>",
        addresses=("anna@firma.example",),
    )  # fmt: skip
    row = services.save_responder(five[0], values, actor=None, now=NOW)
    path = f"{reverse('batch_new', args=['set'])}?copy={row.pk}"
    form = as_support.get(path).context["form"]
    typed = {name: form[name].value() or "" for name in ("type", "subject", "text_body", "language")}
    answer = as_support.post(path, typed | {"where": "firma.example", "order": "after", "reason": "x"})
    assert answer.status_code == 302
    batch = Batch.objects.get()
    batches.start(batch)
    finish(batch)
    assert told(batch)["anna@firma.example"] == "done"  # hers is for one address only
    copied = five[1].responders.get()
    assert (copied.words, copied.html_body, copied.gives_case_numbers) == (["reklamacja"], "<p>Nr</p>", True)
    assert copied.addresses == []


def test_a_company_administrator_changes_the_company_alone(
    client: Client, five: list[Mailbox], somebody_elses: Mailbox, anna: User
) -> None:
    company = Customer.objects.create(name="Firma", number="K-1")
    Domain.objects.filter(name="firma.example").update(customer=company)
    assert as_status(client, anna) == 404
    company.administrators.add(anna)
    assert as_status(client, anna) == 200
    values = {name: value for name, value in CLOSED.items() if name != "reason"}
    batch = plan(client, "set", where="k-1, obcy@inna.example", **values)
    assert told(batch)["obcy@inna.example"] == "failed"
    batches.start(batch)
    finish(batch)
    assert Responder.objects.count() == 5
    assert not ResponderEvent.objects.exclude(reason="").exists()  # it is the company's own business
    with pytest.raises(batch_scope.UnknownScope):
        batch_scope.rows_for(anna, ["inna.example"])


def as_status(client: Client, person: User) -> int:
    client.force_login(User.objects.get(pk=person.pk))
    return client.get(reverse("batches")).status_code


def test_batches_of_others_are_not_there(client: Client, as_support: Client, five: list[Mailbox], anna: User) -> None:
    company = Customer.objects.create(name="Firma", number="K-1")
    company.administrators.add(anna)
    Domain.objects.filter(name="firma.example").update(customer=company)
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    client.force_login(anna)
    assert client.get(reverse("batch", args=[batch.pk])).status_code == 404
    assert client.post(reverse("batch", args=[batch.pk]), {"do": "start"}).status_code == 404
    assert client.get(reverse("batch_result", args=[batch.pk])).status_code == 404


def test_it_stops_and_goes_on(as_support: Client, five: list[Mailbox], monkeypatch: pytest.MonkeyPatch) -> None:
    in_steps_of(2, monkeypatch)
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    batches.start(batch)
    assert not batches.run(batch.pk, seconds=0)
    assert batches._a_few(batch.pk, NOW)
    page = as_support.get(reverse("batch", args=[batch.pk]), headers={"HX-Request": "true"})
    assert b'value="2"' in page.content
    as_support.post(reverse("batch", args=[batch.pk]), {"do": "stop"})
    finish(batch)
    assert (batch.state, Responder.objects.count()) == ("stopped", 2)
    as_support.post(reverse("batch", args=[batch.pk]), {"do": "start"})
    finish(batch)
    assert (batch.state, Responder.objects.count()) == ("done", 5)


def test_one_that_fails_leaves_the_others_alone(
    as_support: Client, five: list[Mailbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    take_in = services._take_in

    def broken(row: Responder, mailbox: Mailbox, *args: Any) -> dict[str, list[Any]]:
        if mailbox.local_part == "jan":
            raise RuntimeError("planted")
        return take_in(row, mailbox, *args)

    monkeypatch.setattr(services, "_take_in", broken)
    batches.start(batch)
    finish(batch)
    assert told(batch)["jan@firma.example"] == "failed"
    assert Responder.objects.count() == 4  # what it had done is undone with it


def test_one_that_the_database_refuses_leaves_the_others_alone(as_support: Client, five: list[Mailbox]) -> None:
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    with connection.cursor() as cursor:
        cursor.execute(REFUSE_JAN)
    batches.start(batch)
    finish(batch)
    assert told(batch) == dict.fromkeys(told(batch), "done") | {"jan@firma.example": "failed"}
    assert ResponderEvent.objects.filter(kind="created").count() == 4


# Found at the end of the transaction only, as a position that is taken is.
REFUSE_JAN = """
CREATE FUNCTION no_jan() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM mailboxes_mailbox WHERE id = NEW.mailbox_id AND local_part = 'jan') THEN
        RAISE EXCEPTION 'planted' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER no_jan AFTER INSERT ON responders_responder DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION no_jan();
"""


def test_a_mailbox_that_a_file_names_twice_gets_both(as_support: Client, five: list[Mailbox]) -> None:
    text = "Adres;Temat\r\nanna@firma.example;Raz\r\nANNA@firma.example;Dwa\r\nanna@firma.example;Raz\r\n"
    batch = plan(as_support, "set", file=SimpleUploadedFile("dwa.csv", text.encode()), **CLOSED)
    batches.start(batch)
    finish(batch)
    assert list(batch.items.values_list("state", flat=True)) == ["done", "done", "skipped"]
    assert list(five[0].responders.order_by("position").values_list("subject", flat=True)) == ["Raz", "Dwa"]


def test_of_two_that_were_ended_none_is_taken_back_where_one_is_another_now(
    as_support: Client, five: list[Mailbox], anna: User
) -> None:
    for subject in ("Raz", "Dwa"):
        batch = plan(as_support, "set", where="firma.example", **CLOSED | {"from_date": "", "subject": subject})
        batches.start(batch)
        finish(batch)
    ending = plan(as_support, "end", where="firma.example", types=["absence"], words="", reason="Otwarte")
    batches.start(ending)
    finish(ending)
    services.delete_responder(five[0].responders.get(subject="Dwa"), actor=anna, now=NOW)
    batches.take_back(ending)
    finish(ending)
    assert told(ending) == dict.fromkeys(told(ending), "taken-back") | {"anna@firma.example": "kept"}
    assert not five[0].responders.filter(is_enabled=True).exists()
    assert Responder.objects.filter(is_enabled=True).count() == 8


def test_two_hundred_are_done_and_taken_back_with_few_queries(
    as_support: Client, mailbox: Mailbox, django_assert_max_num_queries: Any
) -> None:
    Mailbox.objects.bulk_create(Mailbox(domain=mailbox.domain, local_part=f"m{number}") for number in range(150))
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    batches.start(batch)
    with django_assert_max_num_queries(30):
        assert batches._a_few(batch.pk, NOW)
    finish(batch)
    assert Responder.objects.count() == 151
    batches.take_back(batch)
    with django_assert_max_num_queries(50):
        assert batches._a_few(batch.pk, NOW)
    assert not Responder.objects.exists()
    assert ResponderEvent.objects.filter(undoes__isnull=False).count() == 151


def test_what_a_killed_worker_left_is_taken_up_again(
    as_support: Client, five: list[Mailbox], handed_over: list[int], database_clock: Callable[[datetime], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    in_steps_of(2, monkeypatch)
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    batches.start(batch)
    assert batches._a_few(batch.pk, NOW)  # and then it was killed
    assert tasks.go_on_with_batches() == 0  # it may be alive yet
    database_clock(NOW + timedelta(minutes=3))
    assert tasks.go_on_with_batches() == 1
    tasks.run_batch(handed_over[-1])
    assert Responder.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_nothing_twice(as_support: Client, five: list[Mailbox], monkeypatch: pytest.MonkeyPatch) -> None:
    in_steps_of(1, monkeypatch)
    batch = plan(as_support, "set", where="firma.example", **CLOSED)
    batches.start(batch)

    def work() -> None:
        batches.run(batch.pk, seconds=60)
        connections.close_all()

    workers = [Thread(target=work) for _number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Responder.objects.count() == 5
    assert set(told(batch).values()) == {"done"}
    assert Batch.objects.get().state == "done"


def test_ten_thousand_are_planned_with_few_queries(
    as_support: Client, mailbox: Mailbox, django_assert_max_num_queries: Any
) -> None:
    Mailbox.objects.bulk_create(Mailbox(domain=mailbox.domain, local_part=f"m{number}") for number in range(2_500))
    with django_assert_max_num_queries(40):
        batch = plan(as_support, "set", where="firma.example", **CLOSED)
    assert batch.items.count() == 2_501
    with django_assert_max_num_queries(14):
        assert as_support.get(reverse("batch", args=[batch.pk])).status_code == 200


def test_the_list_shows_what_was_done(as_support: Client, five: list[Mailbox]) -> None:
    plan(as_support, "set", where="firma.example", **CLOSED)
    page = as_support.get(reverse("batches"))
    assert b"firma.example" in page.content
    assert BatchItem.objects.count() == 5
