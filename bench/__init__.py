"""How fast the delivery hook is, beside Dovecot's Pigeonhole: `make bench`, or `python -m bench --help`."""
