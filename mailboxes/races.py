"""Two do the same at one moment: take an address or a number, change a row that the other deletes. The database lets
one of them have it, and ends the wait of two for each other.
"""

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, OperationalError
from psycopg.errors import DeadlockDetected

Result = TypeVar("Result")


def somebody_was_faster(error: Exception) -> bool:
    """It is taken, or gone; or the database ended the wait of two for each other."""
    if isinstance(error, IntegrityError | ObjectDoesNotExist):
        return True
    return isinstance(error, OperationalError) and isinstance(error.__cause__, DeadlockDetected)


def twice(do: Callable[[], Result]) -> Result:
    """Do it, and once more where somebody was faster: now it sees what the other one did. `do` undoes itself."""
    try:
        return do()
    except Exception as error:
        if not somebody_was_faster(error):
            raise
    return do()
