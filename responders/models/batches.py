"""Changes of many mailboxes at once."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailboxes.models import Mailbox


class Batch(models.Model):
    """One change of many mailboxes: first a preview, then done by a worker, and taken back as a whole if need be."""

    class Kind(models.TextChoices):
        SET = "set", _("Set an autoresponder")
        END = "end", _("End autoresponders")
        LEAVE = "leave", _("Somebody leaves")
        MAKE = "make", _("Make mailboxes and aliases")

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
    values = models.JSONField(_("values"), default=dict)
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    reason = models.CharField(_("why"), max_length=500, blank=True)
    place = models.GenericIPAddressField(_("from"), null=True)
    # Until when the worker that is at it counts as alive.
    lease_until = models.DateTimeField(_("at work until"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

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
    number = models.PositiveIntegerField(_("number"))
    address = models.CharField(_("address"), max_length=320)
    mailbox = models.ForeignKey(Mailbox, models.SET_NULL, null=True, related_name="+", verbose_name=_("mailbox"))
    # Of this row of the file alone, over the batch's own.
    values = models.JSONField(_("values"), default=dict)
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    note = models.CharField(_("remark"), max_length=500, blank=True)
    # What taking it back undoes: numbers of events, and what else was there before. Of a mailbox that was made: empty
    # while its password can be had, {"forgotten": True} afterwards (responders/many/new_addresses.py).
    events = ArrayField(models.BigIntegerField(), default=list, verbose_name=_("numbers of events"))
    before = models.JSONField(_("what it was before"), default=dict)

    class Meta:
        verbose_name = _("mailbox of a change of many")
        verbose_name_plural = _("mailboxes of changes of many")
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="batch_item_number_is_one")]
        indexes = [models.Index(fields=["batch", "state", "number"], name="batch_item_state")]

    def __str__(self) -> str:
        return f"{self.address}: {self.get_state_display()}"
