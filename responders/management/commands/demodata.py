"""`manage.py demodata`: two companies with mailboxes, aliases and responders, to try the panel out with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import override

from mailboxes.access import SUPPORT_GROUP
from mailboxes.models import AliasTarget, Customer, Domain, Mailbox, User
from mailboxes.services import add_alias, add_mailbox
from responders import services
from responders.validation import ResponderInput

PASSWORD = "spokojny-urlop-24"  # noqa: S105 (of the demo, and printed; refused without DEBUG)
OWNER, SUPPORT, ADMINISTRATOR = "anna@firma.example", "pomoc@hosting.example", "admin@hosting.example"
LOGINS = (("mailbox owner", OWNER), ("support agent", SUPPORT), ("administrator", ADMINISTRATOR))
DAY = timedelta(days=1)

MAILBOXES = (
    ("anna@firma.example", "Anna Nowak", "pl"),
    ("piotr@firma.example", "Piotr Zieliński", "pl"),
    ("biuro@firma.example", "Biuro Firmy", "pl"),
    ("maria@studio.example", "Maria Wójcik", "pl"),
    ("john@studio.example", "John Smith", "en"),
    ("kontakt@studio.example", "Studio Grafiki", "pl"),
)
ALIASES = (
    ("a.nowak@firma.example", ["anna@firma.example"]),
    ("zespol@firma.example", ["anna@firma.example", "piotr@firma.example"]),
    ("faktury@studio.example", ["maria@studio.example", "ksiegowa@biuro-rachunkowe.example"]),
)
GROUP_ALIAS = "zespol@firma.example"

ABSENCE_TEXT = """Dzień dobry,

dziękuję za wiadomość „{{ subject }}”. Jestem na urlopie i wracam {{ absence.return_date }}; odpiszę wtedy \
w pierwszej kolejności. W pilnych sprawach pomoże Państwu biuro: biuro@firma.example.

Pozdrawiam
{{ mailbox.name }}
"""
ABSENCE_HTML = """<p>Dzień dobry,</p>
<p>dziękuję za wiadomość „{{ subject }}”. Jestem na urlopie i wracam <b>{{ absence.return_date }}</b>; odpiszę wtedy
w pierwszej kolejności. W pilnych sprawach pomoże Państwu biuro:
<a href="mailto:biuro@firma.example">biuro@firma.example</a>.</p>
<p>Pozdrawiam<br>{{ mailbox.name }}</p>
"""
TRAINING_TEXT = """Dzień dobry,

od {{ absence.start }} do {{ absence.end }} jestem na szkoleniu i nie czytam poczty.

{{ mailbox.name }}
"""
STANDING_TEXT = """Dziękujemy za wiadomość. Odpowiadamy w ciągu jednego dnia roboczego, od poniedziałku do piątku \
w godzinach 8–16.

{{ mailbox.name }}
{{ mailbox.address }}
"""
ENGLISH_TEXT = """Hello {{ sender.name }},

thank you for your message. I am away until {{ absence.return_date }}.

{{ mailbox.name }}
"""


@dataclass(frozen=True)
class _Planned:
    """A responder to make; days count from today, None leaves that end open."""

    address: str
    type: str
    subject: str
    text: str
    days: tuple[int | None, int | None] = (None, None)
    html: str = ""
    is_enabled: bool = True
    made_days_ago: int = 0


RESPONDERS = (
    _Planned(OWNER, "absence", "Urlop: {{ subject }}", ABSENCE_TEXT, (-1, 10), ABSENCE_HTML, made_days_ago=2),
    _Planned(OWNER, "standing", "Auto: {{ subject }}", STANDING_TEXT, is_enabled=False),
    _Planned("piotr@firma.example", "absence", "Szkolenie: {{ subject }}", TRAINING_TEXT, (5, 9)),
    _Planned("biuro@firma.example", "standing", "Otrzymaliśmy: {{ subject }}", STANDING_TEXT),
    _Planned("maria@studio.example", "absence", "Urlop: {{ subject }}", TRAINING_TEXT, (-21, -7), made_days_ago=25),
    _Planned("john@studio.example", "absence", "Away: {{ subject }}", ENGLISH_TEXT, (None, None)),
    _Planned("kontakt@studio.example", "standing", "Auto: {{ subject }}", STANDING_TEXT, is_enabled=False),
)


class Command(BaseCommand):
    help = "Fill an empty panel with demo data, once, and print whom to sign in as. Only while DEBUG is on."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("demo data have passwords that everybody knows: only while DEBUG is on")
        if not (User.objects.exists() or Domain.objects.exists()):
            with transaction.atomic(), override("en"):
                make_demo_data(services.database_now())
        self._print_logins()

    def _print_logins(self) -> None:
        logins = [(role, email) for role, email in LOGINS if User.objects.filter(email=email).exists()]
        if not logins:
            self.stdout.write("  The panel has data of its own; no demo data were added.")
        for role, email in logins:
            self.stdout.write(f"  {role:<15} {email:<24} {PASSWORD}")


def make_demo_data(now: datetime) -> None:
    """Everything, as people would have made it; `now` is the database's time."""
    firma = Customer.objects.create(name="Firma sp. z o.o.", number="1001")
    studio = Customer.objects.create(name="Studio Grafiki Maria Wójcik", number="1002")
    Domain.objects.create(name="firma.example", customer=firma)
    Domain.objects.create(name="studio.example", customer=studio)
    for address, name, language in MAILBOXES:
        add_mailbox(address, name=name, password=PASSWORD, language=language)
    for address, targets in ALIASES:
        add_alias(address, targets)
    AliasTarget.objects.filter(alias__address=GROUP_ALIAS, mailbox__address=OWNER).update(is_own_address=True)
    _make_staff()
    for planned in RESPONDERS:
        _make_responder(planned, now)
    services.apply_due_transitions(now)


def _make_staff() -> None:
    support = User.objects.create_user(SUPPORT, PASSWORD, name="Pomoc techniczna")
    support.groups.add(Group.objects.get_or_create(name=SUPPORT_GROUP)[0])
    User.objects.create_superuser(ADMINISTRATOR, PASSWORD, name="Administrator")


def _make_responder(planned: _Planned, now: datetime) -> None:
    mailbox = Mailbox.objects.get(address=planned.address)
    today = now.astimezone(ZoneInfo(mailbox.time_zone)).replace(tzinfo=None, hour=8, minute=0, second=0, microsecond=0)
    start, end = (None if days is None else today + days * DAY for days in planned.days)
    values = ResponderInput(
        type=planned.type,
        is_enabled=planned.is_enabled,
        from_date=start,
        to_date=end,
        time_zone=mailbox.time_zone,
        subject=planned.subject,
        text_body=planned.text,
        html_body=planned.html,
    )
    services.save_responder(mailbox, values, actor=mailbox.owner, now=now - planned.made_days_ago * DAY)
