"""What people and tasks do to responders, on a real database."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection
from django.utils import translation

from mailboxes.models import Mailbox, User
from responders import history, sentences, services, validation
from responders.core.facts import Text
from responders.core.schedule import State
from responders.models import Responder, ResponderEvent

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ABSENCE = validation.ResponderInput(
    type="absence",
    is_enabled=True,
    from_date=datetime(2026, 12, 24, 17, 0),
    to_date=datetime(2027, 1, 4, 8, 0),
    time_zone="Europe/Warsaw",
    subject="Auto: {{ subject }}",
    text_body="Nie ma mnie do {{ absence.end }}.",
)
START, END = datetime(2026, 12, 24, 16, 0, tzinfo=UTC), datetime(2027, 1, 4, 7, 0, tzinfo=UTC)


@pytest.fixture
def absence(mailbox: Mailbox, anna: User) -> Responder:
    return services.save_responder(mailbox, ABSENCE, actor=anna, now=NOW)


def events(row: Responder) -> list[tuple[str, datetime]]:
    return list(ResponderEvent.objects.filter(responder=row).order_by("id").values_list("kind", "at"))


def test_a_window_is_kept_as_typed_and_computed_in_utc(absence: Responder) -> None:
    absence.refresh_from_db()
    assert (absence.from_date, absence.to_date) == (ABSENCE.from_date, ABSENCE.to_date)
    assert (absence.from_utc, absence.to_utc) == (START, END)
    assert absence.time_zone == "Europe/Warsaw"


def test_saving_again_unchanged_moves_no_date(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    for _ in range(3):
        stored = Responder.objects.get()
        services.save_responder(mailbox, validation.as_input(stored), actor=anna, now=NOW, responder=stored)
    stored = Responder.objects.get()
    assert (stored.from_date, stored.to_utc) == (ABSENCE.from_date, END)
    assert (stored.text_revision, stored.activation) == (1, 1)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"to_date": datetime(2026, 12, 24, 17, 0)}, "to_date", "later than the start"),
        ({"from_date": datetime(2027, 3, 28, 2, 30)}, "from_date", "01:59 and 03:00"),
        ({"to_date": datetime(2027, 10, 31, 2, 30)}, "to_date", "01:59 and 03:00"),
        ({"from_date": None, "to_date": datetime(2026, 11, 1)}, "to_date", "in the past"),
        ({"subject": " "}, "subject", "Write a subject"),
        ({"text_body": ""}, "text_body", "Write the text"),
        ({"text_body": "{{ sender.nmae }}"}, "text_body", "sender.nmae"),
        ({"text_body": "{% if subject %}x"}, "text_body", "if"),
        ({"interval_days": 0}, "interval_days", "At least one day"),
        ({"type": "vacation"}, "type", "Choose one"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(
    mailbox: Mailbox, anna: User, change: dict[str, object], field: str, words: str
) -> None:
    with pytest.raises(validation.ResponderInvalid) as caught:
        services.save_responder(mailbox, replace(ABSENCE, **change), actor=anna, now=NOW)
    assert words in " ".join(caught.value.errors[field])
    assert not Responder.objects.exists()


def test_a_standing_reply_has_no_dates(mailbox: Mailbox, anna: User) -> None:
    row = services.save_responder(mailbox, replace(ABSENCE, type="standing"), actor=anna, now=NOW)
    assert (row.from_date, row.to_date, row.from_utc, row.to_utc) == (None, None, None, None)
    assert row.state == State.ACTIVE


def test_html_is_sanitised(mailbox: Mailbox, anna: User) -> None:
    values = replace(ABSENCE, html_body="<p onclick=x()>Hi<script>alert(1)</script></p>")
    assert services.save_responder(mailbox, values, actor=anna, now=NOW).html_body == "<p>Hi</p>"


def test_a_second_tab_does_not_overwrite_the_first(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    seen = absence.version
    changed = replace(ABSENCE, subject="First")
    services.save_responder(mailbox, changed, actor=anna, now=NOW, responder=absence, expected_version=seen)
    with pytest.raises(services.ResponderConflict) as caught:
        services.save_responder(
            mailbox,
            replace(ABSENCE, subject="Second"),
            actor=anna,
            now=NOW,
            responder=absence,
            expected_version=seen,
        )
    assert caught.value.current.subject == "First"


def test_a_new_text_is_a_new_revision(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    row = services.save_responder(
        mailbox, replace(ABSENCE, text_body="Inny tekst"), actor=anna, now=NOW, responder=absence
    )
    assert (row.text_revision, row.activation) == (2, 1)


def test_a_moved_edge_does_not_begin_an_activation(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    longer = replace(ABSENCE, to_date=datetime(2027, 1, 6, 8, 0))
    during = START + timedelta(days=1)
    assert services.save_responder(mailbox, longer, actor=anna, now=during, responder=absence).activation == 1


def test_the_next_holiday_begins_an_activation(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    summer = replace(ABSENCE, from_date=datetime(2027, 7, 1), to_date=datetime(2027, 7, 15))
    row = services.save_responder(mailbox, summer, actor=anna, now=END + timedelta(days=30), responder=absence)
    assert row.activation == 2


def test_a_quick_off_and_on_does_not_begin_an_activation_a_long_one_does(standing_reply: Responder, anna: User) -> None:
    row = services.switch(standing_reply, on=False, actor=anna, now=NOW)
    row = services.switch(row, on=True, actor=anna, now=NOW + timedelta(minutes=5))
    assert row.activation == 1
    row = services.switch(row, on=False, actor=anna, now=NOW)
    row = services.switch(row, on=True, actor=anna, now=NOW + timedelta(days=30))
    assert row.activation == 2


def test_answer_everyone_again_begins_an_activation(standing_reply: Responder, anna: User) -> None:
    assert services.answer_everyone_again(standing_reply, actor=anna, now=NOW).activation == 2


def test_responders_change_places(mailbox: Mailbox, anna: User) -> None:
    rows = [
        services.save_responder(mailbox, replace(ABSENCE, subject=name), actor=anna, now=NOW)
        for name in ("a", "b", "c")
    ]
    services.move(rows[2], up=True, actor=anna, now=NOW)
    services.move(rows[0], up=True, actor=anna, now=NOW)
    assert list(mailbox.responders.order_by("position").values_list("subject", flat=True)) == ["a", "c", "b"]


def test_a_mailbox_holds_no_more_than_the_hook_reads_for_each_message(
    absence: Responder, mailbox: Mailbox, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One owner's heap of texts would take the memory, and with it everybody's replies."""
    monkeypatch.setattr(validation, "MAX_RESPONDERS", 2)
    services.save_responder(mailbox, ABSENCE, actor=anna, now=NOW)
    changed = services.save_responder(mailbox, ABSENCE, actor=anna, now=NOW, responder=absence)
    for add in (
        lambda: services.save_responder(mailbox, ABSENCE, actor=anna, now=NOW),
        lambda: services.add_responders([(mailbox, ABSENCE)], actor=anna, now=NOW),
    ):
        with pytest.raises(validation.ResponderInvalid, match="as many as it may"):
            add()
    services.delete_responder(changed, actor=anna, now=NOW)
    assert services.save_responder(mailbox, ABSENCE, actor=anna, now=NOW).pk


