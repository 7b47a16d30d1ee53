"""The database's clock, the truth about addresses across tables, and what Postfix and Dovecot read."""

from django.db import migrations

CLOCK = """
-- Every question about "now" goes through this function; tests put another one in its place.
CREATE FUNCTION panel_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT statement_timestamp()';
"""

# The lock makes two transactions that take one address wait for each other, whichever table they write. There are
# only 256 of them, so that a bulk change of any size stays within the server's lock table.
ADDRESS_IS_TAKEN_ONCE = """
CREATE FUNCTION mailboxes_address_is_taken_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text := NEW.local_part || '@' || NEW.domain_id;
    taken boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(7251, abs(hashtext(wanted) % 256));
    IF TG_TABLE_NAME = 'mailboxes_mailbox' THEN
        SELECT EXISTS (SELECT FROM mailboxes_alias WHERE address = wanted) INTO taken;
    ELSE
        SELECT EXISTS (SELECT FROM mailboxes_mailbox WHERE address = wanted) INTO taken;
    END IF;
    IF taken THEN
        RAISE unique_violation USING CONSTRAINT = 'address_is_taken_once', MESSAGE = 'the address is taken: ' || wanted;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER address_is_taken_once BEFORE INSERT OR UPDATE OF local_part, domain_id ON mailboxes_mailbox
    FOR EACH ROW EXECUTE FUNCTION mailboxes_address_is_taken_once();
CREATE TRIGGER address_is_taken_once BEFORE INSERT OR UPDATE OF local_part, domain_id ON mailboxes_alias
    FOR EACH ROW EXECUTE FUNCTION mailboxes_address_is_taken_once();
"""

VIEWS = """
CREATE VIEW mail_domains AS SELECT name AS domain FROM mailboxes_domain WHERE is_active;

CREATE VIEW mail_mailboxes AS
    SELECT m.address, m.local_part, m.domain_id AS domain
    FROM mailboxes_mailbox m JOIN mailboxes_domain d ON d.name = m.domain_id
    WHERE m.is_active AND d.is_active;

CREATE VIEW mail_aliases AS
    SELECT a.address, coalesce(m.address, t.outside_address) AS target
    FROM mailboxes_alias a
    JOIN mailboxes_domain d ON d.name = a.domain_id
    JOIN mailboxes_aliastarget t ON t.alias_id = a.id
    LEFT JOIN mailboxes_mailbox m ON m.id = t.mailbox_id
    WHERE a.is_active AND d.is_active;

-- What Dovecot signs in with. Its own name for Django's Argon2 hash is {ARGON2ID}$…
CREATE VIEW mail_accounts AS
    SELECT m.address, replace(u.password, 'argon2$argon2id$', '{ARGON2ID}$argon2id$') AS password
    FROM mailboxes_mailbox m
    JOIN mailboxes_domain d ON d.name = m.domain_id
    JOIN mailboxes_user u ON u.id = m.owner_id
    WHERE m.is_active AND d.is_active AND u.is_active AND u.password LIKE 'argon2$argon2id$%';

-- Which mailboxes stand behind an address, and whether it counts as their own (RFC 5230 §4.5):
-- the mailbox itself, an alias that leads to it alone, a group alias where its owner said so.
CREATE VIEW mail_recipients AS
    SELECT m.address, m.id AS mailbox_id, true AS is_own
    FROM mailboxes_mailbox m JOIN mailboxes_domain d ON d.name = m.domain_id
    WHERE m.is_active AND d.is_active
    UNION ALL
    SELECT a.address, t.mailbox_id,
        t.is_own_address OR NOT EXISTS (
            SELECT FROM mailboxes_aliastarget o WHERE o.alias_id = a.id AND o.id <> t.id
        ) AS is_own
    FROM mailboxes_alias a
    JOIN mailboxes_domain d ON d.name = a.domain_id
    JOIN mailboxes_aliastarget t ON t.alias_id = a.id
    JOIN mailboxes_mailbox m ON m.id = t.mailbox_id
    WHERE a.is_active AND d.is_active AND m.is_active;
"""

# Roles belong to the whole server: another database of it may have made this one already, or be making it now.
ROLE = """
DO $$ BEGIN
    CREATE ROLE webmail_panel_mail NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT SELECT ON mail_domains, mail_mailboxes, mail_aliases, mail_accounts TO webmail_panel_mail;
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0001_initial")]

    operations = [
        migrations.RunSQL(CLOCK, "DROP FUNCTION panel_now()"),
        migrations.RunSQL(
            ADDRESS_IS_TAKEN_ONCE,
            "DROP TRIGGER address_is_taken_once ON mailboxes_mailbox;"
            "DROP TRIGGER address_is_taken_once ON mailboxes_alias;"
            "DROP FUNCTION mailboxes_address_is_taken_once()",
        ),
        migrations.RunSQL(
            VIEWS, "DROP VIEW mail_recipients, mail_accounts, mail_aliases, mail_mailboxes, mail_domains"
        ),
        migrations.RunSQL(ROLE, migrations.RunSQL.noop),
    ]
