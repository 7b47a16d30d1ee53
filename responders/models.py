"""Responders, whom they answered, and why they were silent."""

import re
from collections.abc import Iterable
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Customer, Mailbox, Way, default_time_zone, validate_time_zone
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
    office_opens = models.TimeField(_("office opens"), default=time(8))
    office_closes = models.TimeField(_("office closes"), default=time(16))
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


class PreviousResponses(models.QuerySet["PreviousResponse"]):
    """What the hook remembers."""

    def of_senders(self, keys: Iterable[str]) -> Self:
        """Whomever they wrote to; `keys` are those of the memory."""
        keys = list(keys)
        return self.alias(person=Lower("reverse_path_key")).filter(
            person__in=[key.lower() for key in keys], reverse_path_key__in=keys
        )


class PreviousResponse(models.Model):
    """That a sender was answered, or is being answered (RFC 3834 §2, RFC 5230 §4.2).

    Written by the hook alone (`hook/ledger.py`). `reverse_path_key` is `addresses.memory_key` of the reverse-path.
    """

    class ClaimState(models.TextChoices):
        CLAIMED = "claimed", _("being answered")
        REPLIED = "replied", _("answered")
        REFUSED = "refused", _("reply refused")

    # The constraint's index below begins with it.
    responder = models.ForeignKey(Responder, models.CASCADE, related_name="previous_responses", db_index=False)
    text_revision = models.PositiveIntegerField()
    activation = models.PositiveIntegerField()
    reverse_path_key = models.CharField(_("sender"), max_length=320)
    queue_id = models.CharField(_("queue id"), max_length=100)
    state = models.CharField(_("state"), max_length=10, choices=ClaimState.choices, default=ClaimState.CLAIMED)
    claimed_at = models.DateTimeField(_("claimed"))
    lease_until = models.DateTimeField()
    replied_at = models.DateTimeField(_("answered"), null=True)

    objects = PreviousResponses.as_manager()

    class Meta:
        verbose_name = _("previous response")
        verbose_name_plural = _("previous responses")
        constraints = [
            models.UniqueConstraint(
                fields=["responder", "reverse_path_key", "activation", "text_revision"],
                name="previous_response_is_claimed_once",
            ),
        ]
        # Of one person, whomever they wrote to: to tell or to forget all of it. Not the key itself, lest the plan
        # of the hook goes this way: a robot may have written to everybody.
        # None on the state: a claim that becomes a reply would have to write it anew.
        indexes = [
            models.Index(Lower("reverse_path_key"), name="previous_response_of_person"),
            models.Index(fields=["claimed_at"], name="previous_response_time"),
        ]

    def __str__(self) -> str:
        return self.reverse_path_key


class CaseSeries(models.Model):
    """How far the numbers of a mailbox with one head (“2026/”) have come."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="case_series")
    head = models.CharField(max_length=40, blank=True)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("series of case numbers")
        verbose_name_plural = _("series of case numbers")
        constraints = [models.UniqueConstraint(fields=["mailbox", "head"], name="case_series_is_one")]

    def __str__(self) -> str:
        return f"{self.head}{self.last}"


class NumberedCase(models.Model):
    """A conversation that was given a number. Written by the hook alone, through `responders_open_case`."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="cases", verbose_name=_("mailbox"))
    responder = models.ForeignKey(
        Responder, models.SET_NULL, related_name="cases", null=True, verbose_name=_("autoresponder")
    )
    number = models.CharField(_("number"), max_length=64)
    opened_at = models.DateTimeField(_("opened"))
    # The Message-ID of the first message, or its name in the queue: a copy that comes again gets the same number.
    opened_by = models.CharField(max_length=998)
    reverse_path = models.CharField(_("sender"), max_length=320)
    reverse_path_key = models.CharField(max_length=320)
    subject = models.CharField(_("subject"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "number"], name="case_number_is_unique"),
            models.UniqueConstraint(fields=["mailbox", "opened_by"], name="case_is_opened_once"),
        ]
        indexes = [
            models.Index(fields=["mailbox", "reverse_path_key", "opened_at"], name="case_of_sender"),
            models.Index(fields=["number"], name="case_number"),
            models.Index(fields=["reverse_path"], name="case_of_person"),
            models.Index(fields=["opened_at"], name="case_opened"),
        ]

    def __str__(self) -> str:
        return self.number


