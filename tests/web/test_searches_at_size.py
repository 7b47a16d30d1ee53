"""Lists and searches among many: each question by an index of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import Model, Q
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bench.scale import records
from bench.scale.filling import Size, fill
from bench.scale.lookups import large_tables, plan_of
from mailboxes import access, searching
from mailboxes.models import Domain, LogLine, Mailbox, User
from responders import personal_data, support_search
from responders.admin import ClaimStateOfLate
from responders.models import NumberedCase, PreviousResponse, Refusal, Responder, ResponderEvent, StaffNote
from tests.committed import begin_with_new_tables, empty_tables

pytestmark = pytest.mark.django_db


MANY_MORE = """
INSERT INTO responders_previousresponse
    (responder_id, text_revision, activation, reverse_path_key, queue_id, state, claimed_at, lease_until)
SELECT (SELECT min(id) FROM responders_responder), 1, 1, 'jan@example' || n || '.com', 'q', 'claimed', now(), now()
FROM generate_series(1, 5000) n;
INSERT INTO responders_numberedcase (mailbox_id, number, opened_at, opened_by, reverse_path, reverse_path_key, subject)
SELECT (SELECT min(id) FROM mailboxes_mailbox) + n % 5000, 'N' || n, now(), '<' || n || '@x>',
    'jan@example' || n || '.com', 'jan@example' || n || '.com', 'x' FROM generate_series(1, 20000) n;
INSERT INTO responders_refusal (address, refused_at, words)
SELECT 'jan@example' || n || '.com', now(), 'no' FROM generate_series(1, 30000) n;
INSERT INTO mailboxes_logline (at, model, key, name, words)
SELECT now(), 'mailboxes.mailbox', n::text, 'jan@example' || n || '.com', 'made' FROM generate_series(1, 5000) n;
ANALYZE;
"""


@pytest.fixture(scope="module")
def many(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows for every test of this file, which takes back its own; they are gone after the last."""
    with django_db_blocker.unblock():
        with transaction.atomic():
            begin_with_new_tables()
            fill(connection.connection, Size(mailboxes=6_000, aliases=2_000, decisions=0))
            with connection.cursor() as cursor:
                cursor.execute(MANY_MORE)
        connection.close()  # and with it the tables that filling needed
    yield
    with django_db_blocker.unblock():
        empty_tables()


def whole_tables(ask: Callable[[], object], but: str = "set_config") -> set[str]:
    """Large tables that were read from end to end, by other queries than those that hold `but`."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    said = [one["sql"] for one in asked if one["sql"].startswith("SELECT")]
    selects = [sql for sql in said if "set_config" not in sql and but not in sql]
    assert selects
    large = large_tables(connection.connection)
    return {name for sql in selects for name in plan_of(connection.connection, sql).whole_tables()} & large


@pytest.mark.usefixtures("many")
def test_what_a_person_may_open_is_found_without_reading_every_mailbox() -> None:
    one = Mailbox.objects.select_related("owner").get(pk=3_000)
    assert one.owner is not None
    for rows in (access.mailboxes_visible_to, access.mailboxes_of, access.mailboxes_to_delegate):
        assert whole_tables(lambda rows=rows: list(rows(one.owner).order_by("address")[:31])) == set()
        assert list(rows(one.owner)) == [one]


@pytest.mark.usefixtures("many")
def test_support_finds_a_mailbox_in_its_list_whatever_the_case(client: Client, support: User) -> None:
    client.force_login(support)
    one = Mailbox.objects.get(pk=3_000)
    path = reverse("mailbox_list")
    for words in (one.address, one.address.upper(), one.name, one.name[:7].lower()):
        assert one.address in client.get(path, {"q": words}).content.decode(), words


@pytest.mark.usefixtures("many")
def test_a_frequent_word_still_lists_in_order(client: Client, support: User) -> None:
    client.force_login(support)
    first = Mailbox.objects.order_by("address")[0]
    assert first.address in client.get(reverse("mailbox_list"), {"q": "nowak"}).content.decode()


SEARCHES = ("nowak", "anna", "zofia", "an", "qx", "ż", "zzqqxxyy", ".example", "e.example.e", "--", "@", "%_%", "K'1\\")


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that six thousand mailboxes are to the list what a million are."""
    monkeypatch.setattr("responders.mailbox_lists.WALKED", 40)
    monkeypatch.setattr("responders.mailbox_lists.COLLECTED", 100)


