"""What Postfix asks about a recipient from outside: refused, or to be asked about at Dovecot, which alone knows how much
a mailbox holds. Its answer costs as much CPU as a quarter of all else that is done until a letter is taken, so who has no
limit is not asked about.

`postfix_refused` is called by it, and by files that `mailconfig` wrote before.
"""

from django.db import migrations

# Where mail would lie is told to nobody, so this has its owner's rights, and the search path that those want (0019 of
# mailboxes). The answer is a class in main.cf.
FUNCTION = """
CREATE FUNCTION postfix_recipient(asked text, of_domain text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET plan_cache_mode = 'force_generic_plan' AS $$
BEGIN
    RETURN QUERY SELECT postfix_refused(asked, of_domain);
    IF NOT FOUND AND EXISTS (SELECT FROM mail_lookup_space(postfix_read(asked)) s WHERE s.quota_mb > 0) THEN
        RETURN NEXT 'ask_about_space';
    END IF;
END $$;
"""
NAME = "postfix_recipient(text, text)"
PATH = f"""
DO $$ BEGIN
    EXECUTE 'ALTER FUNCTION {NAME} SET search_path = '
        || (SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS found(name))
        || ', pg_temp';
END $$;
"""
RIGHTS = f"""
REVOKE EXECUTE ON FUNCTION {NAME} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {NAME} TO webmail_panel_mail_postfix, webmail_panel_mail;
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0046_lookups_of_postfix")]

    operations = [migrations.RunSQL(FUNCTION + PATH + RIGHTS, f"DROP FUNCTION {NAME}")]
