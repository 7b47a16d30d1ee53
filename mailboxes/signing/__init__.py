"""DKIM: keys, their records, their rotation, and what rspamd reads of them."""
