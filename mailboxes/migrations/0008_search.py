"""What support's search asks: parts of words, and words with a typing error (pg_trgm)."""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# Table → what is searched, in lower case.
SEARCHED = {
    "mailboxes_mailbox": {"address": "address", "name": "lower(name)"},
    "mailboxes_alias": {"address": "address"},
    "mailboxes_domain": {"name": "name"},
    "mailboxes_customer": {"name": "lower(name)", "number": "lower(number)"},
    "mailboxes_user": {"email": "email", "name": "lower(name)"},
}
INDEXES = [
    (f"{table}_{column}_trigrams", table, expression)
    for table, columns in SEARCHED.items()
    for column, expression in columns.items()
]


class Migration(migrations.Migration):
    dependencies = [("mailboxes", "0007_customer_administrators")]

    operations = [
        TrigramExtension(),
        *(
            migrations.RunSQL(
                f"CREATE INDEX {name} ON {table} USING gin (({expression}) gin_trgm_ops)", f"DROP INDEX {name}"
            )
            for name, table, expression in INDEXES
        ),
    ]
