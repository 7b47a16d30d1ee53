"""What was deleted and may be taken back, where it stands in a table of its own."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses
from mailboxes.models.hosting import Domain


class DeletedAlias(models.Model):
    """An alias that was deleted, with what is needed to take it back; for MAILBOX_GRACE_DAYS.

    Not a row of Alias with a mark: whoever reads aliases (Postfix at each recipient, the hook, every list) needs not
    know of it, and its address is free. Its key is the alias's own, so that the log goes on where it comes back.
    """

    id = models.BigIntegerField(primary_key=True)
    domain = models.ForeignKey(
        Domain, models.CASCADE, to_field="name", related_name="deleted_aliases", verbose_name=_("domain")
    )
    local_part = models.CharField(_("part before the @"), max_length=64)
    is_active = models.BooleanField(_("receives mail"))
    created_at = models.DateTimeField(_("created"))
    deleted_at = models.DateTimeField(_("deleted"), db_index=True)
    # Rows of AliasTarget: {"mailbox": key or null, "address": where it led then, "is_own_address": bool}.
    targets = models.JSONField(_("targets"))

    class Meta:
        verbose_name = _("deleted alias")
        verbose_name_plural = _("deleted aliases")
        ordering = ["-deleted_at", "pk"]

    def __str__(self) -> str:
        return addresses.display(self.address)

    @property
    def address(self) -> str:
        """Which it had; somebody else may have it now."""
        return f"{self.local_part}@{self.domain_id}"

    @property
    def led_to(self) -> list[str]:
        """The addresses that it led to."""
        return [target["address"] for target in self.targets]