def test_its_texts_have_an_end_together_too(mailbox: Mailbox, anna: User) -> None:
    texts = tuple(Text(language, "Auto", "x" * 49_000, "") for language in ("en", "de", "fr"))
    values = replace(ABSENCE, text_body="y" * 2_000, texts=texts)
    assert services.save_responder(mailbox, values, actor=anna, now=NOW).pk
    with pytest.raises(validation.ResponderInvalid, match="All texts together are too long"):
        services.save_responder(mailbox, replace(values, html_body="<p>z</p>" * 1_000), actor=anna, now=NOW)


def test_a_deleted_responder_stays_in_the_history(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    services.delete_responder(absence, actor=anna, now=NOW)
    event = mailbox.responder_events.first()
    assert event is not None
    assert (event.kind, event.responder, event.changes["subject"]) == (
        "deleted",
        None,
        ["Auto: {{ subject }}", None],
    )


def test_of_a_deleted_responder_a_person_reads_what_it_was(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    services.delete_responder(absence, actor=anna, now=NOW)
    event = mailbox.responder_events.get(kind="deleted")
    with translation.override("pl"):
        assert {str(change.field): change.before for change in history.changes(event)} == {
            "typ": "Wiadomość o nieobecności", "data rozpoczęcia": "czw., 24 gru 2026, 17:00",
            "data zakończenia": "pon., 4 sty 2027, 08:00", "strefa czasowa": "czas: Warszawa",
            "temat": "Auto: …", "treść": "Nie ma mnie do …", "język tekstu": "polski",
        }  # fmt: skip


def test_an_edit_names_zone_language_and_hours_as_elsewhere(absence: Responder, mailbox: Mailbox, anna: User) -> None:
    wanted = replace(ABSENCE, time_zone="Europe/London", language="en", hours_mode="outside", office_closes=time(17))
    services.save_responder(mailbox, wanted, actor=anna, now=NOW, responder=absence)
    event = mailbox.responder_events.get(kind="edited")
    found = {str(change.field): (change.before, change.after) for change in history.changes(event)}
    assert found["time zone"] == ("Warsaw time", "London time")
    assert found["language of the text"] == ("Polish", "English")
    assert found["office closes"] == ("16:00", "17:00")


def test_the_clock_moves_the_state_in_time_order(absence: Responder) -> None:
    assert services.apply_due_transitions(START - timedelta(seconds=1)) == 0
    assert services.apply_due_transitions(START) == 1
    absence.refresh_from_db()
    assert (absence.state, absence.state_changed_at, absence.next_transition_at) == ("active", START, END)
    assert services.apply_due_transitions(END + timedelta(hours=3)) == 1
    absence.refresh_from_db()
    assert (absence.state, absence.state_changed_at, absence.next_transition_at) == ("ended", END, None)
    assert events(absence)[1:] == [("started", START), ("ended", END)]


def test_a_worker_that_slept_through_the_window_writes_both_edges(absence: Responder) -> None:
    assert services.apply_due_transitions(END + timedelta(days=1)) == 2
    assert events(absence)[1:] == [("started", START), ("ended", END)]


def test_a_responder_that_is_off_is_not_moved(absence: Responder, anna: User) -> None:
    services.switch(absence, on=False, actor=anna, now=NOW)
    assert services.apply_due_transitions(END) == 0
    absence.refresh_from_db()
    assert absence.state == "off"


def test_rows_that_cannot_move_keep_no_other_waiting(mailbox: Mailbox, anna: User) -> None:
    """Whatever made them so: a batch that holds nothing else must not be the last."""
    for number in range(5):
        services.save_responder(mailbox, replace(ABSENCE, subject=f"{number}"), actor=anna, now=NOW)
    stuck = Responder.objects.order_by("pk")[:4].values("pk")
    Responder.objects.filter(pk__in=stuck).update(is_enabled=False, next_transition_at=START - timedelta(days=1))
    assert services.apply_due_transitions(START, batch=2) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_do_the_same_transition_twice(mailbox: Mailbox, anna: User) -> None:
    for number in range(60):
        services.save_responder(mailbox, replace(ABSENCE, subject=f"{number}"), actor=anna, now=NOW)
    together, moves = Barrier(4), []

    def work() -> None:
        together.wait()
        moves.append(services.apply_due_transitions(END, batch=7))
        connection.close()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(moves) == 120
    assert ResponderEvent.objects.filter(kind="started").count() == 60
    assert ResponderEvent.objects.filter(kind="ended").count() == 60


@pytest.mark.parametrize("zone_day", [datetime(2027, 3, 28), datetime(2027, 10, 31)])
def test_a_window_over_a_clock_change_keeps_its_wall_clock_times(
    mailbox: Mailbox, anna: User, zone_day: datetime
) -> None:
    values = replace(
        ABSENCE,
        from_date=zone_day - timedelta(days=1) + timedelta(hours=8),
        to_date=zone_day + timedelta(days=1, hours=8),
    )
    row = services.save_responder(mailbox, values, actor=anna, now=NOW)
    assert row.from_utc
    assert row.to_utc
    spring = zone_day.month == 3
    assert row.to_utc - row.from_utc == timedelta(hours=47 if spring else 49)


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        (NOW, "Starts Thu 24 Dec, 17:00"),
        (START, "Answering until Mon, 4 Jan 2027, 08:00"),
        (END, "Ended Mon 4 Jan, 08:00"),
    ],
)
def test_the_state_is_one_plain_sentence(absence: Responder, at: datetime, sentence: str) -> None:
    with translation.override("en"):
        assert sentences.state_sentence(absence, at) == sentence


def test_the_database_clock_is_the_clock(database_clock: Callable[[datetime | None], None]) -> None:
    database_clock(NOW)
    assert services.database_now() == NOW


def test_the_dates_of_a_standing_reply_are_refused_by_the_database_too(standing_reply: Responder) -> None:
    with pytest.raises(IntegrityError):
        Responder.objects.update(from_date=datetime(2026, 1, 1), from_utc=NOW)
