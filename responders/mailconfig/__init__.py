"""The configuration of Postfix, Dovecot, rspamd and nginx, from the templates in deploy/."""
