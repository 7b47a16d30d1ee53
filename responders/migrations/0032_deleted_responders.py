from django.db import migrations, models

# An event that forgets its responder, because that is deleted, keeps its number: so the windows in which it was on can
# still be told. Fires after `responders_history_stays` (triggers go by name), which lets nobody else set the number.
KEEP_THE_NUMBER = """
CREATE FUNCTION responders_keep_the_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.deleted_responder := OLD.responder_id;
    RETURN NEW;
END $$;
CREATE TRIGGER responders_keep_the_number BEFORE UPDATE ON responders_responderevent
    FOR EACH ROW WHEN (OLD.responder_id IS NOT NULL AND NEW.responder_id IS NULL)
    EXECUTE FUNCTION responders_keep_the_number();
"""
BACK = """
DROP TRIGGER responders_keep_the_number ON responders_responderevent;
DROP FUNCTION responders_keep_the_number();
"""


class Migration(migrations.Migration):
    dependencies = [("responders", "0031_indexes_of_lists")]

    operations = [
        migrations.AddField(
            model_name="responderevent",
            name="deleted_responder",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.RunSQL(KEEP_THE_NUMBER, BACK),
    ]
