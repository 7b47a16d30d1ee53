"""Responders: what is answered, when, to whom."""

from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Mailbox, default_time_zone, validate_time_zone
from responders.core.facts import Audience, CaseForm, Conditions, ResponderFacts, Text
from responders.core.hours import HoursMode, OfficeHours
from responders.core.rendering import for_reading
from responders.core.schedule import State, Window, next_transition, state_at

if TYPE_CHECKING:
    _DateTimeField = models.DateTimeField[datetime | None, datetime | None]
else:
    _DateTimeField = models.DateTimeField


class LocalDateTimeField(_DateTimeField):
    """A wall-clock time without a zone, kept exactly as it was typed (PostgreSQL `timestamp`)."""

    description = _("Local date and time")

    def db_type(self, connection: Any) -> str:
        return "timestamp(0) without time zone"

    def get_prep_value(self, value: Any) -> datetime | None:
        local = self.to_python(value)
        if local is not None and local.tzinfo is not None:
            raise ValueError(f"{self.name} takes a local time without a zone")
        return local

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> datetime | None:
        return self.get_prep_value(value)

    def to_python(self, value: Any) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from error


class ResponderType(models.TextChoices):
    ABSENCE = "absence", _("Absence message")
    STANDING = "standing", _("Standing reply")


class AudienceChoices(models.TextChoices):
    EVERYONE = Audience.EVERYONE.value, _("Everyone")
    COLLEAGUES = Audience.COLLEAGUES.value, _("Only colleagues")
    OTHERS = Audience.OTHERS.value, _("Everyone but colleagues")


class CaseFormChoices(models.TextChoices):
    YEAR = CaseForm.YEAR.value, "2026/000123"
    MONTH = CaseForm.MONTH.value, "2026-11/000123"
    PLAIN = CaseForm.PLAIN.value, "000123"


class HoursModeChoices(models.TextChoices):
    ALWAYS = HoursMode.ALWAYS.value, _("At any time")
    OUTSIDE = HoursMode.OUTSIDE.value, _("Outside office hours")
    WITHIN = HoursMode.WITHIN.value, _("Within office hours only")


class StateChoices(models.TextChoices):
    OFF = State.OFF.value, _("Off")
    SCHEDULED = State.SCHEDULED.value, _("Scheduled")
    ACTIVE = State.ACTIVE.value, _("Active")
    ENDED = State.ENDED.value, _("Ended")


# Functions: of a fixed time Django's check would say, within ten seconds of it each day, that the present was meant.
def opening_time() -> time:
    """Of an office."""
    return time(8)


def closing_time() -> time:
    """Of an office."""
    return time(16)


def working_days() -> list[int]:
    """Monday to Friday."""
    return [0, 1, 2, 3, 4]


def _list_of(label: Any, *, max_length: int) -> "ArrayField[list[str], list[str]]":
    return ArrayField(models.CharField(max_length=max_length), default=list, blank=True, verbose_name=label)


