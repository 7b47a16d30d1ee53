"""A mailbox that opens from another sign-in than its own: linked, told of, parted again."""
