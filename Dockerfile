# One image for web, hook, worker, beat and the one-off commands: docker-compose.yml says which runs what.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/webmail-panel
COPY requirements/base.txt requirements/base.txt
RUN python -m venv .venv && .venv/bin/pip install --require-hashes -r requirements/base.txt
COPY . .
# The key signs nothing here; a container gets its own from the environment.
RUN .venv/bin/pybabel compile -d locale -D django \
    && SECRET_KEY=only-while-building STATIC_ROOT=/opt/webmail-panel/staticfiles .venv/bin/python manage.py collectstatic --noinput \
    && .venv/bin/python -m compileall -q webmail_panel importing mailboxes responders

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/webmail-panel --create-home --shell /usr/sbin/nologin webmail-panel \
    && install -d -o webmail-panel -g webmail-panel /config/postfix /config/dovecot /config/rspamd \
    && install -d -o webmail-panel -g webmail-panel -m 700 /rehash
COPY --from=build /opt/webmail-panel /opt/webmail-panel
WORKDIR /opt/webmail-panel
ENV PATH=/opt/webmail-panel/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAR_DIR=/var/lib/webmail-panel \
    STATIC_ROOT=/opt/webmail-panel/staticfiles
USER webmail-panel
EXPOSE 8000 8024
CMD ["gunicorn", "--config", "deploy/gunicorn.conf.py", "--bind", "0.0.0.0:8000", "webmail_panel.wsgi:application"]
