"""The database tells who signs in otherwise from now on, so that Dovecot forgets what it was told before.

With the commit (NOTIFY), to whoever listens: mailboxes/sign_in_cache.py. What concerns a sign-in is what the function
`mail_lookup_sign_in` and the view `mail_mailboxes` read. A notice is an address, or nothing where it concerns many; the
same one twice in a transaction is sent once. New mailboxes need none: Dovecot does not remember that somebody is unknown.
"""

from django.db import migrations

TOLD = """
CREATE FUNCTION mailboxes_sign_in_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_ins', OLD.address);
    IF TG_OP = 'UPDATE' AND NEW.address <> OLD.address THEN
        PERFORM pg_notify('mail_sign_ins', NEW.address);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER sign_in_changed AFTER UPDATE ON mailboxes_mailbox FOR EACH ROW
    WHEN ((OLD.local_part, OLD.domain_id, OLD.owner_id, OLD.is_active, OLD.suspended_at, OLD.home, OLD.quota_mb)
        IS DISTINCT FROM
        (NEW.local_part, NEW.domain_id, NEW.owner_id, NEW.is_active, NEW.suspended_at, NEW.home, NEW.quota_mb))
    EXECUTE FUNCTION mailboxes_sign_in_changed();
CREATE TRIGGER sign_in_ended AFTER DELETE ON mailboxes_mailbox FOR EACH ROW
    EXECUTE FUNCTION mailboxes_sign_in_changed();

CREATE FUNCTION mailboxes_sign_ins_of_domain_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_ins', '');
    RETURN NULL;
END $$;
CREATE TRIGGER sign_ins_changed AFTER UPDATE ON mailboxes_domain FOR EACH ROW
    WHEN ((OLD.name, OLD.is_active, OLD.suspended_at, OLD.quota_mb)
        IS DISTINCT FROM (NEW.name, NEW.is_active, NEW.suspended_at, NEW.quota_mb))
    EXECUTE FUNCTION mailboxes_sign_ins_of_domain_changed();

CREATE FUNCTION mailboxes_sign_ins_of_owner_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_ins', address) FROM mailboxes_mailbox WHERE owner_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER sign_ins_changed AFTER UPDATE ON mailboxes_user FOR EACH ROW
    WHEN ((OLD.password, OLD.is_active) IS DISTINCT FROM (NEW.password, NEW.is_active))
    EXECUTE FUNCTION mailboxes_sign_ins_of_owner_changed();

CREATE FUNCTION mailboxes_second_factor_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_ins', address) FROM mailboxes_mailbox WHERE owner_id IN (OLD.user_id, NEW.user_id);
    RETURN NULL;
END $$;
CREATE TRIGGER second_factor_changed AFTER INSERT OR DELETE ON mfa_authenticator FOR EACH ROW
    EXECUTE FUNCTION mailboxes_second_factor_changed();
CREATE TRIGGER second_factor_of_another AFTER UPDATE ON mfa_authenticator FOR EACH ROW
    WHEN ((OLD.user_id, OLD.type) IS DISTINCT FROM (NEW.user_id, NEW.type))
    EXECUTE FUNCTION mailboxes_second_factor_changed();

CREATE FUNCTION mailboxes_app_password_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_ins', address) FROM mailboxes_mailbox WHERE id = OLD.mailbox_id;
    RETURN NULL;
END $$;
CREATE TRIGGER app_password_ended AFTER DELETE ON mailboxes_apppassword FOR EACH ROW
    EXECUTE FUNCTION mailboxes_app_password_ended();
CREATE TRIGGER app_password_changed AFTER UPDATE ON mailboxes_apppassword FOR EACH ROW
    WHEN ((OLD.mailbox_id, OLD.owner_id, OLD.digest) IS DISTINCT FROM (NEW.mailbox_id, NEW.owner_id, NEW.digest))
    EXECUTE FUNCTION mailboxes_app_password_ended();
"""
NOT_TOLD = """
DROP FUNCTION mailboxes_sign_in_changed(), mailboxes_sign_ins_of_domain_changed(),
    mailboxes_sign_ins_of_owner_changed(), mailboxes_second_factor_changed(), mailboxes_app_password_ended() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0030_blocked_by_staff"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunSQL(TOLD, NOT_TOLD)]
