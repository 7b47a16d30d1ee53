"""What Django's own log of the administration held until now stands in the panel's log, too."""

from django.db import migrations

# Its form of what was added or deleted is JSON in English; from where was not kept.
COPY = """
INSERT INTO mailboxes_logline (at, model, key, name, words, actor_id, way)
SELECT l.action_time, c.app_label || '.' || c.model, left(coalesce(l.object_id, ''), 64), left(l.object_repr, 320),
    CASE WHEN l.action_flag = 1 AND l.change_message ~ '^(\\[|$)' THEN 'made'
        WHEN l.action_flag = 3 THEN 'deleted'
        WHEN l.change_message ~ '^(\\[|$)' THEN 'saved'
        ELSE l.change_message END,
    l.user_id, ''
FROM django_admin_log l JOIN django_content_type c ON c.id = l.content_type_id
ORDER BY l.id
"""


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0020_log"), ("admin", "0003_logentry_add_action_flag_choices")]

    operations = [migrations.RunSQL(COPY, "DELETE FROM mailboxes_logline")]