def listed(client: Client, **asked: str) -> tuple[list[str], bool]:
    """The addresses of a page, and whether it says that they may not be all."""
    context = client.get(reverse("mailbox_list"), asked).context
    return [one.row.address for one in context["mailboxes"]], context["is_part"]


@pytest.mark.usefixtures("many", "few_at_a_time")
def test_what_is_frequent_far_behind_in_the_order_is_listed_from_its_beginning(client: Client, support: User) -> None:
    client.force_login(support)
    zofias = list(
        Mailbox.objects.filter(address__contains="zofia").order_by("address").values_list("address", flat=True)
    )
    assert listed(client, q="zofia") == (zofias[:30], True)
    assert listed(client, q="zofia", after=zofias[99]) == (zofias[100:130], False)
    page = client.get(reverse("mailbox_list"), {"q": "zofia"}).content.decode()
    assert "not all of them are listed" in page


@pytest.mark.usefixtures("many", "few_at_a_time")
def test_a_list_never_holds_what_does_not_fit_and_is_in_order_whatever_was_asked(client: Client, support: User) -> None:
    client.force_login(support)
    keys = {
        "": lambda row: row.address, "domain": lambda row: (row.domain_id, row.local_part),
        "newest": lambda row: -row.pk, "oldest": lambda row: row.pk,
    }  # fmt: skip
    for words in SEARCHES:
        fit = set(
            Mailbox.objects.filter(Q(address__icontains=words) | Q(name__icontains=words)).values_list("pk", flat=True)
        )
        for order, key in keys.items():
            context = client.get(reverse("mailbox_list"), {"q": words, "order": order}).context
            rows = [one.row for one in context["mailboxes"]]
            assert {row.pk for row in rows} <= fit, (words, order)
            assert rows == sorted(rows, key=key)
            assert context["is_part"] or len(rows) == min(30, len(fit)), (words, order)


@pytest.mark.usefixtures("many", "few_at_a_time")
def test_a_companys_list_goes_by_its_own_domain_alone(client: Client) -> None:
    company, person = Domain.objects.order_by("pk")[0], User.objects.create(email="company@example.com")
    assert company.customer is not None
    company.customer.administrators.add(person)
    client.force_login(person)
    theirs = list(Mailbox.objects.filter(domain=company).order_by("local_part").values_list("address", flat=True))
    assert listed(client) == (theirs[:30], False)
    assert listed(client, after=theirs[50]) == (theirs[51:81], False)
    zofias = [address for address in theirs if "zofia" in address]
    assert listed(client, q="zofia")[0] == zofias[:30]
    newest = Mailbox.objects.filter(domain=company).order_by("-pk").values_list("address", flat=True)[:30]
    assert listed(client, order="newest") == (list(newest), False)
    read = whole_tables(
        lambda: [listed(client, q=words, order=order) for words in SEARCHES for order in ("", "newest")]
    )
    assert "mailboxes_mailbox" not in read


@pytest.mark.usefixtures("many")
def test_a_company_of_several_domains_with_a_mailbox_elsewhere_lists_them_all(client: Client) -> None:
    first, second, other = Domain.objects.order_by("-pk")[:3]
    person = Mailbox.objects.filter(domain=other)[0].owner
    assert person is not None
    assert first.customer is not None
    first.customer.administrators.add(person)
    Domain.objects.filter(pk=second.pk).update(customer=first.customer)
    client.force_login(person)
    wanted = Mailbox.objects.filter(Q(domain__in=[first.name, second.name]) | Q(owner=person)).order_by("address")
    assert listed(client)[0] == [row.address for row in wanted[:30]]
    client.force_login(User.objects.create(email="nobody@example.com"))
    assert listed(client) == ([], False)


