"""Postfix and Dovecot each read through a group of their own: what each needs, column by column, and nothing else.

The group that both had stays with its rights, for an installation whose mail servers still sign in as one role.
"""

from django.db import migrations

POSTFIX, DOVECOT = "webmail_panel_mail_postfix", "webmail_panel_mail_dovecot"
# Roles belong to the whole server: another database of it may have made them already, or be making them now.
ROLES = f"""
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['{POSTFIX}', '{DOVECOT}'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE insufficient_privilege USING
                    MESSAGE = format('the role %s may make no roles, and the mail servers get new ones', current_user),
                    HINT = format('ALTER ROLE %I CREATEROLE, then migrate: docs/operate/upgrade.md', current_user);
        END;
    END LOOP;
END $$;
"""
RIGHTS = f"""
GRANT SELECT (domain) ON mail_domains TO {POSTFIX};
GRANT SELECT (address) ON mail_mailboxes TO {POSTFIX};
GRANT SELECT (address, target) ON mail_aliases, mail_deputies TO {POSTFIX};
GRANT SELECT (address, answer) ON mail_refused TO {POSTFIX};
GRANT SELECT (address) ON responder_copy TO {POSTFIX};
GRANT EXECUTE ON FUNCTION mail_lookup_aliases(text), mail_lookup_copies(text), mail_lookup_senders(text),
    mail_sending(text, integer, integer) TO {POSTFIX};
GRANT SELECT (address, home, quota_mb) ON mail_mailboxes TO {DOVECOT};
GRANT SELECT (address, password) ON mail_accounts TO {DOVECOT};
GRANT SELECT (address, digest) ON mail_app_passwords TO {DOVECOT};
GRANT EXECUTE ON FUNCTION mail_lookup_sign_in(text, text) TO {DOVECOT};
"""
TAKEN = f"""
REVOKE ALL ON mail_domains, mail_mailboxes, mail_aliases, mail_deputies, mail_refused, responder_copy, mail_accounts,
    mail_app_passwords FROM {POSTFIX}, {DOVECOT};
REVOKE ALL ON FUNCTION mail_lookup_aliases(text), mail_lookup_copies(text), mail_lookup_senders(text),
    mail_sending(text, integer, integer), mail_lookup_sign_in(text, text) FROM {POSTFIX}, {DOVECOT};
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0037_dates_of_records"), ("mailboxes", "0031_sign_ins_that_changed")]

    operations = [migrations.RunSQL(ROLES + RIGHTS, TAKEN)]
