"""`mail_sending` runs with its owner's rights, so tables of the caller's own session must not stand before the panel's.

Where a search path does not name pg_temp, PostgreSQL looks there first: the mail servers' role could make a temporary
table of the right name, with a trigger that runs as the panel (PostgreSQL's manual, CREATE FUNCTION, “Writing SECURITY
DEFINER Functions Safely”).
"""

from django.db import migrations

NAME = "mail_sending(text, integer, integer)"
LAST = f"""
DO $$ BEGIN
    EXECUTE 'ALTER FUNCTION {NAME} SET search_path = '
        || (SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS found(name))
        || ', pg_temp';
END $$;
"""  # noqa: S608 (a constant)


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0018_domain_dns")]

    operations = [migrations.RunSQL(LAST, f"ALTER FUNCTION {NAME} SET search_path FROM CURRENT")]
