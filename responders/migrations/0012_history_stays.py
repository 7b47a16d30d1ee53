from django.db import migrations

# Whatever role asks: rows are added, and may forget whom they name. Personal data are erased on purpose only, in a
# transaction that says so: SET LOCAL panel.erasing = 'on'.
FUNCTION = """
CREATE FUNCTION responders_history_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    forgettable constant text[] := '{mailbox_id,responder_id,actor_id,undoes_id}';
    name text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.address := (SELECT m.address FROM mailboxes_mailbox m WHERE m.id = NEW.mailbox_id);
        RETURN NEW;
    END IF;
    IF current_setting('panel.erasing', true) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
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
UPDATE responders_responderevent e SET address = m.address FROM mailboxes_mailbox m WHERE m.id = e.mailbox_id;
CREATE TRIGGER responders_history_stays BEFORE INSERT OR UPDATE OR DELETE ON responders_responderevent
    FOR EACH ROW EXECUTE FUNCTION responders_history_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0011_acting_for_owners")]

    operations = [
        migrations.RunSQL(
            FUNCTION,
            "DROP TRIGGER responders_history_stays ON responders_responderevent;"
            " DROP FUNCTION responders_history_stays()",
        )
    ]
