"""What leaves: keys that sign it, how much of it there was, and who was stopped."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailboxes.models.hosting import Domain, Mailbox


class DkimKey(models.Model):
    """A key that signs what leaves a domain (RFC 6376). First it waits for its record in the DNS, then it signs, then
    its record stays there a while. One of each algorithm signs at a time."""

    class Algorithm(models.TextChoices):
        """RSA every receiver knows; Ed25519 (RFC 8463) is short, and not every receiver knows it yet."""

        RSA = "rsa", "RSA"
        ED25519 = "ed25519", "Ed25519"

    domain = models.ForeignKey(
        Domain, models.CASCADE, to_field="name", related_name="dkim_keys", verbose_name=_("domain")
    )
    selector = models.CharField(_("selector"), max_length=63)
    algorithm = models.CharField(_("algorithm"), max_length=10, choices=Algorithm.choices)
    # As rspamd wants it (PEM for RSA, the seed in base64 for Ed25519), sealed: mailboxes/sealing.py.
    sealed_key = models.TextField(editable=False)
    public_key = models.TextField(_("public key"), editable=False, help_text=_("In base64, as the record has it."))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    checked_at = models.DateTimeField(_("record last looked for"), null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(_("record last seen"), null=True, blank=True, editable=False)
    signs_since = models.DateTimeField(_("signs since"), null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(_("signed until"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("DKIM key")
        verbose_name_plural = _("DKIM keys")
        ordering = ["domain", "-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "selector"], name="dkim_selector_is_unique"),
            models.UniqueConstraint(
                fields=["domain", "algorithm"], name="one_dkim_key_signs",
                condition=models.Q(signs_since__isnull=False, retired_at=None),
            ),
            models.UniqueConstraint(
                fields=["domain", "algorithm"], name="one_dkim_key_waits", condition=models.Q(signs_since=None),
            ),
            models.CheckConstraint(
                condition=models.Q(retired_at=None) | models.Q(signs_since__isnull=False),
                name="dkim_key_that_retired_has_signed",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.domain_id}"

    @property
    def signs(self) -> bool:
        """Whether what leaves now is signed with it."""
        return self.signs_since is not None and self.retired_at is None

    @property
    def waits(self) -> bool:
        """Whether it has not signed yet."""
        return self.signs_since is None


class SendingCount(models.Model):
    """To how many recipients a mailbox's mail programs sent within ten minutes. Written by Postfix (`mail_sending`)."""

    pk = models.CompositePrimaryKey("mailbox_id", "bucket")
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="+", db_index=False)
    bucket = models.DateTimeField()
    recipients = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.mailbox_id}, {self.bucket:%d.%m. %H:%M}: {self.recipients}"


class SendingStop(models.Model):
    """That a mailbox sent to as many recipients as it may. One row each, of the latest time.

    It lasts while recipients are refused, and is over when none was for an hour. Written by Postfix
    (`mail_sending`); `told_at` by the task that tells owner and staff.
    """

    mailbox = models.OneToOneField(
        Mailbox, models.CASCADE, related_name="sending_stop", primary_key=True, verbose_name=_("mailbox")
    )
    recipients = models.PositiveIntegerField(_("recipients at most"))
    hours = models.PositiveSmallIntegerField(_("within hours"))
    stopped_at = models.DateTimeField(_("stopped"))
    last_at = models.DateTimeField(_("last recipient refused"))
    told_at = models.DateTimeField(_("told"), null=True)

    class Meta:
        verbose_name = _("stopped sender")
        verbose_name_plural = _("stopped senders")
        ordering = ["-last_at"]

    def __str__(self) -> str:
        return str(self.mailbox)
