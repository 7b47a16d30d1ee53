"""What Postfix asks for every letter, each as one call of a function, which keeps its plan.

As a plain statement even a look-up of one row is planned anew each time, which takes four times as long as the rest of it.
The functions of 0024 and 0042 stay for files of Postfix that `mailconfig` wrote before these.
"""

from django.db import migrations

# Postfix before 3.9 speaks LATIN1 to PostgreSQL, whatever the octets are; later ones say UTF8. These two turn what was
# asked into what was written and an answer into what Postfix takes for it, under both.
OCTETS = """
CREATE FUNCTION postfix_read(octets text) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT convert_from(convert_to(octets, current_setting('client_encoding')), 'UTF8') $$;
CREATE FUNCTION postfix_written(answer text) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT convert_from(convert_to(answer, 'UTF8'), current_setting('client_encoding')) $$;
"""
# A plan once for each connection. The collation: that of an argument would go into the look-up with it, and a foreign one
# finds no index.
KEPT = "LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = 'force_generic_plan'"
# Of several tables: never by going through all mailboxes from one end, in step with somebody's one deputy.
KEPT_AND_NESTED = f"{KEPT} SET enable_hashjoin = off SET enable_mergejoin = off"
# A mailbox leads to itself: then Postfix asks neither for a catch-all nor whether there is such a mailbox.
ALIASES = f"""
CREATE FUNCTION postfix_aliases(asked text, of_copies text) RETURNS SETOF text {KEPT_AND_NESTED} AS $$
DECLARE
    written text := postfix_read(asked);
BEGIN
    IF NOT EXISTS (SELECT FROM mail_domains WHERE domain = split_part(written, '@', -1) COLLATE "default") THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT DISTINCT postfix_written(target) FROM (
            SELECT target::text FROM mail_aliases WHERE address = written COLLATE "default"
            UNION ALL
            SELECT unnest(ARRAY[address, target])::text FROM mail_deputies WHERE address = written COLLATE "default"
        ) found
        WHERE lower(target) NOT LIKE '%@' || of_copies;
    IF NOT FOUND THEN
        RETURN QUERY SELECT postfix_written(address) FROM mail_mailboxes WHERE address = written COLLATE "default";
    END IF;
END $$;
"""
OTHERS = f"""
CREATE FUNCTION postfix_domain(asked text) RETURNS SETOF text {KEPT} AS $$
DECLARE
    written text := postfix_read(asked);
BEGIN
    RETURN QUERY SELECT 'ours' FROM mail_domains WHERE domain = written COLLATE "default";
END $$;

CREATE FUNCTION postfix_mailbox(asked text) RETURNS SETOF text {KEPT} AS $$
DECLARE
    written text := postfix_read(asked);
BEGIN
    RETURN QUERY SELECT 'mailbox' FROM mail_mailboxes WHERE address = written COLLATE "default";
END $$;

CREATE FUNCTION postfix_refused(asked text, of_domain text) RETURNS SETOF text {KEPT} AS $$
DECLARE
    written text := postfix_read(asked);
BEGIN
    RETURN QUERY SELECT answer FROM mail_refused WHERE address = written COLLATE "default" LIMIT 1;
    IF NOT FOUND THEN
        written := postfix_read(of_domain);
        RETURN QUERY SELECT answer FROM mail_refused WHERE address = written COLLATE "default" LIMIT 1;
    END IF;
END $$;

CREATE FUNCTION postfix_copy(asked text, of_copies text) RETURNS SETOF text {KEPT_AND_NESTED} AS $$
DECLARE
    written text := postfix_read(asked);
BEGIN
    RETURN QUERY SELECT postfix_written(replace(address, '@', '=') || '@' || of_copies) FROM responder_copy
        WHERE address = written COLLATE "default" LIMIT 1;
END $$;

CREATE FUNCTION postfix_senders(asked text) RETURNS SETOF text {KEPT_AND_NESTED} AS $$
DECLARE
    written text := postfix_read(asked);
BEGIN
    RETURN QUERY SELECT postfix_written(address) FROM mail_mailboxes WHERE address = written COLLATE "default"
        UNION SELECT postfix_written(target) FROM mail_aliases WHERE address = written COLLATE "default";
END $$;

CREATE FUNCTION mail_lookup_mailbox(asked text) RETURNS TABLE (address text, home text, quota_mb integer) {KEPT} AS $$
BEGIN
    RETURN QUERY SELECT m.address::text, m.home::text, m.quota_mb FROM mail_mailboxes m
        WHERE m.address = asked COLLATE "default";
END $$;
"""
OF_OCTETS = "postfix_read(text), postfix_written(text)"
OF_POSTFIX = (
    "postfix_aliases(text, text), postfix_copy(text, text), postfix_domain(text), postfix_mailbox(text),"
    " postfix_refused(text, text), postfix_senders(text)"
)
OF_DOVECOT = "mail_lookup_mailbox(text)"
RIGHTS = f"""
REVOKE EXECUTE ON FUNCTION {OF_POSTFIX}, {OF_DOVECOT} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {OF_POSTFIX} TO webmail_panel_mail_postfix, webmail_panel_mail;
GRANT EXECUTE ON FUNCTION {OF_DOVECOT} TO webmail_panel_mail_dovecot, webmail_panel_mail;
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0045_making_many")]

    operations = [
        migrations.RunSQL(
            OCTETS + ALIASES + OTHERS + RIGHTS, f"DROP FUNCTION {OF_POSTFIX}, {OF_DOVECOT}, {OF_OCTETS}"
        )
    ]
