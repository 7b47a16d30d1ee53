"""Many mailboxes changed at once."""
