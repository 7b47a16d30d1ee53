"""What was done to responders and mailboxes, and who was told of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Mailbox, Way
from responders.models.responder import Responder


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
    changes = models.JSONField(_("changes"), default=dict)
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
