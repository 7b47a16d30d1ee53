"""Look-ups of the mail servers whose plan takes far longer to make than to carry out: as functions, which keep it.

Postfix and Dovecot send plain statements, planned each time anew: 2 ms for the aliases, of which 0.1 ms is the look-up.
The plan of a statement inside a function is made once for each connection (proxymap and Dovecot keep theirs), and again
whenever a view or the tables' statistics change.
"""

from django.db import migrations

# The collation: that of the argument would go into the function with it, and a foreign one finds no index.
LOOKUPS = """
CREATE FUNCTION mail_lookup_aliases(asked text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE ROWS 2 SET plan_cache_mode = 'force_generic_plan' AS $$
BEGIN
    RETURN QUERY SELECT target::text FROM mail_aliases WHERE address = asked COLLATE "default"
        UNION SELECT address::text FROM mail_deputies WHERE address = asked COLLATE "default"
        UNION SELECT target::text FROM mail_deputies WHERE address = asked COLLATE "default";
END $$;

CREATE FUNCTION mail_lookup_copies(asked text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = 'force_generic_plan' AS $$
BEGIN
    RETURN QUERY SELECT address::text FROM responder_copy WHERE address = asked COLLATE "default" LIMIT 1;
END $$;

CREATE FUNCTION mail_lookup_senders(asked text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE ROWS 2 SET plan_cache_mode = 'force_generic_plan' AS $$
BEGIN
    RETURN QUERY SELECT address::text FROM mail_mailboxes WHERE address = asked COLLATE "default"
        UNION SELECT target::text FROM mail_aliases WHERE address = asked COLLATE "default";
END $$;

CREATE FUNCTION mail_lookup_sign_in(asked text, password_digest text) RETURNS TABLE ("user" text, password text)
    LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = 'force_generic_plan' AS $$
BEGIN
    RETURN QUERY SELECT a.address::text, coalesce('{SHA256.HEX}' || p.digest, a.password)::text
        FROM mail_accounts a LEFT JOIN mail_app_passwords p
        ON p.address = a.address AND p.digest = password_digest COLLATE "default"
        WHERE a.address = asked COLLATE "default";
END $$;
"""
NAMES = (
    "mail_lookup_aliases(text), mail_lookup_copies(text), mail_lookup_senders(text), mail_lookup_sign_in(text, text)"
)
RIGHTS = f"""
REVOKE EXECUTE ON FUNCTION {NAMES} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {NAMES} TO webmail_panel_mail;
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0023_roles_of_dkim")]

    operations = [migrations.RunSQL(LOOKUPS + RIGHTS, f"DROP FUNCTION {NAMES}")]