class Responder(models.Model):
    """A text that answers for a mailbox, and from when to when.

    `from_date` and `to_date` are as typed, in `time_zone`; `from_utc` and `to_utc` are computed from them
    by `services.save_responder`. `state` mirrors what the clock says and is moved by the transitions task;
    whether the responder answers is always computed from the fields and the database's time.
    """

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="responders", verbose_name=_("mailbox"))
    type = models.CharField(_("type"), max_length=10, choices=ResponderType.choices, default=ResponderType.ABSENCE)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_enabled = models.BooleanField(_("on"), default=True)
    from_date = LocalDateTimeField(_("start"), null=True, blank=True)
    to_date = LocalDateTimeField(_("end"), null=True, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default=default_time_zone, validators=[validate_time_zone]
    )
    from_utc = models.DateTimeField(null=True, blank=True, editable=False)
    to_utc = models.DateTimeField(null=True, blank=True, editable=False)
    subject = models.CharField(_("subject"), max_length=500)
    text_body = models.TextField(_("text"))
    html_body = models.TextField(_("formatted text"), blank=True)
    interval_days = models.PositiveSmallIntegerField(
        _("answer the same sender again after (days)"), default=7, validators=[MinValueValidator(1)]
    )
    answers_once = models.BooleanField(_("answer each sender only once"), default=False)
    # Of the three texts above; those in `texts` say their own. Empty: the mailbox's.
    language = models.CharField(_("language of the text"), max_length=10, blank=True)
    # Each an object: language, for_colleagues, subject, text_body, html_body.
    texts = models.JSONField(_("further texts"), default=list, blank=True)
    audience = models.CharField(
        _("who gets a reply"), max_length=10, choices=AudienceChoices.choices, default=Audience.EVERYONE.value
    )
    addresses = _list_of(_("only for mail to"), max_length=320)
    words = _list_of(_("only with one of these words"), max_length=100)
    words_in_body = models.BooleanField(_("look for the words in the text, too"), default=False)
    word_forms = models.BooleanField(_("find other forms of the words, too"), default=False)
    senders = _list_of(_("only from these addresses or domains"), max_length=320)
    deputy_name = models.CharField(_("deputy's name"), max_length=200, blank=True)
    deputy_address = models.CharField(_("deputy's address"), max_length=320, blank=True)
    deputy_gets_copy = models.BooleanField(_("the deputy gets a copy of each message"), default=False)
    gives_case_numbers = models.BooleanField(_("each conversation gets a number"), default=False)
    case_form = models.CharField(
        _("form of the number"), max_length=10, choices=CaseFormChoices.choices, default=CaseForm.YEAR.value
    )
    case_prefix = models.CharField(_("before the number"), max_length=20, blank=True)
    hours_mode = models.CharField(
        _("when it answers"), max_length=10, choices=HoursModeChoices.choices, default=HoursMode.ALWAYS.value
    )
    # 0 is Monday.
    office_days = ArrayField(
        models.PositiveSmallIntegerField(), default=working_days, blank=True, verbose_name=_("office days")
    )
    office_opens = models.TimeField(_("office opens"), default=opening_time)
    office_closes = models.TimeField(_("office closes"), default=closing_time)
    holidays_are_off = models.BooleanField(_("closed on public holidays"), default=True)
    # Whose public holidays; of the panel when the responder was saved.
    country = models.CharField(max_length=2, blank=True, editable=False)
    # The memory of previous responses counts within one text and one activation.
    text_revision = models.PositiveIntegerField(default=1, editable=False)
    activation = models.PositiveIntegerField(default=1, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Compared at save, so that two tabs do not overwrite each other.
    version = models.PositiveIntegerField(default=1, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=StateChoices.choices, default=State.OFF.value, editable=False
    )
    state_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_transition_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("autoresponder")
        verbose_name_plural = _("autoresponders")
        ordering = ["mailbox", "position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(from_utc__isnull=True) | Q(to_utc__isnull=True) | Q(from_utc__lt=F("to_utc")),
                name="responder_starts_before_it_ends",
            ),
            models.CheckConstraint(
                condition=Q(from_date__isnull=True, from_utc__isnull=True)
                | Q(from_date__isnull=False, from_utc__isnull=False),
                name="responder_start_is_computed",
            ),
            models.CheckConstraint(
                condition=Q(to_date__isnull=True, to_utc__isnull=True) | Q(to_date__isnull=False, to_utc__isnull=False),
                name="responder_end_is_computed",
            ),
            models.CheckConstraint(
                condition=~Q(type="standing") | Q(from_date__isnull=True, to_date__isnull=True),
                name="standing_reply_has_no_dates",
            ),
            models.CheckConstraint(
                condition=Q(deputy_gets_copy=False) | Q(type="absence") & ~Q(deputy_address=""),
                name="only_an_absence_has_a_deputy_who_gets_copies",
            ),
            models.CheckConstraint(
                condition=Q(hours_mode="always") | Q(type="standing"), name="only_a_standing_reply_has_hours"
            ),
            models.CheckConstraint(
                condition=Q(office_opens__lt=F("office_closes")), name="office_opens_before_it_closes"
            ),
            models.CheckConstraint(
                condition=Q(gives_case_numbers=False) | Q(type="standing"), name="only_a_standing_reply_numbers_cases"
            ),
            models.CheckConstraint(
                condition=Q(audience__in=[audience.value for audience in Audience]), name="responder_audience_is_known"
            ),
            models.CheckConstraint(condition=Q(interval_days__gte=1), name="responder_interval_is_a_day_at_least"),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in State]), name="responder_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["mailbox", "position"],
                name="responder_position_is_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_transition_at", "id"],
                name="responder_due",
                condition=Q(next_transition_at__isnull=False),
            ),
            models.Index(fields=["created_at"], name="responder_created"),
            models.Index(fields=["deputy_address"], name="responder_of_deputy", condition=~Q(deputy_address="")),
            # What lists of mailboxes look for.
            models.Index(fields=["from_utc"], name="responder_on_from", condition=Q(is_enabled=True)),
            models.Index(fields=["type", "to_utc"], name="responder_on_until", condition=Q(is_enabled=True)),
            # Read by Postfix's map through the view responder_copy.
            models.Index(
                fields=["mailbox", "from_utc", "to_utc"],
                name="responder_enabled",
                condition=Q(is_enabled=True),
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def title(self) -> str:
        """The subject as people read it, … for what is filled in."""
        return for_reading(self.subject)

    @property
    def excerpt(self) -> str:
        """The text in the same way."""
        return for_reading(self.text_body)

    @property
    def window(self) -> Window:
        return Window(self.from_utc, self.to_utc)

    @property
    def facts(self) -> ResponderFacts:
        """This row as the value that the core decides on."""
        shared = ["id", "mailbox_id", "type", "is_enabled", "time_zone", "from_date", "to_date", "subject"]
        shared += ["text_body", "html_body", "text_revision", "activation", "interval_days", "answers_once", "language"]
        shared += ["deputy_name", "deputy_address", "gives_case_numbers", "case_prefix"]
        return ResponderFacts(
            window=self.window,
            texts=tuple(Text(**text) for text in self.texts),
            audience=Audience(self.audience),
            case_form=CaseForm(self.case_form),
            hours=OfficeHours(
                HoursMode(self.hours_mode),
                frozenset(self.office_days),
                self.office_opens,
                self.office_closes,
                self.country if self.holidays_are_off else "",
            ),
            addresses=frozenset(self.addresses),
            country=self.country,
            conditions=Conditions(tuple(self.words), self.words_in_body, self.word_forms, tuple(self.senders)),
            **{name: getattr(self, name) for name in shared},
        )

    def state_at(self, at: datetime) -> State:
        """What the responder is doing at the moment, computed from its fields."""
        return state_at(is_enabled=self.is_enabled, window=self.window, at=at)

    def next_transition(self, after: datetime) -> datetime | None:
        return next_transition(is_enabled=self.is_enabled, window=self.window, after=after)
