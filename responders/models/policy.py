"""Settings and texts that staff change while the panel runs."""

import re
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from responders.models.responder import ResponderType


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
