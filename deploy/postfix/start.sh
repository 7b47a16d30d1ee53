#!/bin/sh
# In a container: take the rendered configuration, as Postfix wants to own it, and stay in the foreground.
set -eu
for file in /config/postfix/*.cf; do
    case $file in
    */pgsql-*) install -m 640 -g postfix "$file" /etc/postfix/ ;; # the password of the database's role
    *) install -m 644 "$file" /etc/postfix/ ;;
    esac
done
exec postfix start-fg
