"""CSV files: customers, domains, mailboxes and aliases that come in, lists that go out."""
