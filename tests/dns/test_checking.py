"""Looked at again and again: what is kept, when it counts as broken, and who is told."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from mailboxes import tasks
from mailboxes.domain_dns import checking, notices
from mailboxes.domain_dns.checking import record
from mailboxes.domain_dns.records import Finding, Record, State
from mailboxes.models import Customer, DkimKey, Domain, DomainHealth, DomainRecord, DomainRecordChange, User
from mailboxes.signing import dkim
from responders.support import attention
from tests import refusing_mail
from tests.dns.name_server import Nsd
from tests.dns.test_what_is_there import HOSTS

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PUBLISH = (Record("firma.example", "MX", "10 mail.example."),)
GOOD = Finding("mx", State.OK, "ok", ("10 mail.example",), PUBLISH)
BAD = Finding("mx", State.MISSING, "none", (), PUBLISH)
SILENT = Finding("mx", State.UNKNOWN, "not-answered", ("Timeout",), PUBLISH)


@pytest.fixture
def domain(db: None) -> Domain:
    return Domain.objects.create(name="firma.example", customer=Customer.objects.create(name="Firma", number="F1"))


@pytest.fixture
def boss(domain: Domain) -> User:
    person = User.objects.create_user("szefowa@firma.example", language="pl")
    assert domain.customer is not None
    domain.customer.administrators.add(person)
    return person


def see(domain: Domain, *findings: Finding, step: timedelta = DAY) -> None:
    """One finding after the other, `step` apart."""
    last = DomainHealth.objects.filter(domain=domain).values_list("checked_at", flat=True).first() or NOW
    for number, finding in enumerate(findings, 1):
        record(domain, [finding], last + number * step)


def history() -> list[str]:
    return list(DomainRecordChange.objects.order_by("pk").values_list("state", flat=True))


def health() -> DomainHealth:
    return DomainHealth.objects.get()


def test_the_history_has_a_line_for_each_change_and_none_for_each_day(domain: Domain) -> None:
    see(domain, BAD, BAD, GOOD, GOOD, GOOD, SILENT, GOOD, BAD, GOOD)
    assert history() == ["missing", "ok", "missing", "ok"]
    assert DomainRecord.objects.count() == 1


def test_broken_is_what_worked_and_was_bad_twice(domain: Domain) -> None:
    see(domain, GOOD, BAD)
    assert health().broken_since is None
    see(domain, BAD)
    assert health().broken_since == health().checked_at
    see(domain, GOOD)
    assert health().broken_since is None


def test_what_never_worked_does_not_break(domain: Domain) -> None:
    see(domain, BAD, BAD, BAD)
    assert health().broken_since is None


def test_silence_is_neither_broken_nor_missing(domain: Domain) -> None:
    see(domain, GOOD, SILENT, SILENT, SILENT)
    row = DomainRecord.objects.get()
    assert (row.state, row.last_state, row.broke_at) == ("ok", "unknown", None)
    assert health().silent_since == NOW + 2 * DAY
    assert history() == ["ok"]
    see(domain, BAD, SILENT, BAD)
    assert health().broken_since is not None  # seen bad twice, whatever was not answered between
    assert health().silent_since is None


def test_clicking_twice_is_not_seen_twice(domain: Domain) -> None:
    see(domain, GOOD)
    see(domain, BAD, BAD, BAD, step=timedelta(minutes=1))
    assert health().broken_since is None


def test_what_is_asked_anew_has_not_worked_yet(domain: Domain) -> None:
    """The operator moved the mail to another host: nobody's DNS broke."""
    other = Finding("mx", State.WRONG, "elsewhere", (), (Record("firma.example", "MX", "10 new.example."),))
    see(domain, GOOD, other, other, other)
    assert health().broken_since is None


def test_doubt_is_looked_into_within_an_hour(domain: Domain) -> None:
    see(domain, GOOD)
    assert health().next_check_at == NOW + 2 * DAY
    see(domain, BAD)
    assert health().next_check_at == NOW + 2 * DAY + HOUR


def test_a_key_that_is_gone_is_not_looked_for(domain: Domain) -> None:
    see(domain, Finding("dkim:old", State.OK, "ok"))
    see(domain, GOOD)
    assert [row.item for row in DomainRecord.objects.all()] == ["mx"]


