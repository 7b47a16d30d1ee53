"""Decisions in parts by the time, so that old ones go without a trace: see `responders/decision_partitions.py`.

What is there stays where it is and becomes the first part, until midnight (UTC); no row is moved. Ten million rows take
half a minute, for a new primary key and the check of their times; the hook waits, Postfix keeps the copies meanwhile.
"""

import django.db.models.deletion
from django.db import migrations, models

INDEXES = """
CREATE INDEX decision_of_mailbox ON responders_decision (mailbox_id, id DESC);
CREATE INDEX decision_time ON responders_decision (decided_at);
CREATE INDEX decision_sender ON responders_decision (reverse_path, id DESC);
CREATE INDEX decision_message_id ON responders_decision (message_id);
CREATE INDEX decision_responder ON responders_decision (responder_id);
"""
KEYS = """
ALTER TABLE responders_decision
    ADD CONSTRAINT decision_pkey PRIMARY KEY (id, decided_at),
    ADD CONSTRAINT decision_of_a_mailbox FOREIGN KEY (mailbox_id) REFERENCES mailboxes_mailbox (id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT decision_of_a_responder FOREIGN KEY (responder_id) REFERENCES responders_responder (id)
        DEFERRABLE INITIALLY DEFERRED;
"""
# No identity: a table in parts cannot have one before PostgreSQL 17.
NEW = """
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
LOCK TABLE responders_decision IN ACCESS EXCLUSIVE MODE;
ALTER TABLE responders_decision RENAME TO responders_decision_before;
DO $$
DECLARE
    name text;
    next bigint := nextval(pg_get_serial_sequence('responders_decision_before', 'id'));
BEGIN
    FOR name IN SELECT conname FROM pg_constraint
        WHERE conrelid = 'responders_decision_before'::regclass AND contype IN ('p', 'f')
    LOOP
        EXECUTE format('ALTER TABLE responders_decision_before DROP CONSTRAINT %I', name);
    END LOOP;
    FOR name IN SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'responders_decision_before'::regclass LOOP
        EXECUTE format('ALTER INDEX %s RENAME TO %I', name, left(replace(name, '"', ''), 56) || '_before');
    END LOOP;
    ALTER TABLE responders_decision_before ALTER COLUMN id DROP IDENTITY;
    EXECUTE format('CREATE SEQUENCE responders_decision_id_seq AS bigint START WITH %s', next);
END $$;
CREATE TABLE responders_decision (LIKE responders_decision_before INCLUDING CONSTRAINTS INCLUDING DEFAULTS)
    PARTITION BY RANGE (decided_at);
ALTER TABLE responders_decision ALTER COLUMN id SET DEFAULT nextval('responders_decision_id_seq');
ALTER SEQUENCE responders_decision_id_seq OWNED BY responders_decision.id;
"""
FIRST_PARTS = """
CREATE TABLE responders_decision_default PARTITION OF responders_decision DEFAULT;
DO $$
DECLARE
    newest timestamptz;
    midnight timestamptz;
BEGIN
    SELECT max(decided_at) INTO newest FROM responders_decision_before;
    IF newest IS NULL THEN
        DROP TABLE responders_decision_before;
        RETURN;
    END IF;
    midnight := date_trunc('day', greatest(newest, now()), 'UTC') + interval '1 day';
    DROP INDEX IF EXISTS %(old_mailbox_index)s;
    EXECUTE format('ALTER TABLE responders_decision ATTACH PARTITION responders_decision_before'
        ' FOR VALUES FROM (MINVALUE) TO (%%L)', midnight);
END $$;
"""


def make_parts(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "responders_decision")
    names = [name for name, one in found.items() if one["index"] and one["columns"] == ["mailbox_id"]]
    schema_editor.execute(NEW, params=None)
    schema_editor.execute(KEYS + INDEXES, params=None)
    old = schema_editor.quote_name(f"{names[0][:56]}_before") if names else "responders_decision_mailbox_before"
    schema_editor.execute(FIRST_PARTS % {"old_mailbox_index": old}, params=None)


class Migration(migrations.Migration):
    dependencies = [("responders", "0025_log_stays")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(make_parts)],
            state_operations=[
                migrations.AlterField(
                    model_name="decision",
                    name="mailbox",
                    field=models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE,
                        related_name="decisions", to="mailboxes.mailbox", verbose_name="mailbox",
                    ),
                )
            ],
        )
    ]
