"""The log of what was changed."""

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailboxes import log_words


class Way(models.TextChoices):
    """By which door a change came. Empty: by the clock, or from before it was kept."""

    PANEL = "panel", _("panel")
    ADMINISTRATION = "administration", _("administration")
    COMMAND = "command", _("command")
    IMPORT = "import", _("import")
    LINK = "link", _("link in a notice")


class LogLine(models.Model):
    """What was changed of a customer, domain, mailbox, alias or person: by whom, from where, by which door.

    Only ever added to: the database refuses everything else, but to forget a person on purpose.
    """

    at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    # No foreign key: the log outlives what it tells of.
    model = models.CharField(_("kind"), max_length=100)
    key = models.CharField(max_length=64, blank=True)
    name = models.CharField(_("what"), max_length=320, blank=True)
    words = models.TextField(_("change"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, verbose_name=_("by")
    )
    place = models.GenericIPAddressField(_("from"), null=True)
    way = models.CharField(_("way"), max_length=20, choices=Way.choices, blank=True, db_default="", default="")

    class Meta:
        verbose_name = _("line of the log")
        verbose_name_plural = _("log")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["model", "key", "-id"], name="log_of_row"),
            models.Index(fields=["name"], name="log_name"),
            models.Index(fields=["at"], name="log_time"),
            models.Index(fields=["way", "-id"], name="log_way"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.name}: {self.sentence[:60]}"

    @property
    def sentence(self) -> str:
        """What happened, in the language of whoever reads it."""
        return log_words.sentence(self.words, self._label)

    @property
    def kind(self) -> str:
        """Of what it tells, as the administration calls it."""
        about = self._about()
        return str(about._meta.verbose_name) if about else self.model  # noqa: SLF001 (Django's documented way)

    def _about(self) -> type[models.Model] | None:
        try:
            return apps.get_model(self.model)
        except (LookupError, ValueError):  # from before a model was renamed or went
            return None

    def _label(self, field: str) -> str | None:
        about = self._about()
        try:
            return str(about._meta.get_field(field).verbose_name) if about else None  # type: ignore[union-attr]  # noqa: SLF001 (as above)
        except (FieldDoesNotExist, AttributeError):
            return None
