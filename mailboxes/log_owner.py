"""The owner of the log's tables: a role of the database that nobody signs in as.

Whoever owns a table may change and drop it whatever its triggers say, and so may the owner of its schema and database.
As long as that is the panel's own role, the log is safe from mistakes, not from whoever took over the panel. `logrole`
prints what a superuser runs to part them.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

ROLE = "webmail_panel_log"
# Table → columns that may be emptied: whom and what a line was about, once that is gone.
TABLES: dict[str, tuple[str, ...]] = {
    "mailboxes_logline": (),
    "responders_responderevent": ("mailbox_id", "responder_id", "actor_id", "undoes_id"),
    "responders_policyversion": ("changed_by_id",),
    "django_admin_log": (),
}
# To delete a person Django deletes that person's lines of its own log first: where there are some, the trigger refuses.
DELETED_FROM = {"django_admin_log"}
FUNCTIONS = {
    "responders_history_stays": "",
    "responders_keep_the_number": "",
    "panel_only_added_to": "",
    "panel_never_emptied": "",
    "panel_forget_in_history": "bigint, text, bigint, inet, text",
}
CALLED = "panel_forget_in_history"
OLDEST_WITH_ROLES_OF_THEIR_OWN = 160_000  # before PostgreSQL 16 CREATEROLE made one a member of any role


@dataclass(frozen=True, slots=True)
class Wall:
    """What the panel's role may do to the log, as the database says it."""

    is_superuser: bool
    owns: bool  # one of the tables or functions, by itself or by a role that it may become
    owns_around: bool  # the schema or the database
    may_join: bool  # make itself a member of the owner


def made_once(role: str) -> sql.Composed:
    """A statement that makes a role which nobody signs in as, where there is none of that name."""
    return sql.SQL(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN"
        " CREATE ROLE {role} NOLOGIN; END IF; END $$"
    ).format(name=sql.Literal(role), role=sql.Identifier(role))


def parting(panel: str, database: str) -> list[sql.SQL | sql.Composed]:
    """Statements for a superuser, to be run in the database; run again they change nothing."""
    names = {"role": sql.Identifier(ROLE), "panel": sql.Identifier(panel), "database": sql.Identifier(database)}
    found: list[sql.SQL | sql.Composed] = [
        made_once(ROLE),
        sql.SQL("ALTER DATABASE {database} OWNER TO {role}").format(**names),
        sql.SQL("GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {database} TO {panel}").format(**names),
        sql.SQL("ALTER SCHEMA public OWNER TO {role}").format(**names),
        sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {panel}").format(**names),
    ]
    for table, columns in TABLES.items():
        found += _of_table(table, columns, names)
    for function, arguments in FUNCTIONS.items():
        named = sql.SQL("{}({})").format(sql.Identifier("public", function), sql.SQL(arguments))
        found += [
            sql.SQL("ALTER FUNCTION {named} OWNER TO {role}").format(named=named, **names),
            sql.SQL("REVOKE ALL ON FUNCTION {named} FROM PUBLIC, {panel}").format(named=named, **names),
        ]
        if function == CALLED:
            found.append(sql.SQL("GRANT EXECUTE ON FUNCTION {named} TO {panel}").format(named=named, **names))
    return found


def _of_table(table: str, columns: tuple[str, ...], names: dict[str, sql.Identifier]) -> list[sql.SQL | sql.Composed]:
    named = {"table": sql.Identifier("public", table), **names}
    found: list[sql.SQL | sql.Composed] = [
        sql.SQL("ALTER TABLE {table} OWNER TO {role}").format(**named),
        sql.SQL("REVOKE ALL ON {table} FROM PUBLIC, {panel}").format(**named),
        sql.SQL("GRANT SELECT, INSERT ON {table} TO {panel}").format(**named),
        sql.SQL("GRANT SELECT ON SEQUENCE {sequence} TO {panel}").format(  # a backup reads it
            sequence=sql.Identifier("public", f"{table}_id_seq"), **named
        ),
    ]
    if table in DELETED_FROM:
        found.append(sql.SQL("GRANT DELETE ON {table} TO {panel}").format(**named))
    if columns:
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        found.append(sql.SQL("GRANT UPDATE ({listed}) ON {table} TO {panel}").format(listed=listed, **named))
    return found


def giving_back(panel: str) -> list[sql.SQL | sql.Composed]:
    """Statements for a superuser that let the panel's role change the log's tables again, for a migration that does."""
    role = sql.Identifier(panel)
    tables: list[sql.SQL | sql.Composed] = [
        sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier("public", table), role) for table in TABLES
    ]
    return tables + [
        sql.SQL("ALTER FUNCTION {}({}) OWNER TO {}").format(
            sql.Identifier("public", function), sql.SQL(arguments), role
        )
        for function, arguments in FUNCTIONS.items()
    ]


_WALL = """
WITH owners AS (
    SELECT relowner AS owner FROM pg_class WHERE oid = ANY(%(tables)s::regclass[])
    UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY(%(functions)s)
), around AS (
    SELECT nspowner AS owner FROM pg_namespace WHERE nspname = 'public'
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
)
SELECT me.rolsuper,
    EXISTS (SELECT FROM owners WHERE pg_has_role(owner, 'MEMBER')),
    EXISTS (SELECT FROM around WHERE pg_has_role(owner, 'MEMBER')),
    me.rolcreaterole AND current_setting('server_version_num')::int < %(roles_of_their_own)s
        OR EXISTS (SELECT FROM pg_auth_members m JOIN owners ON owner = m.roleid
            WHERE m.admin_option AND pg_has_role(m.member, 'MEMBER'))
FROM pg_roles me WHERE me.rolname = current_user
"""


def wall(connection: psycopg.Connection[tuple[bool, bool, bool, bool]]) -> Wall:
    """Ask the database, signed in as the panel. Raises psycopg.Error."""
    row = connection.execute(
        _WALL,
        {
            "tables": list(TABLES), "functions": list(FUNCTIONS),
            "roles_of_their_own": OLDEST_WITH_ROLES_OF_THEIR_OWN,
        },
    ).fetchone()  # fmt: skip
    assert row is not None  # noqa: S101 (whoever is signed in is a role)
    return Wall(*row)