class CaseMessage(models.Model):
    """A message of a case, by which later ones are recognised: the first, and our replies."""

    case = models.ForeignKey(NumberedCase, models.CASCADE, related_name="messages")
    message_id = models.CharField("Message-ID", max_length=998, db_index=True)

    class Meta:
        verbose_name = _("message of a case")
        verbose_name_plural = _("messages of cases")
        constraints = [models.UniqueConstraint(fields=["case", "message_id"], name="case_message_is_one")]

    def __str__(self) -> str:
        return self.message_id


class ReplyCount(models.Model):
    """How many replies a mailbox (key “m” and its id) or a domain (“d” and its name) began within ten minutes."""

    pk = models.CompositePrimaryKey("key", "bucket")
    key = models.CharField(max_length=300)
    bucket = models.DateTimeField()
    replies = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.key} {self.bucket:%Y-%m-%d %H:%M}: {self.replies}"


class DrawnBrake(models.Model):
    """That a mailbox or a domain sent as many replies within an hour as it may. One row each, of the latest time.

    A drawing goes on while messages are silenced by it, and is over when none was for an hour. Written by the hook;
    `told_at` by the task that tells owner and staff.
    """

    key = models.CharField(max_length=300, unique=True)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="drawn_brakes", verbose_name=_("mailbox"))
    is_of_domain = models.BooleanField(_("of the domain"))
    replies_per_hour = models.PositiveIntegerField(_("replies an hour"))
    drawn_at = models.DateTimeField(_("drawn"))
    last_at = models.DateTimeField(_("last message silenced"))
    told_at = models.DateTimeField(_("told"), null=True)

    class Meta:
        verbose_name = _("drawn brake")
        verbose_name_plural = _("drawn brakes")
        ordering = ["-last_at"]

    def __str__(self) -> str:
        return self.mailbox.domain_id if self.is_of_domain else str(self.mailbox)


