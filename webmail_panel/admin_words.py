"""Words of others that our catalogue says: listed here so that `make messages` puts them there.

Of django-unfold, which has no Polish; and of Django's administration, whose Polish bends for no name: it is
“Usuń skrzynka” there, and “został(a)(-ło) dodany(-na)(-ne)”.
"""

from django.utils.translation import gettext_noop as _

WORDS = (
    _("After you've created a user, you’ll be able to edit more user options."),
    _("All applications"),
    _("Apply Filters"),
    _("Choose file to upload"),
    _("Click to cancel"),
    _("Dark"),
    _("Date"),
    _("Expand row"),
    _("False"),
    _("Filters"),
    _("General"),
    _("Go back"),
    _("Light"),
    _("Loading more results..."),
    _("More actions"),
    _("Next"),
    _("No data"),
    _("No recent searches"),
    _("No results found"),
    _("No results matching your query"),
    _("Previous"),
    _(
        "Raw passwords are not stored, so there is no way to see this "
        "user’s password, but you can change the password using "
        '<a href="{}" class="text-primary-600 dark:text-primary-500">this form</a>.'
    ),
    _("Recent searches"),
    _("Reset filters"),
    _("Return to site"),
    _("Run"),
    _("Search apps and models..."),
    _("Select action"),
    _("Select action to run"),
    _("Select all rows"),
    _("Select record"),
    _("Select value"),
    _("Submit"),
    _("System"),
    _("This item will be deleted."),
    _("This page yielded into no results. Create a new item or reset your filters."),
    _("Toggle password visibility"),
    _("True"),
    _("Type to search"),
    _("You have been successfully logged out from the administration"),
)

WITH_NAMES = (
    _("%(name)s with ID “%(key)s” doesn’t exist. Perhaps it was deleted?"),
    _("Add %(name)s"),
    _("Add %s"),
    _("Add another %(model)s"),
    _("Add another %(verbose_name)s"),
    _("Added {name} “{object}”."),
    _(
        'Are you sure you want to delete the %(object_name)s "%(escaped_object)s"? '
        "All of the following related items will be deleted:"
    ),
    _(
        "Are you sure you want to delete the selected %(objects_name)s? "
        "All of the following objects and their related items will be deleted:"
    ),
    _("Cannot delete %(name)s"),
    _("Change %s"),
    _("Change selected %(model)s"),
    _("Changed {fields} for {name} “{object}”."),
    _("Changed {fields}."),
    _("Delete selected %(model)s"),
    _("Delete selected %(verbose_name_plural)s"),
    _("Deleted {name} “{object}”."),
    _(
        "Deleting the selected %(objects_name)s would result in deleting related objects, but your account doesn't have"
        " permission to delete the following types of objects:"
    ),
    _("Deleting the selected %(objects_name)s would require deleting the following protected related objects:"),
    _("Select %s"),
    _("Select %s to change"),
    _("Select %s to view"),
    _("Select all %(total_count)s %(module_name)s"),
    _("Successfully deleted %(count)d %(items)s."),
    _("The %(name)s “%(obj)s” was deleted successfully."),
    _("The {name} “{obj}” was added successfully. You may add another {name} below."),
    _("The {name} “{obj}” was added successfully."),
    _("The {name} “{obj}” was changed successfully. You may add another {name} below."),
    _("The {name} “{obj}” was changed successfully. You may edit it again below."),
    _("The {name} “{obj}” was changed successfully."),
    _("View %s"),
    _("View selected %(model)s"),
)
