"""What Postfix and Dovecot read: suspended and deleted, space, catch-alls, passwords of mail programs."""

from django.db import migrations

# Suspended mail is kept back at the door (`mail_refused`); what came in already, or comes by an alias, is delivered.
DOMAINS = """
CREATE OR REPLACE VIEW mail_domains AS
    SELECT name AS domain FROM mailboxes_domain WHERE is_active OR suspended_at IS NOT NULL;
"""
MAILBOXES = """
CREATE OR REPLACE VIEW mail_mailboxes AS
    SELECT m.address, m.local_part, m.domain_id AS domain, m.home, coalesce(m.quota_mb, d.quota_mb, 0) AS quota_mb
    FROM mailboxes_mailbox m JOIN mailboxes_domain d ON d.name = m.domain_id
    WHERE (m.is_active OR m.suspended_at IS NOT NULL) AND (d.is_active OR d.suspended_at IS NOT NULL);
"""
REFUSED = """
-- What is said at the door of whoever is suspended: later, and after the days of grace no.
CREATE VIEW mail_refused AS
    SELECT suspended.address, CASE WHEN suspended.refuses_from <= panel_now()
        THEN '550 5.2.1 This mailbox is closed' ELSE '450 4.2.1 This mailbox is suspended, try again later' END AS answer
    FROM (
        SELECT address, refuses_from FROM mailboxes_mailbox WHERE suspended_at IS NOT NULL
        UNION ALL SELECT name, refuses_from FROM mailboxes_domain WHERE suspended_at IS NOT NULL
    ) suspended;
"""
# The password that opens the panel opens the mail programs too, unless the account has a second factor: a mail program
# cannot ask for it, so each gets a password of its own.
PASSWORD = "replace(u.password, 'argon2$argon2id$', '{ARGON2ID}$argon2id$')"
ACCOUNTS = f"""
CREATE OR REPLACE VIEW mail_accounts AS
    SELECT m.address, CASE WHEN EXISTS (
        SELECT FROM mfa_authenticator f WHERE f.user_id = u.id AND f.type IN ('totp', 'webauthn')
    ) THEN NULL ELSE {PASSWORD} END AS password
    FROM mailboxes_mailbox m
    JOIN mailboxes_domain d ON d.name = m.domain_id
    JOIN mailboxes_user u ON u.id = m.owner_id
    WHERE m.is_active AND d.is_active AND u.is_active AND u.password LIKE 'argon2$argon2id$%';
CREATE VIEW mail_app_passwords AS
    SELECT m.address, p.digest
    FROM mailboxes_apppassword p
    JOIN mailboxes_mailbox m ON m.id = p.mailbox_id
    JOIN mailboxes_domain d ON d.name = m.domain_id
    JOIN mailboxes_user u ON u.id = m.owner_id
    WHERE m.is_active AND d.is_active AND u.is_active;
"""
ALIASES = """
CREATE OR REPLACE VIEW mail_aliases AS
    SELECT a.address, coalesce(m.address, t.outside_address) AS target
    FROM mailboxes_alias a
    JOIN mailboxes_domain d ON d.name = a.domain_id
    JOIN mailboxes_aliastarget t ON t.alias_id = a.id
    LEFT JOIN mailboxes_mailbox m ON m.id = t.mailbox_id
    WHERE a.is_active AND (d.is_active OR d.suspended_at IS NOT NULL) AND m.deleted_at IS NULL
    UNION ALL
    SELECT m.address, s.address
    FROM mailboxes_mailbox m
    JOIN mailboxes_domain md ON md.name = m.domain_id
    JOIN mailboxes_mailbox s ON s.id = m.successor_id AND s.id <> m.id
    JOIN mailboxes_domain sd ON sd.name = s.domain_id
    WHERE m.is_active AND md.is_active AND s.is_active AND sd.is_active AND m.successor_from <= panel_now()
    -- A catch-all, and every mailbox of its domain as its own alias: Postfix reads all aliases before any mailbox.
    UNION ALL
    SELECT ('@' || d.name)::varchar(320), m.address
    FROM mailboxes_domain d JOIN mailboxes_mailbox m ON m.id = d.catch_all_id
    WHERE d.is_active AND m.is_active
    UNION ALL
    SELECT m.address, m.address
    FROM mailboxes_domain d
    JOIN mailboxes_mailbox c ON c.id = d.catch_all_id
    JOIN mailboxes_mailbox m ON m.domain_id = d.name
    WHERE d.is_active AND c.is_active AND (m.is_active OR m.suspended_at IS NOT NULL)
      AND (m.successor_id IS NULL OR m.successor_from IS NULL OR panel_now() < m.successor_from);
"""
GRANTS = "GRANT SELECT ON mail_refused, mail_app_passwords TO webmail_panel_mail;"


class Migration(migrations.Migration):
    dependencies = [
        ("responders", "0021_settings_in_the_history"),
        ("mailboxes", "0011_hosting"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunSQL(DOMAINS + MAILBOXES + REFUSED + ACCOUNTS + ALIASES + GRANTS)]