class Refusal(models.Model):
    """That an address refused a reply for good, and when last. Written by the hook; lifted by people and time."""

    address = models.CharField(_("address"), max_length=320, unique=True)  # in normal form
    refused_at = models.DateTimeField(_("refused"), db_index=True)
    words = models.CharField(_("what its server said"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("refusal")
        verbose_name_plural = _("refusals")
        ordering = ["-refused_at"]

    def __str__(self) -> str:
        return self.address


class Decision(models.Model):
    """What was decided about one copy for one mailbox: replied, or why not. Written by the hook alone.

    The table is kept in parts by the time (`decision_partitions`): its primary key in the database is id and time.
    """

    # The index on mailbox and id begins with it.
    mailbox = models.ForeignKey(
        Mailbox, models.CASCADE, related_name="decisions", null=True, db_index=False, verbose_name=_("mailbox")
    )
    responder = models.ForeignKey(
        Responder, models.SET_NULL, related_name="decisions", null=True, verbose_name=_("autoresponder")
    )
    decided_at = models.DateTimeField(_("time"))
    reverse_path = models.CharField(_("sender"), max_length=320, blank=True)
    forward_path = models.CharField(_("written to"), max_length=320)
    reason = models.CharField(_("reason"), max_length=40)
    evidence = models.CharField(_("evidence"), max_length=500, blank=True)
    # The rules that let it pass before the one that hit, by name, in order.
    misses = models.JSONField(default=list)
    message_id = models.CharField("Message-ID", max_length=998, blank=True)
    queue_id = models.CharField(_("queue id"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["mailbox", "-id"], name="decision_of_mailbox"),
            models.Index(fields=["decided_at"], name="decision_time"),
            models.Index(fields=["reverse_path", "-id"], name="decision_sender"),
            models.Index(fields=["message_id"], name="decision_message_id"),
        ]

    def __str__(self) -> str:
        return f"{self.reverse_path or '<>'} → {self.forward_path}: {self.reason}"


class QuarantinedMessage(models.Model):
    """A message on which the hook failed unexpectedly: the header block and the first 256 KB, for the operator."""

    received_at = models.DateTimeField(_("time"))
    reverse_path = models.CharField(_("sender"), max_length=320, blank=True)
    forward_path = models.CharField(_("written to"), max_length=320)
    traceback = models.TextField(_("traceback"))
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("quarantined message")
        verbose_name_plural = _("quarantined messages")
        ordering = ["-id"]
        indexes = [models.Index(fields=["received_at"], name="quarantined_message_received")]

    def __str__(self) -> str:
        return f"{self.reverse_path or '<>'} → {self.forward_path}"


class ResponderEvent(models.Model):
    """History of a responder: every change by a person, every transition by the clock.

    Only ever added to: the database refuses everything else, but to forget a responder, a mailbox or a person.
    """

    class Kind(models.TextChoices):
        CREATED = "created", _("created")
        EDITED = "edited", _("edited")
        SWITCHED_ON = "switched-on", _("switched on")
        SWITCHED_OFF = "switched-off", _("switched off")
        ANSWER_AGAIN = "answer-again", _("answers everyone again")
        STARTED = "started", _("started")
        ENDED = "ended", _("ended")
        DELETED = "deleted", _("deleted")
        MAILBOX = "mailbox", _("settings of the mailbox changed")

    mailbox = models.ForeignKey(
        Mailbox, models.SET_NULL, related_name="responder_events", null=True, verbose_name=_("mailbox")
    )
    # Filled in by the database (`responders_history_stays`): the history outlives the mailbox.
    address = models.CharField(_("address"), max_length=320, blank=True, db_default="", editable=False)
    responder = models.ForeignKey(
        Responder, models.SET_NULL, related_name="events", null=True, verbose_name=_("autoresponder")
    )
    # The number that `responder` had; filled in by the database when the responder is deleted.
    deleted_responder = models.BigIntegerField(null=True, editable=False)
    kind = models.CharField(_("event"), max_length=20, choices=Kind.choices)
    # When it took effect: for the clock's transitions the edge of the window, not the time the task ran.
    at = models.DateTimeField(_("time"))
    recorded_at = models.DateTimeField(_("recorded"), auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    # Field name → [before, after], for edits.
    changes = models.JSONField(default=dict)
    # Why staff did it for the owner; empty where the owner or somebody of theirs did it.
    reason = models.CharField(_("why"), max_length=500, blank=True, db_default="")
    place = models.GenericIPAddressField(_("from"), null=True)
    way = models.CharField(_("way"), max_length=20, choices=Way.choices, blank=True, db_default="", default="")
    undoes = models.OneToOneField(
        "self", models.SET_NULL, related_name="undone_by", null=True, verbose_name=_("undoes")
    )

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("history")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["mailbox", "-at"], name="responder_event_of_mailbox"),
            models.Index(fields=["-at", "-id"], name="responder_event_time"),
            models.Index(fields=["kind", "-at", "-id"], name="responder_event_kind"),
            # What notices look for.
            models.Index(fields=["at"], name="responder_event_of_clock", condition=Q(kind__in=["started", "ended"])),
            models.Index(fields=["at"], name="responder_event_of_staff", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.get_kind_display()}"

    def standing_mailbox(self) -> Mailbox:
        """The mailbox, for events of one that was not deleted. Raises Mailbox.DoesNotExist."""
        if self.mailbox is None:
            raise Mailbox.DoesNotExist
        return self.mailbox


class Draft(models.Model):
    """What a person is writing into the responder form and has not saved: theirs alone (`responders/writing.py`)."""

    # The constraint's index below begins with it.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="drafts", db_index=False, verbose_name=_("user")
    )
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="drafts", verbose_name=_("mailbox"))
    responder = models.ForeignKey(
        Responder, models.CASCADE, related_name="drafts", null=True, verbose_name=_("autoresponder")
    )
    # Of the page on which it was begun: two windows write two drafts.
    key = models.CharField(max_length=32)
    # The form's fields as a query string. Empty: it was saved or thrown away, and nothing late brings it back.
    typed = models.TextField(blank=True)
    began_at = models.DateTimeField(_("begun"))
    changed_at = models.DateTimeField(_("changed"), db_index=True)
    # SHA-256 of the session's key, so that signing out leaves nothing of it.
    session = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        ordering = ["-changed_at"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="draft_key_is_one_a_person")]

    def __str__(self) -> str:
        return f"{self.user_id}, {self.began_at:%Y-%m-%d %H:%M}"

    @property
    def excerpt(self) -> str:
        """How what was typed begins, … for what is filled in and for the rest."""
        typed = QueryDict(self.typed)
        text = for_reading(f"{typed.get('subject', '')}: {typed.get('text_body', '')[:1_000]}")
        return text if len(text) <= 120 else f"{text[:119].rstrip(' .…')}…"


