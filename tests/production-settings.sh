#!/bin/sh
# Runs a command with the settings of an imagined installation, and with nothing else from the environment.
set -eu
exec env -i PATH="$PATH" HOME="${HOME:-/}" \
    SECRET_KEY="$(head -c 40 /dev/urandom | od -An -tx1 | tr -d ' \n')" \
    ALLOWED_HOSTS=panel.example \
    BEHIND_PROXY=1 \
    MAIL_HOSTNAME=mail.panel.example \
    RECEIVED_BY_HOSTS=mail.panel.example \
    DATABASE_URL=postgresql://webmail_panel:secret@127.0.0.1/webmail_panel \
    REDIS_URL=redis://127.0.0.1:6379/0 \
    RELAY_URL=smtp://127.0.0.1:10026 \
    VAR_DIR=/nonexistent \
    "$@"
