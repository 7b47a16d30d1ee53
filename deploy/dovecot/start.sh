#!/bin/sh
# In a container: start-dovecot FROM TO COMMAND… takes the rendered configuration, which the panel's user wrote, as Dovecot
# wants to own it: its process `auth`, which is not root, reads the script with the password. Then it becomes the command.
set -eu
from=$1 to=$2
shift 2
for file in "$from"/*; do
    case $file in
    *.lua | *.ext) install -m 640 -g dovecot "$file" "$to/" ;;
    *) install -m 644 "$file" "$to/" ;;
    esac
done
exec "$@"