class Notice(models.Model):
    """That the owner was told of something by mail, so that nobody is told twice."""

    class Kind(models.TextChoices):
        STARTED = "started", _("started")
        ENDED = "ended", _("ended")
        ENDING = "ending", _("ends tomorrow")
        STILL_ON = "still-on", _("still on")

    # The unique index on responder, kind and time begins with it.
    responder = models.ForeignKey(
        Responder, models.CASCADE, related_name="notices", db_index=False, verbose_name=_("autoresponder")
    )
    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    # What it is about: the edge of the window, or when two weeks without an end were over.
    about = models.DateTimeField(_("of"))
    sent_at = models.DateTimeField(_("sent"))

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [models.UniqueConstraint(fields=["responder", "kind", "about"], name="notice_is_sent_once")]
        indexes = [models.Index(fields=["sent_at"], name="notice_sent")]

    def __str__(self) -> str:
        return f"{self.kind} {self.about:%Y-%m-%d %H:%M}"


class ChangeNotice(models.Model):
    """That the owner was told of what staff changed for them."""

    event = models.OneToOneField(
        ResponderEvent, models.CASCADE, related_name="notice", primary_key=True, verbose_name=_("event")
    )
    sent_at = models.DateTimeField(_("sent"))

    class Meta:
        verbose_name = _("notice of a change")
        verbose_name_plural = _("notices of changes")
        indexes = [models.Index(fields=["sent_at"], name="change_notice_sent")]

    def __str__(self) -> str:
        return str(self.event)


class CalendarFeed(models.Model):
    """That a person reads their absences in a calendar program. The secret of its address is kept as a hash alone."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="calendar_feed", verbose_name=_("user")
    )
    secret_hash = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")

    def __str__(self) -> str:
        return str(self.user)


class HelpVote(models.Model):
    """Whether an article of the help was of use to a person."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    slug = models.CharField(_("article"), max_length=40)
    is_helpful = models.BooleanField(_("helpful"))
    comment = models.CharField(_("remark"), max_length=1000, blank=True)
    at = models.DateTimeField(_("time"), auto_now=True)

    class Meta:
        verbose_name = _("vote on a help article")
        verbose_name_plural = _("votes on help articles")
        constraints = [models.UniqueConstraint(fields=["user", "slug"], name="help_vote_is_one_a_person")]

    def __str__(self) -> str:
        return f"{self.slug}: {self.is_helpful}"


class Batch(models.Model):
    """One change of many mailboxes: first a preview, then done by a worker, and taken back as a whole if need be."""

    class Kind(models.TextChoices):
        SET = "set", _("Set an autoresponder")
        END = "end", _("End autoresponders")
        LEAVE = "leave", _("Somebody leaves")

    class State(models.TextChoices):
        PREVIEW = "preview", _("not begun yet")
        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")
        DONE = "done", _("done")
        TAKING_BACK = "taking-back", _("being taken back")
        TAKEN_BACK = "taken-back", _("taken back")

    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.PREVIEW)
    # Which mailboxes, as the person said it: domains, a customer's number, the name of a file.
    scope = models.CharField(_("for"), max_length=500)
    # A `ResponderInput` in JSON and what else the kind asks for.
    values = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    reason = models.CharField(_("why"), max_length=500, blank=True)
    place = models.GenericIPAddressField(_("from"), null=True)
    # Until when the worker that is at it counts as alive.
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("change of many mailboxes")
        verbose_name_plural = _("changes of many mailboxes")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["lease_until"], name="batch_at_work", condition=Q(state__in=["running", "taking-back"])
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.scope}"


class BatchItem(models.Model):
    """What a batch does to one mailbox."""

    class State(models.TextChoices):
        WAITING = "waiting", _("will be changed")
        SKIPPED = "skipped", _("stays as it is")
        FAILED = "failed", _("cannot be changed")
        DONE = "done", _("changed")
        TAKEN_BACK = "taken-back", _("taken back")
        KEPT = "kept", _("could not be taken back")

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="items", verbose_name=_("change of many mailboxes"))
    number = models.PositiveIntegerField()
    address = models.CharField(_("address"), max_length=320)
    mailbox = models.ForeignKey(Mailbox, models.SET_NULL, null=True, related_name="+")
    # Of this row of the file alone, over the batch's own.
    values = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    note = models.CharField(_("remark"), max_length=500, blank=True)
    # What taking it back undoes: numbers of events, and what else was there before.
    events = ArrayField(models.BigIntegerField(), default=list)
    before = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("mailbox of a change of many")
        verbose_name_plural = _("mailboxes of changes of many")
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="batch_item_number_is_one")]
        indexes = [models.Index(fields=["batch", "state", "number"], name="batch_item_state")]

    def __str__(self) -> str:
        return f"{self.address}: {self.state}"


