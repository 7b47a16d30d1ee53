"""Who receives mail, and who may touch it."""

from mailboxes.models.deleted import (
    DeletedAlias,
)
from mailboxes.models.dns import (
    DomainClaim,
    DomainHealth,
    DomainRecord,
    DomainRecordChange,
)
from mailboxes.models.hosting import (
    MAX_MAILBOXES,
    MAX_QUOTA_MB,
    MAX_RECIPIENTS,
    MAX_REPLIES,
    MAX_TOTAL_QUOTA_MB,
    Alias,
    AliasTarget,
    AppPassword,
    Customer,
    Delegation,
    Domain,
    Mailbox,
    validate_domain_name,
    validate_local_part,
    validate_new_mailbox,
)
from mailboxes.models.links import (
    MailboxLink,
)
from mailboxes.models.log import (
    LogLine,
    Way,
)
from mailboxes.models.people import (
    LANGUAGES,
    User,
    UserManager,
    Ways,
    default_language,
    default_time_zone,
    validate_time_zone,
)
from mailboxes.models.sending import (
    DkimKey,
    SendingCount,
    SendingStop,
)

__all__ = [
    "LANGUAGES",
    "MAX_MAILBOXES",
    "MAX_QUOTA_MB",
    "MAX_RECIPIENTS",
    "MAX_REPLIES",
    "MAX_TOTAL_QUOTA_MB",
    "Alias",
    "AliasTarget",
    "AppPassword",
    "Customer",
    "Delegation",
    "DeletedAlias",
    "DkimKey",
    "Domain",
    "DomainClaim",
    "DomainHealth",
    "DomainRecord",
    "DomainRecordChange",
    "LogLine",
    "Mailbox",
    "MailboxLink",
    "SendingCount",
    "SendingStop",
    "User",
    "UserManager",
    "Way",
    "Ways",
    "default_language",
    "default_time_zone",
    "validate_domain_name",
    "validate_local_part",
    "validate_new_mailbox",
    "validate_time_zone",
]
