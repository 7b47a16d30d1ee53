"""The operator's settings as the core's policy: the one place where they meet."""

from django.conf import settings

from responders.core.decision import Policy


def policy_from_settings() -> Policy:
    """What the operator configured for the rules of silence."""
    return Policy(
        system_senders=tuple(settings.SYSTEM_SENDERS),
        spam_fields=tuple(settings.SPAM_FIELDS),
        authserv_id=settings.AUTHSERV_ID,
        recipient_delimiter=settings.RECIPIENT_DELIMITER,
        mailbox_replies_per_hour=settings.MAILBOX_REPLIES_PER_HOUR,
        domain_replies_per_hour=settings.DOMAIN_REPLIES_PER_HOUR,
        refusal_days=settings.REFUSAL_DAYS,
    )
