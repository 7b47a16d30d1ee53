"""Names of fields, as the administration shows them: nothing changes in the database."""

import django.contrib.postgres.fields
import django.db.models.deletion
import responders.models.responder
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailboxes', '0035_words_of_fields'),
        ('responders', '0039_age_of_feeds'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='batch',
            name='finished_at',
            field=models.DateTimeField(null=True, verbose_name='finished'),
        ),
        migrations.AlterField(
            model_name='batch',
            name='lease_until',
            field=models.DateTimeField(null=True, verbose_name='at work until'),
        ),
        migrations.AlterField(
            model_name='batch',
            name='values',
            field=models.JSONField(default=dict, verbose_name='values'),
        ),
        migrations.AlterField(
            model_name='batchitem',
            name='before',
            field=models.JSONField(default=dict, verbose_name='what it was before'),
        ),
        migrations.AlterField(
            model_name='batchitem',
            name='events',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None, verbose_name='numbers of events'),
        ),
        migrations.AlterField(
            model_name='batchitem',
            name='mailbox',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='mailboxes.mailbox', verbose_name='mailbox'),
        ),
        migrations.AlterField(
            model_name='batchitem',
            name='number',
            field=models.PositiveIntegerField(verbose_name='number'),
        ),
        migrations.AlterField(
            model_name='batchitem',
            name='values',
            field=models.JSONField(default=dict, verbose_name='values'),
        ),
        migrations.AlterField(
            model_name='casemessage',
            name='case',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='responders.numberedcase', verbose_name='case'),
        ),
        migrations.AlterField(
            model_name='caseseries',
            name='head',
            field=models.CharField(blank=True, max_length=40, verbose_name='beginning of the number'),
        ),
        migrations.AlterField(
            model_name='caseseries',
            name='last',
            field=models.PositiveIntegerField(default=0, verbose_name='last number'),
        ),
        migrations.AlterField(
            model_name='caseseries',
            name='mailbox',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='case_series', to='mailboxes.mailbox', verbose_name='mailbox'),
        ),
        migrations.AlterField(
            model_name='drawnbrake',
            name='key',
            field=models.CharField(max_length=300, unique=True, verbose_name='mailbox or domain'),
        ),
        migrations.AlterField(
            model_name='helpvote',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user'),
        ),
        migrations.AlterField(
            model_name='numberedcase',
            name='opened_by',
            field=models.CharField(max_length=998, verbose_name='opened by the message'),
        ),
        migrations.AlterField(
            model_name='numberedcase',
            name='reverse_path_key',
            field=models.CharField(max_length=320, verbose_name='sender'),
        ),
        migrations.AlterField(
            model_name='previousresponse',
            name='activation',
            field=models.PositiveIntegerField(verbose_name='activation'),
        ),
        migrations.AlterField(
            model_name='previousresponse',
            name='lease_until',
            field=models.DateTimeField(verbose_name='being answered until'),
        ),
        migrations.AlterField(
            model_name='previousresponse',
            name='responder',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='previous_responses', to='responders.responder', verbose_name='autoresponder'),
        ),
        migrations.AlterField(
            model_name='previousresponse',
            name='text_revision',
            field=models.PositiveIntegerField(verbose_name='revision of the text'),
        ),
        migrations.AlterField(
            model_name='responder',
            name='office_closes',
            field=models.TimeField(default=responders.models.responder.closing_time, verbose_name='office closes'),
        ),
        migrations.AlterField(
            model_name='responder',
            name='office_opens',
            field=models.TimeField(default=responders.models.responder.opening_time, verbose_name='office opens'),
        ),
        migrations.AlterField(
            model_name='responderevent',
            name='changes',
            field=models.JSONField(default=dict, verbose_name='changes'),
        ),
    ]
