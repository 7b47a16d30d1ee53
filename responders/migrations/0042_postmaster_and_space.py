"""Two look-ups of the mail servers more, as functions, which keep their plans: who reads mail to postmaster@ of a domain
where nobody has the address, and whose space is asked about at the door when somebody writes to an alias.
"""

from django.db import migrations

# One after the other, so that most are answered by the first row that is found. A sub-address is asked about as it was
# written, and goes where the address without it would.
POSTMASTER = """
CREATE FUNCTION mail_lookup_postmaster(asked text, delimiter text, postmaster text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    at_domain text := '@' || split_part(asked, '@', 2);
    base text := split_part(split_part(asked, '@', 1), delimiter, 1) || at_domain;
    written text;
BEGIN
    FOREACH written IN ARRAY CASE WHEN asked = base THEN ARRAY[base] ELSE ARRAY[asked, base] END LOOP
        IF written = postmaster
            OR EXISTS (SELECT FROM mail_mailboxes WHERE address = written COLLATE "default")
            OR EXISTS (SELECT FROM mail_aliases WHERE address = written COLLATE "default") THEN
            RETURN;
        END IF;
    END LOOP;
    IF postmaster <> '' AND NOT EXISTS (SELECT FROM mail_aliases WHERE address = at_domain COLLATE "default") THEN
        RETURN QUERY SELECT postmaster FROM mail_domains WHERE domain = substr(at_domain, 2) COLLATE "default";
    END IF;
END $$;
"""
# Dovecot reads no aliases. By this it learns of one address where its mail would lie, and nothing else of where aliases
# lead: so the function has its owner's rights, and the search path that those want (0019 of mailboxes).
# An alias of several is nobody's: what one of them has no space for, another takes. Nor is what leads out of the house.
SPACE = """
CREATE FUNCTION mail_lookup_space(asked text) RETURNS TABLE (address text, home text, quota_mb integer)
    LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    written text := asked;
    targets text[];
BEGIN
    FOR step IN 1..10 LOOP
        targets := ARRAY(SELECT a.target::text FROM mail_aliases a WHERE a.address = written COLLATE "default" LIMIT 2);
        IF targets = '{}' AND NOT EXISTS (
            SELECT FROM mail_mailboxes m WHERE m.address = written COLLATE "default"
        ) THEN
            targets := ARRAY(SELECT a.target::text FROM mail_aliases a
                WHERE a.address = '@' || split_part(written, '@', 2) COLLATE "default" LIMIT 2);
        END IF;
        IF cardinality(targets) > 1 THEN
            RETURN;
        END IF;
        EXIT WHEN targets = '{}' OR targets[1] = written;
        written := targets[1];
    END LOOP;
    RETURN QUERY SELECT m.address::text, m.home::text, m.quota_mb FROM mail_mailboxes m
        WHERE m.address = written COLLATE "default";
END $$;
"""
OF_POSTMASTER, OF_SPACE = "mail_lookup_postmaster(text, text, text)", "mail_lookup_space(text)"
PATH = f"""
DO $$ BEGIN
    EXECUTE 'ALTER FUNCTION {OF_SPACE} SET search_path = '
        || (SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS found(name))
        || ', pg_temp';
END $$;
"""
RIGHTS = f"""
REVOKE EXECUTE ON FUNCTION {OF_POSTMASTER}, {OF_SPACE} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {OF_POSTMASTER} TO webmail_panel_mail_postfix, webmail_panel_mail;
GRANT EXECUTE ON FUNCTION {OF_SPACE} TO webmail_panel_mail_dovecot, webmail_panel_mail;
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0041_roles_of_deleted_aliases")]

    operations = [
        migrations.RunSQL(POSTMASTER + SPACE + PATH + RIGHTS, f"DROP FUNCTION {OF_POSTMASTER}, {OF_SPACE}")
    ]
