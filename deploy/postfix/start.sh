#!/bin/sh
# In a container: take the rendered configuration, as Postfix wants to own it, and stay in the foreground.
set -eu
from=${1:-/config/postfix}
# Postfix would start, offer STARTTLS and break off each time.
for file in $(postconf -c "$from" -h smtpd_tls_chain_files | tr -d ,); do
    [ -r "$file" ] && continue
    echo "$file cannot be read: TLS_DIR has to hold the files, no links that lead out of it" >&2
    exit 1
done
for file in "$from"/*.cf; do
    case $file in
    */pgsql-*) install -m 640 -g postfix "$file" /etc/postfix/ ;; # the password of the database's role
    *) install -m 644 "$file" /etc/postfix/ ;;
    esac
done
exec postfix start-fg
