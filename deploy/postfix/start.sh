#!/bin/sh
# In a container: take the rendered configuration, as Postfix wants to own it, and stay in the foreground.
set -eu
install -m 644 /config/postfix/*.cf /etc/postfix/
for map in /etc/postfix/pgsql-*.cf; do
    chown root:postfix "$map"
    chmod 640 "$map"
done
exec postfix start-fg
