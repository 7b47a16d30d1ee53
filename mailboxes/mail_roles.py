"""The roles of the database that Postfix and Dovecot sign in as: what each may read, and whether it is so.

Each reads through a group that the migrations make and give its rights, so that a role made today may read what a
migration of tomorrow adds. Postfix needs no password's hash; Dovecot neither aliases nor who is away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class MailRole:
    """One server's role: its group, what it is called, and what it may do in the database."""

    server: str
    group: str
    default_name: str
    reads: Mapping[str, frozenset[str]]  # view → columns
    calls: frozenset[str]
    connections: float  # at most, as a share of the server's max_connections; 1 is no limit of its own

    @property
    def user_variable(self) -> str:
        return f"{self.server.upper()}_DATABASE_USER"

    @property
    def password_variable(self) -> str:
        return f"{self.server.upper()}_DATABASE_PASSWORD"


POSTFIX = MailRole(
    server="postfix",
    group="webmail_panel_mail_postfix",
    default_name="webmail_panel_postfix",
    reads=MappingProxyType(
        {
            "mail_domains": frozenset({"domain"}),
            "mail_mailboxes": frozenset({"address"}),
            "mail_aliases": frozenset({"address", "target"}),
            "mail_deputies": frozenset({"address", "target"}),
            "mail_refused": frozenset({"address", "answer"}),
            "responder_copy": frozenset({"address"}),
        }
    ),
    calls=frozenset(
        {"postfix_aliases", "postfix_copy", "postfix_domain", "postfix_mailbox", "postfix_recipient", "postfix_refused"}
        | {"postfix_senders", "mail_lookup_postmaster", "mail_sending"}
        # Files that `mailconfig` wrote before 0046 of responders ask these.
        | {"mail_lookup_aliases", "mail_lookup_copies", "mail_lookup_senders"}
    ),
    connections=7 / 10,  # one a map in each proxymap: a flood, or a database that stalls, leaves some to all others
)
DOVECOT = MailRole(
    server="dovecot",
    group="webmail_panel_mail_dovecot",
    default_name="webmail_panel_dovecot",
    reads=MappingProxyType(
        {
            "mail_mailboxes": frozenset({"address", "home", "quota_mb"}),
            "mail_accounts": frozenset({"address", "password"}),
            "mail_app_passwords": frozenset({"address", "digest"}),
        }
    ),
    calls=frozenset({"mail_lookup_mailbox", "mail_lookup_sign_in", "mail_lookup_space"}),
    connections=1 / 3,  # ten for each Dovecot, and one for what tells it whom to forget
)
# What earlier versions made for both servers. It goes on working until each has a role of its own.
BOTH = MailRole(
    server="mail",
    group="webmail_panel_mail",
    default_name="webmail_panel_mta",
    reads=MappingProxyType({}),
    calls=frozenset(),
    connections=1,
)
OF_SERVERS = {role.server: role for role in (POSTFIX, DOVECOT)}


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role may do, as the database says it."""

    may_sign_in: bool
    is_mighty: bool  # a superuser, or one who makes roles or databases, replicates, or passes by row security
    reads: Mapping[str, frozenset[str]]
    writes: frozenset[str]
    calls: frozenset[str]


# What comes with an extension, and what everybody may call, is nobody's particular right.
_RIGHTS = """
WITH ours AS (
    SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT r.rolcanlogin, r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
    ARRAY(SELECT ARRAY[o.relname::text, a.attname::text] FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(r.oid, o.oid, a.attnum, 'SELECT')),
    ARRAY(SELECT o.relname::text FROM ours o
        WHERE has_table_privilege(r.oid, o.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
            OR has_any_column_privilege(r.oid, o.oid, 'INSERT, UPDATE, REFERENCES')),
    ARRAY(SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
            AND NOT has_function_privilege('public', p.oid, 'EXECUTE'))
FROM pg_roles r WHERE r.rolname = %s
"""


def rights_of(connection: psycopg.Connection[Any], name: str) -> Rights | None:
    """Ask the database, signed in as whoever; None: there is no such role. Raises psycopg.Error."""
    row = connection.execute(_RIGHTS, [name]).fetchone()
    if row is None:
        return None
    may_sign_in, is_mighty, columns, writes, calls = row
    reads: dict[str, set[str]] = {}
    for view, column in columns:
        reads.setdefault(view, set()).add(column)
    return Rights(
        may_sign_in, is_mighty, {view: frozenset(names) for view, names in reads.items()}, frozenset(writes),
        frozenset(calls),
    )  # fmt: skip


def lacking(role: MailRole, rights: Rights) -> list[str]:
    """What the server needs and its role may not do: `view.column`, `function()`."""
    return sorted(_words(role.reads, role.calls) - _words(rights.reads, rights.calls))


def beyond(role: MailRole, rights: Rights) -> list[str]:
    """What the role may do that the server has no use for."""
    changes = {f"{name} (to change it)" for name in rights.writes}
    return sorted((_words(rights.reads, rights.calls) - _words(role.reads, role.calls)) | changes)


def _words(reads: Mapping[str, frozenset[str]], calls: frozenset[str]) -> set[str]:
    return {f"{view}.{column}" for view, columns in reads.items() for column in columns} | {
        f"{name}()" for name in calls
    }
