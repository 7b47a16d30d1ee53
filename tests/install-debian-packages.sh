#!/bin/sh
# The servers and the browser that the tests use. Root gets what is missing installed, and no service is
# started; anybody else is told what to install. The settings of the machine are not touched.
set -eu

PACKAGES="postfix postfix-pgsql dovecot-core dovecot-imapd dovecot-lmtpd dovecot-sieve \
    dovecot-auth-lua lua-sql-postgres lua-socket rspamd \
    mariadb-server-core mariadb-client-core nsd nginx-light logrotate rsync systemd \
    chromium-headless-shell gettext iproute2"

missing=
for package in $PACKAGES; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi
install="apt-get install --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    echo "The tests need Debian packages that are missing here. As root: $install" >&2
    exit 1
fi
echo "Installing what the tests need:$missing"

# Debian's way to say that a package's service must not start with its installation.
policy=/usr/sbin/policy-rc.d
if ! [ -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
log=$(mktemp)
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing; } \
    </dev/null >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "The packages could not be installed: $install" >&2
    exit 1
fi
rm -f "$log"
