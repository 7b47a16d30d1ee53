"""What somebody who got hold of the panel's database role would try, to change what the log tells."""

from mailboxes.log_owner import TABLES

ON_EACH_TABLE = (
    "UPDATE {table} SET id = 0",
    "TRUNCATE {table}",
    "TRUNCATE {table} CASCADE",
    "DROP TABLE {table}",
    "DROP TABLE {table} CASCADE",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} DISABLE TRIGGER USER",
    "ALTER TABLE {table} RENAME TO other",
    "ALTER TABLE {table} OWNER TO {panel}",
    "CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger()",
    "CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
    "SET panel.erasing = 'on'; UPDATE {table} SET id = 0",
    "SET panel.emptying = 'on'; TRUNCATE {table}",
)

ON_THE_DATABASE = (
    "DELETE FROM mailboxes_logline",
    "DELETE FROM responders_responderevent",
    "DELETE FROM responders_policyversion",
    "UPDATE mailboxes_logline SET words = 'x'",
    "UPDATE mailboxes_logline SET actor_id = NULL",
    "UPDATE responders_responderevent SET reason = 'x'",
    "SET panel.erasing = 'on'; DELETE FROM responders_responderevent",
    "DROP TRIGGER log_stays ON mailboxes_logline",
    "DROP TRIGGER responders_history_stays ON responders_responderevent",
    "DROP FUNCTION panel_only_added_to() CASCADE",
    "DROP FUNCTION responders_keep_the_number() CASCADE",
    "CREATE OR REPLACE FUNCTION responders_keep_the_number() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "DROP FUNCTION panel_forget_in_history(bigint, text, bigint, inet, text)",
    "CREATE OR REPLACE FUNCTION panel_only_added_to() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE OR REPLACE FUNCTION panel_never_emptied() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "DROP SCHEMA public CASCADE",
    "ALTER SCHEMA public OWNER TO {panel}",
    "ALTER DATABASE {database} OWNER TO {panel}",
    "DROP OWNED BY webmail_panel_log",
    "REASSIGN OWNED BY webmail_panel_log TO {panel}",
    "SET ROLE webmail_panel_log",
    "GRANT webmail_panel_log TO {panel}",
    "ALTER ROLE webmail_panel_log LOGIN PASSWORD 'x'",
    "DROP ROLE webmail_panel_log",
    "ALTER ROLE {panel} SUPERUSER",
    "SET session_replication_role = replica",
)  # fmt: skip


def attacks(panel: str, database: str) -> list[str]:
    """Statements that must each be refused to the panel's role."""
    on_tables = [one.format(table=table, panel=panel) for table in TABLES for one in ON_EACH_TABLE]
    return on_tables + [one.format(panel=panel, database=database) for one in ON_THE_DATABASE]


# What a role that makes no roles either is refused, too.
OF_A_ROLE_THAT_MAKES_NO_ROLES = (
    "CREATE ROLE other",
    "ALTER ROLE webmail_panel_log LOGIN",
    "ALTER ROLE webmail_panel PASSWORD 'x'",
    "GRANT pg_write_all_data TO CURRENT_USER",
    "CREATE SCHEMA other",
    "CREATE DATABASE other",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('PG_VERSION')",
    "DROP EXTENSION pg_trgm CASCADE",
    "ALTER SYSTEM SET session_replication_role = replica",
)
