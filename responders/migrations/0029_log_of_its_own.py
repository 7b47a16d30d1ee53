"""The panel's log is only added to, as the histories are; who is forgotten is forgotten by a function that leaves a line.

Where the tables have an owner of their own (`manage.py logrole`), the panel's role cannot get around any of this: what
is erased on purpose is erased by the owner alone, within this function. It reads no table of the panel's role and calls
no function of it: they would run with the owner's rights.
"""

from django.db import migrations

ERASING = """
    IF current_setting('panel.erasing', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = TG_RELID) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
"""
ERASING_BEFORE = """
    IF current_setting('panel.erasing', true) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
"""
ONLY_TO_FORGET = """
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - forgettable = to_jsonb(OLD) - forgettable THEN
        FOREACH name IN ARRAY forgettable LOOP
            IF to_jsonb(NEW) -> name NOT IN (to_jsonb(OLD) -> name, 'null'::jsonb) THEN
                RAISE EXCEPTION 'the history is only added to' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END LOOP;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the history is only added to' USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


def guards(erasing):
    """The functions behind the triggers of 0012 and 0025."""
    return f"""
CREATE OR REPLACE FUNCTION responders_history_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    forgettable constant text[] := '{{mailbox_id,responder_id,actor_id,undoes_id}}';
    name text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.address := (SELECT m.address FROM mailboxes_mailbox m WHERE m.id = NEW.mailbox_id);
        RETURN NEW;
    END IF;
{erasing}{ONLY_TO_FORGET}
CREATE OR REPLACE FUNCTION panel_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    forgettable constant text[] := TG_ARGV[0]::text[];
    name text;
BEGIN
{erasing}{ONLY_TO_FORGET}
"""


LOG = """
CREATE TRIGGER log_stays BEFORE UPDATE OR DELETE ON mailboxes_logline
    FOR EACH ROW EXECUTE FUNCTION panel_only_added_to('{}');
CREATE TRIGGER log_never_emptied BEFORE TRUNCATE ON mailboxes_logline
    FOR EACH STATEMENT EXECUTE FUNCTION panel_never_emptied();
CREATE FUNCTION panel_forget_in_history(person bigint, known_as text, by_person bigint, by_place inet, by_way text)
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    events bigint;
    lines bigint;
BEGIN
    PERFORM set_config('panel.erasing', 'on', true);
    UPDATE public.responders_responderevent SET actor_id = NULL, place = NULL WHERE actor_id = person;
    GET DIAGNOSTICS events = ROW_COUNT;
    UPDATE public.mailboxes_logline SET actor_id = NULL, place = NULL WHERE actor_id = person;
    GET DIAGNOSTICS lines = ROW_COUNT;
    UPDATE public.mailboxes_logline SET name = '' WHERE model = 'responders.refusal' AND name = known_as;
    DELETE FROM public.django_admin_log WHERE user_id = person;
    PERFORM set_config('panel.erasing', 'off', true);
    INSERT INTO public.mailboxes_logline (at, model, key, name, words, actor_id, place, way)
        VALUES (now(), 'mailboxes.user', '', '', format('a person was forgotten in %s lines', events + lines),
            nullif(by_person, person), by_place, by_way);
    RETURN events + lines;
END $$;
REVOKE ALL ON FUNCTION panel_forget_in_history(bigint, text, bigint, inet, text) FROM PUBLIC;
"""
BACK = """
DROP FUNCTION panel_forget_in_history(bigint, text, bigint, inet, text);
DROP TRIGGER log_never_emptied ON mailboxes_logline;
DROP TRIGGER log_stays ON mailboxes_logline;
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0028_where_from"), ("mailboxes", "0021_earlier_lines_of_the_log")]

    operations = [
        migrations.RunSQL(guards(ERASING) + LOG, BACK + guards(ERASING_BEFORE)),
        migrations.RunSQL(
            "CREATE INDEX responders_refusal_address_trigrams ON responders_refusal USING gin (address gin_trgm_ops)",
            "DROP INDEX responders_refusal_address_trigrams",
        ),
    ]
