"""What is a person's own: drafts, the calendar's feed, an opinion of the help, notes of staff."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Customer, Mailbox
from responders.core.rendering import for_reading
from responders.models.responder import Responder


class Draft(models.Model):
    """What a person is writing into the responder form and has not saved: theirs alone (`drafting/writing.py`)."""

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
        text = for_reading(f"{typed.get('subject', '')} – {typed.get('text_body', '')[:1_000]}")
        return text if len(text) <= 120 else f"{text[:119].rstrip(' .…')}…"


class CalendarFeed(models.Model):
    """That a person reads their absences in a calendar program. The secret of its address is kept as a hash alone."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="calendar_feed", verbose_name=_("user")
    )
    secret_hash = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(auto_now=True, null=True)  # none: before that was kept

    class Meta:
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")

    def __str__(self) -> str:
        return str(self.user)


class HelpVote(models.Model):
    """Whether an article of the help was of use to a person."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
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
