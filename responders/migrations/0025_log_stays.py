from django.db import migrations

# The administration's log (who changed customers, domains, mailboxes, aliases, people) and the versions of the
# settings are only added to as well; and no history is emptied at once, which row triggers do not see.
# SET panel.emptying = 'on' is for databases of tests alone.
FUNCTIONS = """
CREATE FUNCTION panel_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    forgettable constant text[] := TG_ARGV[0]::text[];
    name text;
BEGIN
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
CREATE FUNCTION panel_never_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('panel.emptying', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the history is only added to' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER log_stays BEFORE UPDATE OR DELETE ON django_admin_log
    FOR EACH ROW EXECUTE FUNCTION panel_only_added_to('{}');
CREATE TRIGGER settings_stay BEFORE UPDATE OR DELETE ON responders_policyversion
    FOR EACH ROW EXECUTE FUNCTION panel_only_added_to('{changed_by_id}');
CREATE TRIGGER log_never_emptied BEFORE TRUNCATE ON django_admin_log
    FOR EACH STATEMENT EXECUTE FUNCTION panel_never_emptied();
CREATE TRIGGER settings_never_emptied BEFORE TRUNCATE ON responders_policyversion
    FOR EACH STATEMENT EXECUTE FUNCTION panel_never_emptied();
CREATE TRIGGER history_never_emptied BEFORE TRUNCATE ON responders_responderevent
    FOR EACH STATEMENT EXECUTE FUNCTION panel_never_emptied();
CREATE INDEX django_admin_log_of_row ON django_admin_log (content_type_id, object_id, action_time DESC);
"""
BACK = """
DROP INDEX django_admin_log_of_row;
DROP TRIGGER history_never_emptied ON responders_responderevent;
DROP TRIGGER settings_never_emptied ON responders_policyversion;
DROP TRIGGER log_never_emptied ON django_admin_log;
DROP TRIGGER settings_stay ON responders_policyversion;
DROP TRIGGER log_stays ON django_admin_log;
DROP FUNCTION panel_never_emptied();
DROP FUNCTION panel_only_added_to();
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0024_lookups"), ("admin", "0003_logentry_add_action_flag_choices")]

    operations = [migrations.RunSQL(FUNCTIONS, BACK)]