@pytest.mark.usefixtures("many", "few_at_a_time")
def test_a_case_is_found_by_its_number_however_many_mailboxes_hold_it(client: Client, support: User) -> None:
    client.force_login(support)
    last = Mailbox.objects.order_by("-address")[0]
    NumberedCase.objects.create(
        mailbox=last, number="2026/17", opened_at=timezone.now(), opened_by="<1@x>", reverse_path="jan@example.com",
        reverse_path_key="jan@example.com", subject="x",
    )  # fmt: skip
    assert listed(client, q="2026/17") == ([last.address], False)


@pytest.mark.usefixtures("many")
def test_domains_show_how_many_mailboxes_they_have(client: Client, support: User) -> None:
    client.force_login(support)
    with CaptureQueriesContext(connection) as asked:
        page = client.get(reverse("domains")).content.decode()
    assert len([one for one in asked if "COUNT(" in one["sql"] and " IN (" in one["sql"]]) == 1
    first = Domain.objects.order_by("name")[0]
    assert first.name in page
    assert str(first.mailbox_set.count()) in page


@pytest.mark.usefixtures("many")
def test_the_administration_finds_by_parts_of_words_and_sorts_by_what_is_indexed(admin_client: Client) -> None:
    one = Mailbox.objects.get(pk=3_000)
    path = reverse("admin:mailboxes_mailbox_changelist")
    for words in (one.address[3:15].upper(), one.name.lower()):
        assert one.address in admin_client.get(path, {"q": words}).content.decode(), words
    assert one.address not in admin_client.get(path, {"q": "zzqqxx"}).content.decode()
    page = admin_client.get(path).content.decode()
    sortable = admin.site._registry[Mailbox].get_sortable_by(None)  # type: ignore[arg-type]  # it asks nothing of it
    assert sortable == ["address"]
    assert page.count("?o=") >= 1


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    "model", [Mailbox, Domain, User, Responder, PreviousResponse, ResponderEvent, NumberedCase, LogLine, Refusal]
)
def test_a_search_of_the_administration_reads_no_large_table_from_end_to_end(
    admin_user: User, model: type[Model]
) -> None:
    site = admin.site._registry[model]
    request = RequestFactory().get("/")
    request.user = admin_user
    for words in ("anna.nowak7@", "jan@example7.com"):
        ask = lambda words=words: list(site.get_search_results(request, site.get_queryset(request), words)[0][:51])  # noqa: E731
        assert whole_tables(ask) == set(), words


@pytest.mark.usefixtures("many")
def test_forgetting_one_person_reads_no_large_table_from_end_to_end(admin_user: User) -> None:
    assert whole_tables(lambda: personal_data.export("jan@example7.com")) == set()
    assert len(personal_data.export("jan@example7.com")["previous_responses"]) == 1


@pytest.mark.usefixtures("many")
def test_what_few_mailboxes_do_is_found_without_reading_them_all(client: Client, support: User) -> None:
    """Nobody begins, nobody is without an end: a list that is empty has no first page that is soon found."""
    Responder.objects.filter(Q(state="scheduled") | Q(type="absence", to_utc=None)).update(is_enabled=False)
    client.force_login(support)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE responders_responder")
    for state in ("coming", "open-end"):
        found = whole_tables(lambda state=state: client.get(reverse("mailbox_list"), {"state": state}))
        assert "responders_responder" not in found, state


@pytest.mark.usefixtures("many")
def test_whom_few_filters_leave_is_found_by_an_index(admin_client: Client) -> None:
    path = reverse("admin:mailboxes_user_changelist")
    for query in ("is_active__exact=0", "is_staff__exact=1", "is_superuser__exact=1"):
        assert whole_tables(lambda query=query: admin_client.get(f"{path}?{query}")) == set(), query


@pytest.mark.usefixtures("many", "roles")
def test_people_are_found_by_group(admin_client: Client) -> None:
    group = Group.objects.get(name="support")
    User.objects.get(email="admin@example.com").groups.add(group)
    path = reverse("admin:mailboxes_user_changelist")
    for query, are_in_it in ((f"group={group.pk}", True), ("group=none", False)):
        shown = admin_client.get(f"{path}?{query}").context_data["cl"].result_list  # type: ignore[attr-defined]
        assert shown
        assert {row.email == "admin@example.com" for row in shown} == {are_in_it}
    with CaptureQueriesContext(connection) as asked:
        admin_client.get(f"{path}?group=none")
    assert "DISTINCT" not in "".join(one["sql"] for one in asked)  # it would sort everybody
    for query in ("group=", "group=x", f"group={10**30}", "group=%00"):
        assert admin_client.get(f"{path}?{query}").status_code == 200


