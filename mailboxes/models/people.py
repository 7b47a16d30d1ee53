"""Who signs in."""

import functools
from typing import Any, ClassVar, NamedTuple
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from mailboxes import addresses

LANGUAGES = [("pl", _("Polish")), ("en", _("English"))]


class _OvertakenError(Exception):
    """Somebody else changed the hash between our look at it and our own change."""


@functools.cache
def _time_zones() -> frozenset[str]:
    """Read once: it takes ten milliseconds."""
    return frozenset(available_timezones())


def validate_time_zone(name: str) -> None:
    """Accept the names of the IANA time zone database only."""
    if name not in _time_zones():
        raise ValidationError(_("“%(name)s” is not a time zone."), params={"name": name}, code="time_zone")


def default_time_zone() -> str:
    return str(settings.DEFAULT_MAILBOX_TIME_ZONE)


def default_language() -> str:
    return str(settings.DEFAULT_MAILBOX_LANGUAGE)


class UserManager(BaseUserManager["User"]):
    """Makes users by address; the address is normalised, the password hashed."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=addresses.normalise(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=addresses.normal_form_or_none(username or "") or "")


class Ways(NamedTuple):
    """Whether there is anything at all that may lead a person to mailboxes which are not theirs."""

    links: bool
    delegations: bool
    customers: bool


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in, by address and password."""

    email = models.EmailField(_("address"), unique=True)
    # Longer than Django's own: hashes that were imported name their scheme, and some are long.
    password = models.CharField(_("password"), max_length=255)
    name = models.CharField(_("name"), max_length=200, blank=True)
    # Of the pages; empty: as the browser asks.
    language = models.CharField(_("language"), max_length=10, choices=LANGUAGES, blank=True)
    is_staff = models.BooleanField(_("may open the administration"), default=False)
    is_active = models.BooleanField(_("may sign in"), default=True)
    # In the administration: then only staff let the person in again, not the company's administrator.
    is_blocked_by_staff = models.BooleanField(default=False, db_default=False, editable=False)
    # By somebody else: secrets that were made before count no more, for whoever knew the password may have made them.
    password_given_at = models.DateTimeField(null=True, editable=False)
    date_joined = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()
    # What whoever loaded the person asked beforehand (`access.know`).
    ways: "Ways | None" = None

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"),
        ]
        # For lists: few of a million may not sign in, and few are staff.
        indexes = [
            models.Index(fields=["date_joined"], name="user_joined"),
            models.Index(fields=["email"], name="user_blocked", condition=models.Q(is_active=False)),
            models.Index(fields=["email"], name="user_staff", condition=models.Q(is_staff=True)),
            models.Index(fields=["email"], name="user_superuser", condition=models.Q(is_superuser=True)),
        ]

    def __str__(self) -> str:
        return self.email

    def check_password(self, raw_password: str | None) -> bool:
        """Whether it is the password. A hash of another system, or of another cost, becomes one of ours if it is.

        Unlike Django's own it replaces only the hash that it checked: two may sign in at once, and a password that was
        changed meanwhile is newer.
        """
        try:
            return check_password(raw_password, self.password, self._renew_hash)
        except _OvertakenError:
            stored = User.objects.filter(pk=self.pk).values_list("password", flat=True).first()
            self.password = stored or make_password(None)
            return self.check_password(raw_password)

    def _renew_hash(self, password: str) -> None:
        renewed = make_password(password)
        if not User.objects.filter(pk=self.pk, password=self.password).update(password=renewed):
            raise _OvertakenError
        self.password = renewed

    @cached_property
    def group_names(self) -> frozenset[str]:
        """Asked once for each request: several places want to know."""
        return frozenset(self.groups.values_list("name", flat=True))

    @cached_property
    def time_zone(self) -> str:
        """In which the person thinks: that of their first mailbox, else the panel's. Asked once for each request."""
        zones = self.mailboxes.order_by("address").values_list("time_zone", flat=True)
        return zones.first() or default_time_zone()

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.get_full_name()
