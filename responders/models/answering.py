"""What the hook writes: whom it answered, why it was silent, what it counts and remembers."""

from collections.abc import Iterable
from typing import Self

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Mailbox
from responders.models.responder import Responder


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

    Written by the hook alone (`hook/ledger/`). `reverse_path_key` is `addresses.memory_key` of the reverse-path.
    """

    class ClaimState(models.TextChoices):
        CLAIMED = "claimed", _("being answered")
        REPLIED = "replied", _("answered")
        REFUSED = "refused", _("reply refused")

    # The constraint's index below begins with it.
    responder = models.ForeignKey(
        Responder, models.CASCADE, related_name="previous_responses", db_index=False, verbose_name=_("autoresponder")
    )
    text_revision = models.PositiveIntegerField(_("revision of the text"))
    activation = models.PositiveIntegerField(_("activation"))
    reverse_path_key = models.CharField(_("sender"), max_length=320)
    queue_id = models.CharField(_("queue id"), max_length=100)
    state = models.CharField(_("state"), max_length=10, choices=ClaimState.choices, default=ClaimState.CLAIMED)
    claimed_at = models.DateTimeField(_("claimed"))
    lease_until = models.DateTimeField(_("being answered until"))
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

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="case_series", verbose_name=_("mailbox"))
    head = models.CharField(_("beginning of the number"), max_length=40, blank=True)
    last = models.PositiveIntegerField(_("last number"), default=0)

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
    opened_by = models.CharField(_("opened by the message"), max_length=998)
    reverse_path = models.CharField(_("sender"), max_length=320)
    reverse_path_key = models.CharField(_("sender"), max_length=320)
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

    case = models.ForeignKey(NumberedCase, models.CASCADE, related_name="messages", verbose_name=_("case"))
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

    key = models.CharField(_("mailbox or domain"), max_length=300, unique=True)
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