def tell(after: timedelta = timedelta()) -> list[str]:
    mail.outbox.clear()
    notices.tell_of_broken(health().checked_at + after)  # type: ignore[operator]
    return [f"{one.to[0]} {one.subject}" for one in mail.outbox]


def test_the_companys_administrators_are_told_once_in_their_language(domain: Domain, boss: User) -> None:
    see(domain, GOOD, BAD)
    assert tell() == []
    see(domain, BAD)
    assert tell() == ["szefowa@firma.example Problem z DNS domeny firma.example"]
    [letter] = mail.outbox
    assert "firma.example. 3600 IN MX 10 mail.example." in letter.body
    assert "/domains/firma.example/dns/" in letter.body
    assert letter.extra_headers["Auto-Submitted"] == "auto-generated"
    see(domain, BAD)
    assert tell() == []


def test_what_breaks_again_is_told_again_but_once_a_day(domain: Domain, boss: User) -> None:
    see(domain, GOOD, BAD, BAD)
    assert len(tell()) == 1
    see(domain, GOOD, BAD, BAD, step=HOUR)
    assert tell() == []
    assert len(tell(DAY)) == 1


def test_without_an_administrator_staff_is_told(domain: Domain, settings: Settings) -> None:
    settings.STAFF_NOTICES = ["staff@hosting.example"]
    Domain.objects.update(customer=None)
    see(domain, GOOD, BAD, BAD)
    assert tell() == ["staff@hosting.example The DNS of firma.example is broken"]


def test_a_notice_that_could_not_be_sent_is_sent_later(domain: Domain, boss: User, settings: Settings) -> None:
    see(domain, GOOD, BAD, BAD)
    settings.EMAIL_BACKEND = "tests.dns.test_checking.Broken"
    with pytest.raises(OSError, match="no relay"):
        notices.tell_of_broken(NOW)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert len(tell()) == 1


