"""Two people take one thing at the same moment. Who comes second reads so beside the field, and meets no error page."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import ResolverMatch, reverse
from psycopg.errors import DeadlockDetected

from mailboxes import hosting, services
from mailboxes.deletion import deleted_domains
from mailboxes.models import Alias, AliasTarget, Customer, Delegation, Domain, Mailbox, User
from responders.models import Responder
from responders.services import database_now, save_responder
from responders.validation import ResponderInput
from tests import second_factor
from tests.web.test_company import as_boss, boss, company
from tests.web.test_responder_form import TYPED
from webmail_panel.once_more import OnceMoreMiddleware

__all__ = ["as_boss", "boss", "company"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)

IS_WAITED_FOR = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
)


@contextlib.contextmanager
def somebody(does: Callable[[], object]) -> Iterator[None]:
    """Does something, and commits it when a page waits for that."""
    did, over, waited = threading.Event(), threading.Event(), []

    def work() -> None:
        try:
            with transaction.atomic():
                does()
                did.set()
                while not over.wait(0.01) and not waited:
                    waited.extend([True] if is_waited_for() else [])
        finally:
            did.set()
            connections.close_all()

    other = threading.Thread(target=work)
    other.start()
    try:
        did.wait()
        yield
    finally:
        over.set()
        other.join()
    assert waited, "nobody waited: the two were not at once"


def is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(IS_WAITED_FOR)
        return bool(cursor.fetchone()[0])


def assert_told(answer: Any, field: str) -> None:
    assert answer.status_code in {200, 422}
    form = answer.context["adminform"].form if "adminform" in answer.context else answer.context["form"]
    assert list(form.errors) == [field]
    assert form.errors[field][0] in answer.text


def mailbox_of(local_part: str) -> Callable[[], object]:
    return lambda: services.add_mailbox(f"{local_part}@firma.example")


def alias_of(local_part: str) -> Callable[[], object]:
    return lambda: services.add_alias(f"{local_part}@firma.example", ["x@elsewhere.example"])


@pytest.mark.parametrize("faster", [mailbox_of, alias_of])
def test_two_mailboxes_do_not_get_one_new_address(
    as_boss: Client, mailbox: Mailbox, faster: Callable[[str], Callable[[], object]]
) -> None:
    page = reverse("mailbox_rename", args=[mailbox.pk])
    with somebody(faster("ewa")):
        answer = as_boss.post(page, {"local_part": "ewa"})
    assert_told(answer, "local_part")
    assert 'value="ewa"' in answer.text
    mailbox.refresh_from_db()
    assert mailbox.address == "anna@firma.example"
    assert mailbox.owner is not None
    assert mailbox.owner.email == "anna@firma.example"


def test_two_that_are_renamed_to_one_address(as_boss: Client, mailbox: Mailbox) -> None:
    other = Mailbox.objects.create(domain=mailbox.domain, local_part="jan")
    with somebody(lambda: hosting.rename(other, "ewa", actor=None)):
        answer = as_boss.post(reverse("mailbox_rename", args=[mailbox.pk]), {"local_part": "ewa"})
    assert_told(answer, "local_part")
    assert Mailbox.objects.get(address="ewa@firma.example") == other


def test_no_sign_in_is_given_twice(as_boss: Client, mailbox: Mailbox) -> None:
    """The address itself is free."""
    with somebody(lambda: User.objects.create_user("ewa@firma.example")):
        assert_told(as_boss.post(reverse("mailbox_rename", args=[mailbox.pk]), {"local_part": "ewa"}), "local_part")
    new = {"local_part": "jan", "domain": "firma.example", "name": "", "language": "pl"}
    with somebody(lambda: User.objects.create_user("jan@firma.example")):
        assert_told(as_boss.post(reverse("mailbox_new"), new), "local_part")


@pytest.mark.parametrize("faster", [mailbox_of, alias_of])
def test_what_is_made_anew_is_told_too(as_boss: Client, faster: Callable[[str], Callable[[], object]]) -> None:
    new = {"local_part": "ewa", "domain": "firma.example", "name": "Ewa", "language": "pl"}
    with somebody(faster("ewa")):
        assert_told(as_boss.post(reverse("mailbox_new"), new), "local_part")
    alias = {"local_part": "biuro", "targets": "anna@firma.example", "is_active": "on"}
    with somebody(faster("biuro")):
        assert_told(as_boss.post(reverse("alias_new", args=["firma.example"]), alias), "local_part")


def test_an_alias_gets_the_same_target_once(as_boss: Client, mailbox: Mailbox) -> None:
    """Both wanted the same, and both have it."""
    alias = services.add_alias("biuro@firma.example", ["x@elsewhere.example"])
    with somebody(lambda: AliasTarget.objects.create(alias=alias, mailbox=mailbox)):
        answer = as_boss.post(reverse("alias_edit", args=[alias.pk]), {"targets": mailbox.address, "is_active": "on"})
    assert answer.status_code == 302
    assert services.targets_of(alias) == [mailbox.address]


def test_a_file_with_an_address_that_went_says_which_line(as_boss: Client, mailbox: Mailbox) -> None:
    file = SimpleUploadedFile("a.csv", b"address\newa@firma.example\n")
    with somebody(mailbox_of("ewa")):
        answer = as_boss.post(reverse("address_import"), {"file": file, "make": "1"})
    assert answer.context["has_problems"]
    assert [line.address for line in answer.context["planned"]] == ["ewa@firma.example"]


def test_two_of_support_add_one_domain(as_support: Client) -> None:
    with somebody(lambda: Domain.objects.create(name="nowa.example")):
        assert_told(as_support.post(reverse("domain_new"), {"name": "nowa.example", "number": ""}), "name")


def test_a_domain_that_somebody_deletes_is_not_changed(as_boss: Client, mailbox: Mailbox) -> None:
    domain = Domain.objects.get(name="firma.example")
    with somebody(lambda: deleted_domains.delete_domain(domain, now=database_now(), actor=None)):
        answer = as_boss.post(reverse("domain", args=["firma.example"]), {"catch_all": mailbox.address})
    assert_told(answer, "__all__")
    assert f'value="{mailbox.address}"' in answer.text
    assert Domain.objects.get(name="firma.example").catch_all is None


def test_a_colleague_is_added_twice_as_once(as_anna: Client, mailbox: Mailbox) -> None:
    ewa = User.objects.create_user("ewa@firma.example")
    Mailbox.objects.create(domain=mailbox.domain, local_part="ewa", owner=ewa)
    with somebody(lambda: Delegation.objects.create(mailbox=mailbox, user=ewa)):
        assert as_anna.post(reverse("delegations", args=[mailbox.pk]), {"email": ewa.email}).status_code == 302
    assert Delegation.objects.count() == 1


def test_two_autoresponders_made_at_once_are_both_there(as_anna: Client, mailbox: Mailbox, anna: User) -> None:
    values = ResponderInput("standing", True, None, None, "Europe/Warsaw", "Raz", "x")
    with somebody(lambda: save_responder(mailbox, values, actor=anna, now=database_now())):
        assert as_anna.post(reverse("responder_new", args=[mailbox.pk]), TYPED).status_code == 302
    assert sorted(Responder.objects.values_list("position", flat=True)) == [0, 1]


def test_an_app_for_codes_that_is_set_up_twice(client: Client, anna: User) -> None:
    client.post(reverse("account_login"), {"login": anna.email, "password": "correct horse battery staple"})
    page = reverse("mfa_activate_totp")
    code = second_factor.code(client.get(page).context["form"].secret)
    made = Authenticator(user=anna, type=Authenticator.Type.TOTP, data={"secret": ""})
    with somebody(made.save):
        assert client.post(page, {"code": code}).status_code == 302
    assert Authenticator.objects.filter(type=Authenticator.Type.TOTP).count() == 1


# --- In the administration ---


@pytest.fixture
def as_admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin@hosting.example"))
    return client


NEW_USER = {
    "email": "ewa@firma.example", "usable_password": "false", "password1": "", "password2": "",
}  # fmt: skip
NO_INLINES = {"targets-TOTAL_FORMS": "0", "targets-INITIAL_FORMS": "0"}


@pytest.mark.parametrize(
    ("model", "typed", "faster", "field"),
    [
        ("mailboxes_customer", {"name": "Nowa", "number": "N1"},
         lambda: Customer.objects.create(name="Inna", number="N1"), "number"),
        ("mailboxes_domain", {"name": "nowa.example", "is_active": "on"},
         lambda: Domain.objects.create(name="nowa.example"), "name"),
        ("mailboxes_user", NEW_USER, lambda: User.objects.create_user("ewa@firma.example"), "email"),
        ("auth_group", {"name": "kadry"}, lambda: Group.objects.create(name="kadry"), "name"),
    ],
    ids=["customer", "domain", "user", "group"],
)  # fmt: skip
def test_the_administration_tells_it_beside_the_field(
    as_admin: Client, model: str, typed: dict[str, str], faster: Callable[[], object], field: str
) -> None:
    with somebody(faster):
        assert_told(as_admin.post(reverse(f"admin:{model}_add"), typed), field)


def test_the_administration_tells_of_an_address_that_went(as_admin: Client, mailbox: Mailbox) -> None:
    typed = {"domain": "firma.example", "local_part": "biuro", "is_active": "on"} | NO_INLINES
    with somebody(mailbox_of("biuro")):
        assert_told(as_admin.post(reverse("admin:mailboxes_alias_add"), typed), "local_part")
    typed = {"domain": "firma.example", "local_part": "info", "language": "pl", "time_zone": "Europe/Warsaw"}
    with somebody(alias_of("info")):
        assert_told(as_admin.post(reverse("admin:mailboxes_mailbox_add"), typed), "local_part")
    assert (Alias.objects.count(), Mailbox.objects.count()) == (1, 2)


# --- The rule itself ---


class Page:
    """Fails as long as it has errors; notes what each try read of the file that was sent."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.read = list(errors), list[bytes]()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.read.append(request.FILES["file"].read() if request.FILES else b"")
        if self.errors:
            raise self.errors.pop(0)
        return HttpResponse("told")


