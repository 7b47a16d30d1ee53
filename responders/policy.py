"""The operator's settings as the core's policy: the environment's, and over them what was changed while running."""

from django.conf import settings

from responders.core.decision import Policy
from responders.models import PolicyVersion

# Of the latest `PolicyVersion`, where it says something.
CHANGEABLE = ("mailbox_replies_per_hour", "domain_replies_per_hour", "refusal_days", "system_senders")


def policy_from_settings() -> Policy:
    """What the environment says for the rules of silence. The hook lays the latest version over it by itself."""
    return Policy(
        system_senders=tuple(settings.SYSTEM_SENDERS),
        spam_fields=tuple(settings.SPAM_FIELDS),
        authserv_id=settings.AUTHSERV_ID,
        recipient_delimiter=settings.RECIPIENT_DELIMITER,
        mailbox_replies_per_hour=settings.MAILBOX_REPLIES_PER_HOUR,
        domain_replies_per_hour=settings.DOMAIN_REPLIES_PER_HOUR,
        refusal_days=settings.REFUSAL_DAYS,
    )


def policy_in_force() -> Policy:
    """What holds now."""
    latest = PolicyVersion.objects.first()
    said = {name: getattr(latest, name) for name in CHANGEABLE} if latest else {}
    return policy_from_settings().with_changes(said)


def decision_retention_days() -> int:
    """After how many days decisions are deleted."""
    latest = PolicyVersion.objects.first()
    days = latest.decision_retention_days if latest else None
    return int(settings.DECISION_RETENTION_DAYS) if days is None else days