def test_an_administrator_whose_mailbox_is_full_keeps_nobody_from_hearing_of_it_once(
    domain: Domain, boss: User, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = refusing_mail.BACKEND
    refusing_mail.full.add(boss.email)
    other = Domain.objects.create(name="druga.example")
    settings.STAFF_NOTICES = ["staff@hosting.example"]
    for one in (domain, other):
        see(one, GOOD, BAD, BAD)
    now = NOW + 3 * DAY
    assert notices.tell_of_broken(now) == 1
    assert [one.to for one in mail.outbox] == [["staff@hosting.example"]]
    assert domain.customer is not None
    domain.customer.administrators.add(User.objects.create_user("adam@firma.example", language="pl"))
    assert notices.tell_of_broken(now + HOUR / 2) == 0
    later = now + HOUR
    assert [notices.tell_of_broken(later), notices.tell_of_broken(later)] == [1, 0]
    assert [one.to for one in mail.outbox[1:]] == [["adam@firma.example"]]
    refusing_mail.full.clear()


def test_a_notice_that_nobody_takes_is_tried_ever_more_seldom(
    domain: Domain, boss: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_BACKEND = refusing_mail.BACKEND
    refusing_mail.full.add(boss.email)
    see(domain, GOOD, BAD, BAD)
    tried: list[timedelta] = []
    monkeypatch.setattr(notices, "_tell", lambda *_what: tried.append(after) or False)
    for minutes in range(0, 3 * 24 * 60, 5):  # the task runs every five minutes
        after = timedelta(minutes=minutes)
        assert notices.tell_of_broken(NOW + 3 * DAY + after) == 0
    hours = [int(one.total_seconds() // 3600) for one in tried]
    assert hours == [0, 1, 3, 7, 15, 31, 55]
    monkeypatch.undo()
    refusing_mail.full.clear()
    assert notices.tell_of_broken(NOW + 9 * DAY) == 1
    assert health().tell_tries == 0


class Broken:
    """A mail server that is down."""

    def __init__(self, *_args: object, **_options: object) -> None:
        pass

    def send_messages(self, _messages: object) -> int:
        raise OSError("no relay")


def test_what_needs_attention_lists_what_broke_and_nothing_else(domain: Domain) -> None:
    other = Domain.objects.create(name="inna.example")
    see(other, BAD, BAD, BAD)
    see(domain, GOOD, BAD)
    assert attention.troubled_domains(NOW + 4 * DAY, 20) == []
    see(domain, BAD)
    assert [str(row) for row in attention.troubled_domains(NOW + 4 * DAY, 20)] == ["firma.example"]


def test_it_lists_domains_that_are_silent_for_days_if_they_ever_spoke(domain: Domain) -> None:
    other = Domain.objects.create(name="inna.example")
    see(other, SILENT, SILENT)
    see(domain, GOOD, SILENT)
    assert attention.troubled_domains(NOW + 3 * DAY, 20) == []
    assert [(row.what, row.name) for row in attention.troubled_domains(NOW + 5 * DAY, 20)] == [("silent", domain.name)]


@pytest.mark.usefixtures("silence")
def test_a_name_server_that_does_not_answer_is_noted_as_silent(domain: Domain) -> None:
    checking.check(domain, now=NOW)
    assert health().silent_since == NOW


def test_a_domain_that_is_deleted_meanwhile_harms_nobody(domain: Domain) -> None:
    gone = Domain.objects.get()
    domain.delete()
    assert record(gone, [GOOD], NOW) is None


def test_who_asks_again_at_once_is_not_heard(domain: Domain) -> None:
    assert checking.want(domain, NOW)
    assert not checking.want(domain, NOW + timedelta(seconds=29))
    assert checking.want(domain, NOW + timedelta(seconds=31))


def test_a_year_of_history_is_kept(domain: Domain) -> None:
    see(domain, GOOD, BAD)
    assert checking.forget_old_history(NOW + timedelta(days=402)) == 1
    assert history() == ["missing"]


# --- On a real name server ---


def test_the_daily_task_looks_keeps_and_tells(domain: Domain, boss: User, zone: Nsd) -> None:
    zone.publish(HOSTS + "firma MX 10 mail\n")
    assert tasks.check_domains() == 1
    states = dict(DomainRecord.objects.values_list("item", "state"))
    assert (states["mx"], states["spf"], states["dkim"]) == ("ok", "missing", "missing")
    assert tasks.check_domains() == 0  # until tomorrow
    assert mail.outbox == []


def test_the_key_that_signs_is_looked_for(domain: Domain, zone: Nsd) -> None:
    key = dkim.make_key(domain, DkimKey.Algorithm.ED25519, now=NOW, actor=None)
    name, value = dkim.record_of(key)
    zone.publish(f'{HOSTS}{name}. TXT "{value}"\n')
    found = {one.item: one.state for one in checking.check(domain, now=NOW)}
    assert found[f"dkim:{key.selector}"] is State.OK
    assert "dkim" not in found


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("dns", *arguments, stdout=out)
    return out.getvalue()


def test_by_command(domain: Domain, zone: Nsd) -> None:
    zone.publish(HOSTS)
    lines = run("records", "Firma.Example")
    assert "firma.example. 3600 IN MX 10 mail.example.\n" in lines
    assert 'firma.example. 3600 IN TXT "v=spf1 a:mail.example ~all"\n' in lines
    with pytest.raises(CommandError, match=r"missing or wrong: firma\.example"):
        run("check", "firma.example")
    dkim.make_key(domain, DkimKey.Algorithm.RSA, now=NOW, actor=None)
    zone.publish(HOSTS + run("records", "firma.example"))
    answer = json.loads(run("check", "firma.example", "--json"))
    bad = [one["item"] for one in answer["findings"] if one["state"] != "ok"]
    assert bad == ["mta-sts-file"]  # nobody serves it at that address
    assert "mx\tok\tMail comes to us.\n" in run("check", "firma.example").replace("firma.example\t", "")


@pytest.mark.parametrize("name", ["nowhere.example", "", "a b", "x" * 300])
def test_a_domain_that_is_not_ours_is_told_in_a_line(db: None, name: str) -> None:
    with pytest.raises(CommandError, match="is not a domain of this panel"):
        run("check", name)


def test_what_the_zone_says_can_be_kept_whatever_it_is(domain: Domain, zone: Nsd) -> None:
    zone.publish(HOSTS + 'firma TXT "v=spf1 \\000\\255\\237\\166\\128 -all"\n')
    checking.check(domain, now=NOW)
    assert DomainRecord.objects.get(item="spf").reason == "unreadable"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM mailboxes_domainrecord")
