"""The role of the database that the panel works as, where a superuser's address is at hand: `make run`, containers.

Nothing of the panel works as the superuser: it makes the roles and parts them, and runs nothing that the panel's role
could have written. Migrations run as a third role, which may change the panel's tables and the log's and is gone
afterwards, so that the log is closed to the panel's role while they run too.
"""

import psycopg
from psycopg import sql

from mailboxes import log_owner
from mailboxes.database_roles import signs_in

SETUP = "webmail_panel_setup"
EXTENSIONS = ("pg_trgm",)  # the superuser's, so that nobody else drops them
LOCK = 7261

# What a superuser made here, as earlier versions of the panel did. A sequence of a table goes with its table.
_SUPERUSERS_OWN = """
SELECT format('ALTER TABLE public.%I OWNER TO ', c.relname) AS beginning FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
        AND c.relowner = current_user::regrole
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
            AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')))
UNION ALL
SELECT format('ALTER ROUTINE %s OWNER TO ', p.oid::regprocedure) FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proowner = current_user::regrole
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
            AND d.deptype = 'e')
"""
_IS_PARTED = """
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %(setup)s)
    AND (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(tables)s)
        AND pg_get_userbyid(relowner) = %(log)s) = cardinality(%(tables)s::text[])
    AND (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public') = %(log)s
    AND (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) = %(log)s
"""


def is_parted(superuser: psycopg.Connection) -> bool:
    """Whether panel and log have owners of their own, and no migration was broken off. Raises psycopg.Error."""
    names = {"setup": SETUP, "log": log_owner.ROLE, "tables": list(log_owner.TABLES)}
    answer = superuser.execute(_IS_PARTED, names).fetchone()
    return answer == (True,) and superuser.execute(_SUPERUSERS_OWN).fetchone() is None


def signing_in(superuser: psycopg.Connection, panel: str, password: str) -> list[sql.SQL | sql.Composed]:
    """Statements that make the panel's role, or give it another password, and nothing that it does not need."""
    rights = sql.SQL("NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
    return [log_owner.made_once(panel), signs_in(superuser, panel, password, rights)]


def opening(superuser: psycopg.Connection, panel: str, password: str) -> list[sql.SQL | sql.Composed]:
    """Statements before migrations: their role, and the superuser's own tables to the panel. Raises psycopg.Error."""
    names = {
        "setup": sql.Identifier(SETUP), "panel": sql.Identifier(panel), "log": sql.Identifier(log_owner.ROLE),
        "database": sql.Identifier(superuser.info.dbname),
    }  # fmt: skip
    return [
        log_owner.made_once(log_owner.ROLE),
        log_owner.made_once(SETUP),
        # A migration makes the role through which the mail servers read.
        signs_in(superuser, SETUP, password, sql.SQL("CREATEROLE")),
        sql.SQL("GRANT {panel}, {log} TO {setup}").format(**names),
        sql.SQL("GRANT CREATE ON DATABASE {database} TO {setup}").format(**names),
        sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {setup}").format(**names),
        *(sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(e)) for e in EXTENSIONS),
        *(sql.SQL(beginning) + names["panel"] for (beginning,) in superuser.execute(_SUPERUSERS_OWN)),
    ]


def closing(panel: str, database: str) -> list[sql.SQL | sql.Composed]:
    """Statements after migrations: what they made to the panel's role, the log to its owner, their role away."""
    names = {"setup": sql.Identifier(SETUP), "panel": sql.Identifier(panel), "database": sql.Identifier(database)}
    return [
        sql.SQL("REASSIGN OWNED BY {setup} TO {panel}").format(**names),
        sql.SQL("DROP OWNED BY {setup}").format(**names),
        *log_owner.parting(panel, database),
        sql.SQL("REVOKE CREATE ON DATABASE {database} FROM {panel}").format(**names),
        sql.SQL("DROP ROLE {setup}").format(**names),
    ]
