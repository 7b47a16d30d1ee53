"""The database tells who may be signed in no more, so that a mail program that is signed in is disconnected.

As 0031, on a channel of its own, for not every change of a sign-in ends one: another space does not, nor does a hash that is
renewed. A notice is an address, or `@domain` for everybody there. What people change themselves the panel tells.
"""

from django.db import migrations

TOLD = """
CREATE FUNCTION mailboxes_signed_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_outs', OLD.address);
    RETURN NULL;
END $$;
CREATE TRIGGER signed_out AFTER UPDATE ON mailboxes_mailbox FOR EACH ROW
    WHEN ((OLD.local_part, OLD.domain_id, OLD.owner_id) IS DISTINCT FROM (NEW.local_part, NEW.domain_id, NEW.owner_id)
        OR (OLD.is_active AND NOT NEW.is_active))
    EXECUTE FUNCTION mailboxes_signed_out();
CREATE TRIGGER signed_out_for_good AFTER DELETE ON mailboxes_mailbox FOR EACH ROW
    EXECUTE FUNCTION mailboxes_signed_out();

CREATE FUNCTION mailboxes_domain_signed_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_outs', '@' || OLD.name);
    RETURN NULL;
END $$;
CREATE TRIGGER signed_out AFTER UPDATE ON mailboxes_domain FOR EACH ROW
    WHEN (OLD.is_active AND NOT NEW.is_active)
    EXECUTE FUNCTION mailboxes_domain_signed_out();

CREATE FUNCTION mailboxes_owner_signed_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_outs', address) FROM mailboxes_mailbox WHERE owner_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER signed_out AFTER UPDATE ON mailboxes_user FOR EACH ROW
    WHEN (OLD.password_given_at IS DISTINCT FROM NEW.password_given_at OR (OLD.is_active AND NOT NEW.is_active))
    EXECUTE FUNCTION mailboxes_owner_signed_out();

-- From the first second factor on, the owner's own password opens no mail program any more.
CREATE FUNCTION mailboxes_factor_signs_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM mfa_authenticator WHERE user_id = NEW.user_id AND id <> NEW.id AND type IN ('totp', 'webauthn')
    ) THEN
        PERFORM pg_notify('mail_sign_outs', address) FROM mailboxes_mailbox WHERE owner_id = NEW.user_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER signed_out AFTER INSERT ON mfa_authenticator FOR EACH ROW
    WHEN (NEW.type IN ('totp', 'webauthn'))
    EXECUTE FUNCTION mailboxes_factor_signs_out();

CREATE FUNCTION mailboxes_program_signed_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mail_sign_outs', address) FROM mailboxes_mailbox WHERE id = OLD.mailbox_id;
    RETURN NULL;
END $$;
CREATE TRIGGER signed_out AFTER DELETE ON mailboxes_apppassword FOR EACH ROW
    EXECUTE FUNCTION mailboxes_program_signed_out();
"""
NOT_TOLD = """
DROP FUNCTION mailboxes_signed_out(), mailboxes_domain_signed_out(), mailboxes_owner_signed_out(),
    mailboxes_factor_signs_out(), mailboxes_program_signed_out() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("mailboxes", "0041_index_of_space"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunSQL(TOLD, NOT_TOLD)]