def validate_sender_pattern(text: str) -> None:
    """A local part, where * at either end stands for anything; never everybody."""
    if not re.fullmatch(r"\*?[^@*\s]{1,64}\*?", text):
        raise ValidationError(
            _("“%(text)s” is no part before the @: write it alone, with * at an end if you like."),
            params={"text": text},
        )


def _from_settings(label: Any, *, least: int, most: int) -> Any:
    return models.PositiveIntegerField(
        label, null=True, blank=True, validators=[MinValueValidator(least), MaxValueValidator(most)],
        help_text=_("Empty: as the server's configuration says."),
    )  # fmt: skip


class PolicyVersion(models.Model):
    """Settings that changed while the panel ran. The latest row is in force, the others are the history.

    What is NULL is as the environment says (`policy.policy_from_settings`).
    """

    mailbox_replies_per_hour = _from_settings(_("automatic replies an hour of a mailbox"), least=0, most=10**6)
    domain_replies_per_hour = _from_settings(_("automatic replies an hour of a domain"), least=0, most=10**7)
    refusal_days = _from_settings(_("no reply after a refusal (days)"), least=0, most=3_650)
    decision_retention_days = _from_settings(_("decisions are kept (days)"), least=1, most=3_650)
    system_senders = ArrayField(
        models.CharField(max_length=66, validators=[validate_sender_pattern]), null=True, blank=True,
        verbose_name=_("further senders that are machines"),
        help_text=_("Parts before the @ with commas between them; * at an end stands for anything. Empty: as above."),
    )  # fmt: skip
    changed_at = models.DateTimeField(_("changed"), auto_now_add=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    reason = models.CharField(_("why"), max_length=500)

    class Meta:
        verbose_name = _("settings")
        verbose_name_plural = _("settings and their history")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.changed_at:%Y-%m-%d %H:%M} {self.reason}"


class HouseText(models.Model):
    """A text that the hosting company offers to its customers, before the panel's own."""

    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES)
    title = models.CharField(_("title"), max_length=100)
    type = models.CharField(_("type"), max_length=10, choices=ResponderType.choices, default=ResponderType.ABSENCE)
    subject = models.CharField(_("subject"), max_length=500)
    text_body = models.TextField(_("text"), max_length=50_000)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("ready text")
        verbose_name_plural = _("ready texts")
        ordering = ["language", "position", "pk"]

    def __str__(self) -> str:
        return self.title


class StaffNote(models.Model):
    """What staff want to remember about a mailbox or a customer. The customer does not see it."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="notes", null=True, verbose_name=_("mailbox"))
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="notes", null=True, verbose_name=_("customer"))
    text = models.TextField(_("note"), max_length=5_000)
    at = models.DateTimeField(_("time"), auto_now_add=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ["-id"]
        indexes = [models.Index(fields=["at"], name="staff_note_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(mailbox__isnull=False, customer__isnull=True)
                | Q(mailbox__isnull=True, customer__isnull=False),
                name="note_is_about_one_thing",
            )
        ]

    def __str__(self) -> str:
        return self.text[:60]


class DailyCount(models.Model):
    """How many decisions of a reason there were on a day (UTC): for charts, kept by a task."""

    pk = models.CompositePrimaryKey("day", "reason")
    day = models.DateField()
    reason = models.CharField(max_length=40)
    decisions = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.reason}: {self.decisions}"


class HookSign(models.Model):
    """The latest sign of life of a hook process's host. Written by the hook alone, twice a minute."""

    host = models.CharField(_("host"), max_length=253, primary_key=True)
    at = models.DateTimeField(_("time"))
    # Of the copies that came since the sign before: how old the oldest was, in seconds.
    oldest_copy = models.PositiveIntegerField(_("age of the oldest copy (s)"), default=0)

    class Meta:
        verbose_name = _("sign of life of a hook")
        verbose_name_plural = _("signs of life of hooks")

    def __str__(self) -> str:
        return f"{self.host} {self.at:%Y-%m-%d %H:%M:%S}"
