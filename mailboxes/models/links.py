"""Who opens another person's mailbox with a sign-in of their own, because they proved that it is theirs, too."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailboxes.models.hosting import Mailbox
from mailboxes.models.people import User


class MailboxLink(models.Model):
    """A mailbox that a person added to their sign-in, by its own address and password.

    It rests on what was proven: the mailbox, its owner then, the owner's password, a second factor where it had one.
    mailboxes/access.py says which rows count; one that ended stays for a while, for the notice and for who asks.
    """

    class End(models.TextChoices):
        """What ended it."""

        LINKER = "linker", _("by who had added it")
        OWNER = "owner", _("by the mailbox's own sign-in")
        MANAGER = "manager", _("by who looks after the mailbox")
        NOTICE = "notice", _("by the link in the notice")
        PASSWORD = "password", _("the mailbox's password was changed")
        LINKERS_PASSWORD = "linkers-password", _("somebody else set the password of the sign-in")
        ANEW = "anew", _("it was proven anew")
        MOVED = "moved", _("the mailbox has another owner")

    user = models.ForeignKey(
        User, models.CASCADE, related_name="links", db_index=False, verbose_name=_("sign-in that opens it")
    )
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="links", verbose_name=_("mailbox"))
    # Whose password it was. It counts while the mailbox is theirs.
    owner = models.ForeignKey(User, models.CASCADE, related_name="links_to_theirs", verbose_name=_("owner"))
    with_second_factor = models.BooleanField(_("the owner's second factor was shown"), default=False)
    # The mailbox was the person's, and got a sign-in of its own: nobody showed anything.
    is_of_parting = models.BooleanField(default=False, db_default=False, editable=False)
    made_at = models.DateTimeField(_("created"))
    place = models.GenericIPAddressField(_("from"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end = models.CharField(_("ended because"), max_length=20, choices=End.choices, blank=True)
    told_at = models.DateTimeField(null=True, editable=False)
    end_told_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("linked mailbox")
        verbose_name_plural = _("linked mailboxes")
        ordering: ClassVar[list[str]] = ["-pk"]
        constraints = [
            # Begins with the person, so it finds a person's mailboxes, too.
            models.UniqueConstraint(
                fields=["user", "mailbox"], condition=models.Q(ended_at=None), name="linked_to_a_sign_in_once"
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at=None, end="") | (models.Q(ended_at__isnull=False) & ~models.Q(end="")),
                name="link_that_ended_says_why",
            ),
            models.CheckConstraint(condition=~models.Q(user=models.F("owner")), name="link_is_to_somebody_elses"),
        ]
        indexes = [
            models.Index(fields=["user"], name="link_of_person"),
            models.Index(fields=["made_at"], name="link_made"),
            models.Index(fields=["made_at"], name="link_untold", condition=models.Q(told_at=None, ended_at=None)),
            models.Index(
                fields=["ended_at"], name="link_end_untold",
                condition=models.Q(end_told_at=None, ended_at__isnull=False),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.mailbox} → {self.user}"
