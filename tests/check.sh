#!/bin/sh
# `make check`: everything that can be said about the code without running it.
set -eu
BIN=${BIN:-.venv/bin}
say() { printf '== %s\n' "$1"; }

say "ruff"
"$BIN/ruff" check .
"$BIN/ruff" format --check .

say "mypy"
SECRET_KEY=only-to-read-the-types VAR_DIR=/nonexistent "$BIN/mypy"

say "layers"
layers=$("$BIN/lint-imports" 2>&1) || { echo "$layers"; exit 1; }

say "migrations"
# Models against migration files; the warning is that no database was asked.
SECRET_KEY=only-to-compare-models DEBUG=1 VAR_DIR=/nonexistent \
    DATABASE_URL="postgresql:///webmail_panel?host=/nonexistent" \
    "$BIN/python" -W "ignore:Got an error checking a consistent migration history" \
    manage.py makemigrations --check --dry-run

say "settings as in production"
sh tests/production-settings.sh "$BIN/python" manage.py check --deploy --fail-level WARNING

say "no package registry by name"
# What the pages and the code need is in the repository or comes through the ordinary clients as they are set up.
if git grep -nIE '(pypi|pythonhosted|npmjs|yarnpkg|jsdelivr|unpkg)[.](org|com|net)|(deb|ftp)[.]debian[.]org|--(extra-)?index-ur[l]|--find-link[s]|--trusted-hos[t]'; then
    echo "These lines name a registry." >&2
    exit 1
fi
