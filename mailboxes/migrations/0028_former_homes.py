"""The folder of a mailbox that was deleted for good goes to no other mailbox: the mail in it lies there until
`mailbox orphans --remove`. Without it, who gets an address anew would read what its last holder was sent.
"""

from django.db import migrations


def _has_a_home(and_more: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION mailboxes_mailbox_has_a_home() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text := NEW.domain_id || '/' || replace(NEW.local_part, '/', ':');
    number integer := 1;
BEGIN
    IF NEW.home <> '' THEN
        RETURN NEW;
    END IF;
    NEW.home := wanted;
    WHILE EXISTS (SELECT FROM mailboxes_mailbox WHERE home = NEW.home){and_more} LOOP
        number := number + 1;
        NEW.home := wanted || '::' || number;
    END LOOP;
    RETURN NEW;
END $$;
"""


LEAVES = """
CREATE TABLE mailboxes_former_home (home varchar(400) PRIMARY KEY);
CREATE FUNCTION mailboxes_mailbox_leaves_its_home() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mailboxes_former_home (home) VALUES (OLD.home) ON CONFLICT DO NOTHING;
    RETURN OLD;
END $$;
CREATE TRIGGER mailbox_leaves_its_home AFTER DELETE ON mailboxes_mailbox
    FOR EACH ROW EXECUTE FUNCTION mailboxes_mailbox_leaves_its_home();
"""
# Those that were deleted before, as far as the log tells.
EARLIER = """
INSERT INTO mailboxes_former_home (home)
    SELECT split_part(name, '@', 2) || '/' || replace(split_part(name, '@', 1), '/', ':') FROM mailboxes_logline
    WHERE model = 'mailboxes.mailbox' AND words = 'deleted for good' AND name LIKE '%@%'
    ON CONFLICT DO NOTHING;
"""
STAYS = """
DROP TABLE mailboxes_former_home;
DROP TRIGGER mailbox_leaves_its_home ON mailboxes_mailbox;
DROP FUNCTION mailboxes_mailbox_leaves_its_home();
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0027_app_passwords_of_owners")]

    operations = [
        migrations.RunSQL(LEAVES + EARLIER, STAYS),
        migrations.RunSQL(
            _has_a_home(" OR EXISTS (SELECT FROM mailboxes_former_home WHERE home = NEW.home)"), _has_a_home("")
        ),
    ]