def ask(page: Page, method: str = "post") -> HttpResponse | None:
    """As Django does: the page, then whoever knows what to do about its error. Raises it where nobody does."""
    request = getattr(RequestFactory(), method)("/", {"file": SimpleUploadedFile("a", b"text")})
    request.resolver_match = ResolverMatch(page, (), {})
    try:
        return page(request)
    except Exception as error:
        answer = OnceMoreMiddleware(page).process_exception(request, error)
        if answer is None:
            raise
        return answer


def deadlock() -> OperationalError:
    error = OperationalError()
    error.__cause__ = DeadlockDetected()
    return error


@pytest.mark.parametrize("error", [IntegrityError(), Mailbox.DoesNotExist(), deadlock()], ids=repr)
def test_it_is_taken_once_more_with_all_that_was_sent(error: Exception) -> None:
    page = Page(error)
    answer = ask(page)
    assert answer is not None
    assert (answer.content, page.read) == (b"told", [b"text", b"text"])


@pytest.mark.parametrize(
    "errors", [[IntegrityError(), IntegrityError()], [ValueError()], [OperationalError()]], ids=repr
)
def test_what_is_refused_twice_or_of_another_kind_is_a_fault(errors: list[Exception]) -> None:
    page, tries = Page(*errors), len(errors)
    with pytest.raises(type(errors[0])):
        ask(page)
    assert len(page.read) == tries


def test_a_page_that_is_only_looked_at_is_not_taken_again() -> None:
    page = Page(IntegrityError())
    with pytest.raises(IntegrityError):
        ask(page, "get")
    assert len(page.read) == 1