@pytest.mark.usefixtures("many")
def test_what_happened_seldom_is_found_by_an_index(admin_client: Client) -> None:
    for model, query in (
        ("mailboxes_logline", "way__exact=import"),
        ("responders_responderevent", "kind__exact=edited"),
    ):
        path = f"{reverse(f'admin:{model}_changelist')}?{query}"
        assert model not in whole_tables(lambda path=path: admin_client.get(path)), query


@pytest.mark.usefixtures("many")
def test_dates_and_states_of_what_there_is_much_of_read_no_whole_table(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClaimStateOfLate, "latest", 100)
    for model, query in (
        ("responders_previousresponse", ""),
        ("responders_previousresponse", "state=refused"),
        ("responders_numberedcase", ""),
    ):
        path = f"{reverse(f'admin:{model}_changelist')}?{query}"
        counted = f'SELECT COUNT(*) FROM (SELECT "{model}"'  # the pages, up to ten thousand rows
        assert model not in whole_tables(lambda path=path: admin_client.get(path), but=counted), path
    shown = admin_client.get(reverse("admin:responders_previousresponse_changelist"), {"state": "claimed"})
    assert len(shown.context_data["cl"].result_list) == 50  # type: ignore[attr-defined]
    assert shown.context_data["cl"].result_count == 100  # type: ignore[attr-defined]


@pytest.mark.usefixtures("many")
def test_what_is_of_a_day_comes_by_date(admin_client: Client) -> None:
    """In another order its rows may stand anywhere, and a page of them is looked for among all."""
    path = reverse("admin:mailboxes_mailbox_changelist")
    day = timezone.localtime(Mailbox.objects.order_by("-created_at")[0].created_at)
    query = f"created_at__year={day.year}&created_at__month={day.month}&created_at__day={day.day}"
    shown = admin_client.get(f"{path}?{query}").context_data["cl"].result_list  # type: ignore[attr-defined]
    dates = [row.created_at for row in shown]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] == Mailbox.objects.latest("created_at").created_at
    by_address = admin_client.get(f"{path}?{query}&o=1").context_data["cl"].result_list  # type: ignore[attr-defined]
    assert [row.address for row in by_address] == sorted(row.address for row in by_address)


@pytest.mark.usefixtures("many")
def test_links_by_date_stand_where_nothing_else_narrows_a_list(admin_client: Client) -> None:
    path = reverse("admin:mailboxes_mailbox_changelist")
    year = Mailbox.objects.order_by("-created_at")[0].created_at.year
    for query, is_there in (
        ("", True),
        (f"created_at__year={year}", True),
        ("is_active__exact=1", False),
        ("q=x", False),
    ):
        assert (b"created_at__year" in admin_client.get(f"{path}?{query}").content) == is_there, query


def test_no_form_of_the_administration_lists_every_mailbox_or_person_to_choose_from() -> None:
    """A field that is chosen from a list would write a million of them into the page."""
    large, found = {"mailbox", "user", "domain", "customer", "alias", "responder"}, []
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True)
    for model, site in admin.site._registry.items():
        if not site.has_change_permission(request):
            continue
        chosen = {*site.autocomplete_fields, *site.get_readonly_fields(request), *(site.exclude or ())}
        for field in [*model._meta.fields, *model._meta.many_to_many]:
            if field.is_relation and field.editable and field.related_model._meta.model_name in large:
                found += [f"{model._meta.label}.{field.name}"] if field.name not in chosen else []
    assert found == []


