"""Names of fields, as the administration shows them: nothing changes in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mailboxes', '0034_passwords_that_were_given'),
    ]

    operations = [
        migrations.AlterField(
            model_name='domainrecord',
            name='bad_at',
            field=models.DateTimeField(null=True, verbose_name='last wrong'),
        ),
        migrations.AlterField(
            model_name='domainrecord',
            name='found',
            field=models.JSONField(default=list, verbose_name='found in the DNS'),
        ),
        migrations.AlterField(
            model_name='domainrecord',
            name='place',
            field=models.PositiveSmallIntegerField(verbose_name='position'),
        ),
        migrations.AlterField(
            model_name='domainrecord',
            name='publish',
            field=models.JSONField(default=list, verbose_name='to publish'),
        ),
        migrations.AlterField(
            model_name='domainrecord',
            name='times_bad',
            field=models.PositiveIntegerField(default=0, verbose_name='times it was wrong'),
        ),
        migrations.AlterField(
            model_name='domainrecord',
            name='told_at',
            field=models.DateTimeField(null=True, verbose_name='told'),
        ),
        migrations.AlterField(
            model_name='domainrecord',
            name='wanted',
            field=models.TextField(verbose_name='what must stand there'),
        ),
        migrations.AlterField(
            model_name='domainrecord',
            name='worked',
            field=models.BooleanField(default=False, verbose_name='worked before'),
        ),
        migrations.AlterField(
            model_name='domainrecordchange',
            name='found',
            field=models.JSONField(default=list, verbose_name='found in the DNS'),
        ),
    ]
