"""Room for password hashes of other mail systems, and Dovecot reads them."""

from django.db import migrations, models

# A column that a view reads keeps its type: the view steps aside.
DROPPED = "DROP VIEW mail_accounts"


def _accounts(password: str, also: str) -> str:
    return f"""
CREATE VIEW mail_accounts AS
    SELECT m.address, CASE WHEN EXISTS (
        SELECT FROM mfa_authenticator f WHERE f.user_id = u.id AND f.type IN ('totp', 'webauthn')
    ) THEN NULL ELSE {password} END AS password
    FROM mailboxes_mailbox m
    JOIN mailboxes_domain d ON d.name = m.domain_id
    JOIN mailboxes_user u ON u.id = m.owner_id
    WHERE m.is_active AND d.is_active AND u.is_active AND (u.password LIKE 'argon2$argon2id$%'{also});
GRANT SELECT ON mail_accounts TO webmail_panel_mail;
"""


OURS = "replace(u.password, 'argon2$argon2id$', '{ARGON2ID}$argon2id$')"
BEFORE = _accounts(OURS, "")
# dovecot${SHA512-CRYPT}$6$… (mailboxes/hashers.py): Dovecot reads what comes after the first $.
AFTER = _accounts(
    f"CASE WHEN u.password LIKE 'dovecot$%' THEN substr(u.password, 9) ELSE {OURS} END",
    " OR u.password LIKE 'dovecot${%'",
)


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0011_hosting"),
        ("responders", "0022_hosting"),
    ]

    operations = [
        migrations.RunSQL(DROPPED, BEFORE),
        migrations.AlterField(
            model_name="user",
            name="password",
            field=models.CharField(max_length=255, verbose_name="password"),
        ),
        migrations.RunSQL(AFTER, DROPPED),
    ]