@pytest.mark.usefixtures("many")
def test_rows_of_the_same_second_are_sorted_by_an_index(admin_client: Client) -> None:
    """The clock begins many in the same second; against the index they would all be sorted for one page."""
    path = reverse("admin:responders_responderevent_changelist")
    ResponderEvent.objects.bulk_create(
        ResponderEvent(mailbox_id=key, kind="started", at="2020-01-01T00:00Z") for key in range(1, 201)
    )
    # The third: by mailbox, which the list does not offer, for there is no index.
    for query, ordering in (("?o=0", ["at", "pk"]), ("?o=-0", ["-at", "-pk"]), ("?o=1", ["-pk"])):
        shown = admin_client.get(path + query).context_data["cl"]  # type: ignore[attr-defined]
        assert list(shown.queryset.query.order_by) == ordering
        assert "Sort" not in shown.queryset[:50].explain()


@pytest.mark.usefixtures("many")
def test_the_administration_looks_for_what_no_index_knows_where_an_index_begins(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailboxes.panel_admin.LARGE", 100)
    monkeypatch.setattr("mailboxes.panel_admin.OF_LATE", 100)
    path = reverse("admin:mailboxes_mailbox_changelist")
    one = Mailbox.objects.get(pk=3_000)
    for words, is_found in ((one.address[:2], True), ("zq", False), ("e.example.e", False), (one.address, True)):
        found = admin_client.get(path, {"q": words}).context_data["cl"].result_list  # type: ignore[attr-defined]
        assert bool(found) is is_found, words
        assert all(row.address.startswith(words) or words in row.name.lower() for row in found)
    # Texts have no index: they are read, of the latest alone.
    notes = [StaffNote(mailbox=one, text=f"Dzwonił {number}.") for number in range(150)]
    StaffNote.objects.bulk_create(notes)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE responders_staffnote")
    path = reverse("admin:responders_staffnote_changelist")
    for words, count in (("dzwonił 149.", 1), ("dzwonił 0.", 0)):
        shown = admin_client.get(path, {"q": words}).context_data["cl"]  # type: ignore[attr-defined]
        assert shown.result_count == count, words


@pytest.mark.parametrize(
    ("words", "is_found"),
    [("kowalska", True), ("an", False), ("--", False), ("", False), ("e.example.e", False), ("x.jan@", True)],
)
def test_the_index_of_parts_knows_three_letters_that_are_not_everywhere(words: str, is_found: bool) -> None:
    texts = [f"anna{number}@firma{number % 7}.example" for number in range(100)]
    assert searching.finds(words, lambda: texts) is is_found


@pytest.mark.usefixtures("many")
def test_supports_search_reads_no_table_of_mailboxes_from_end_to_end(support: User) -> None:
    for words in ("zzqqxxyy", "qx", "e.example.e", "--", "%_%"):
        read = whole_tables(lambda words=words: support_search.search(support, words))
        assert read <= {"mailboxes_domain", "mailboxes_customer", "mailboxes_alias"}, words  # those are few


@pytest.mark.usefixtures("many")
def test_what_supports_search_shows_holds_the_words_and_is_in_order(support: User) -> None:
    for words in SEARCHES:
        for group in support_search.search(support, words):
            if group.kind in ("mailboxes", "people", "aliases") and not group.is_guess:
                names = [row.email if group.kind == "people" else row.address for row in group.rows]
                assert names == sorted(names)
                assert all(words in name or words in getattr(row, "name", "").lower()
                           for row, name in zip(group.rows, names, strict=True)), words  # fmt: skip


@pytest.mark.usefixtures("many")
def test_every_list_of_the_administration_opens_with_what_years_of_use_leave(admin_client: Client) -> None:
    records.add(connection.connection, Size(mailboxes=6_000, aliases=2_000, decisions=0))
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        answer = admin_client.get(reverse(f"{name}_changelist"))
        assert answer.status_code == 200, name
        for row in answer.context_data["cl"].result_list[:1]:  # type: ignore[attr-defined]
            assert admin_client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200, name
    for table in ("quarantinedmessage", "staffnote", "drawnbrake", "notice", "casemessage", "batchitem", "draft"):
        shown = admin_client.get(reverse(f"admin:responders_{table}_changelist"))
        assert shown.context_data["cl"].result_list, table  # type: ignore[attr-defined]
