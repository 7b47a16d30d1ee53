# Two commands matter: `make run` and `make test`. Both do all the set-up they need, in .venv and in VAR_DIR.

PYTHON ?= python3
VAR_DIR ?= $(CURDIR)/var
export VAR_DIR
BIN := .venv/bin
FUZZ_SECONDS ?= 60
CATALOGUES := $(wildcard locale/*/LC_MESSAGES/django.po)
# Workers of pytest-xdist: four for everything, because tests on mail servers wait more than they work. Which tests go
# together, and who begins with what: tests/schedule.py.
PYTEST := $(BIN)/python -m pytest -q --dist loadfile
FAST := $(wildcard tests/core tests/services tests/lmtp tests/web)
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

.PHONY: help
help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: .venv/run.stamp .venv/messages.stamp  ## Start the panel with everything it needs; Ctrl-C ends it
	@exec $(BIN)/python -m webmail_panel.run

.PHONY: demo-mail
demo-mail: .venv/run.stamp  ## Send a message to the running panel and print the reply: ARGS="--recipient …"
	@exec $(BIN)/python manage.py demomail $(ARGS)

.PHONY: check
check: .venv/dev.stamp .venv/messages.stamp  ## Linters, types, layers, migrations, settings
	@BIN=$(BIN) sh tests/check.sh

.PHONY: test
test: .venv/dev.stamp .venv/messages.stamp  ## Every test, on real servers (as root it installs Debian's)
	@sh tests/install-debian-packages.sh
	SCREENSHOT_DIR=$(or $(SCREENSHOT_DIR),$(VAR_DIR)/screenshots) $(PYTEST) -n 4 tests

.PHONY: test-fast
test-fast: .venv/dev.stamp .venv/messages.stamp  ## The tests that need no mail server and no browser
	$(PYTEST) -n 2 $(FAST)

.PHONY: bench
bench: .venv/dev.stamp .venv/messages.stamp  ## How fast the hook is, beside Pigeonhole: ARGS="reply list --rounds 9"
	@sh tests/install-debian-packages.sh
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-scale
bench-scale: .venv/dev.stamp .venv/messages.stamp  ## A million mailboxes: clock, look-ups … ARGS="--mailboxes 10000 --only clock"
	@$(BIN)/python -m bench.scale $(ARGS)

.PHONY: soak
soak: .venv/dev.stamp .venv/messages.stamp  ## Hook, database, Redis killed again and again, a relay that fails: MESSAGES=… KILLS=… SEED=…
	@sh tests/install-debian-packages.sh
	SOAK_MESSAGES=$(or $(MESSAGES),1000) SOAK_KILLS=$(or $(KILLS),30) $(if $(SEED),SOAK_SEED=$(SEED)) \
		$(BIN)/python -m pytest -q -s -n 0 tests/mta/test_everything_at_once.py
	$(BIN)/python -m bench flat --flat-messages 100000 --mailboxes 1000

.PHONY: fuzz
fuzz: .venv/fuzz.stamp  ## Any octets, read, decided and answered, for FUZZ_SECONDS
	@$(BIN)/python -m tests.fuzz.message_to_reply $(FUZZ_SECONDS)

.PHONY: security
security: .venv/audit.stamp .venv/messages.stamp  ## Known holes in the packages, ruff's security rules, every form filled in with harm
	$(BIN)/ruff check --select S webmail_panel importing mailboxes responders
	HOSTILE=all $(BIN)/python -m pytest -q -n 2 tests/web/test_hostile_forms.py tests/web/test_attacks.py
	@$(BIN)/python -m tests.audit requirements/run.txt

.PHONY: mutation
mutation: .venv/mutation.stamp .venv/messages.stamp  ## Which changes of the core no test would notice: docs/mutation.md
	@$(BIN)/python -m tests.mutation $(ARGS)

.PHONY: messages
messages: .venv/dev.stamp  ## Collect the texts to translate into locale/*/LC_MESSAGES/django.po
	@$(BIN)/python manage.py makemessages --all --no-obsolete --no-wrap --no-location \
		--ignore=.venv --ignore=var --ignore=tests --ignore=static/vendor

.PHONY: lock
lock: .venv/dev.stamp  ## Pin every dependency with its hashes, from pyproject.toml
	@for want in base: run:--extra=embedded "dev:--extra=embedded --extra=dev" \
			"audit:--extra=embedded --extra=dev --extra=audit" \
			"fuzz:--extra=embedded --extra=dev --extra=fuzz" \
			"mutation:--extra=embedded --extra=dev --extra=mutation"; do \
		$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-options --no-header \
			$${want#*:} --output-file=requirements/$${want%%:*}.txt pyproject.toml || exit 1; \
	done

.PHONY: screenshots
screenshots: .venv/dev.stamp .venv/messages.stamp  ## Draw the pictures of the documentation anew
	@sh tests/install-debian-packages.sh
	SCREENSHOT_DIR=var/screenshots $(BIN)/python -m pytest -q tests/browser/test_main_flow.py -k written
	@mkdir -p docs/images
	cp var/screenshots/mailbox-1280-en-GB.png docs/images/mailbox.png
	cp var/screenshots/form-360-pl-PL.png docs/images/form-phone.png

.PHONY: clean
clean:  ## Remove what the other targets made here, the demo's data in ./var included
	@if [ -f var/postgres/location ]; then rm -rf "$$(cat var/postgres/location)"; fi
	rm -rf .venv var mutants .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	rm -f locale/*/LC_MESSAGES/django.mo
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	@$(PYTHON) -m venv .venv
	@touch $@

# The development packages contain the ones to run with.
.venv/run.stamp: requirements/run.txt .venv/made.stamp
	@if ! [ .venv/dev.stamp -nt requirements/run.txt ]; then echo "Installing the packages to run with…"; \
		$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<; fi
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/made.stamp
	@echo "Installing the packages to develop with…"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The tools of one target each; they bring the development packages with them.
.venv/audit.stamp .venv/fuzz.stamp .venv/mutation.stamp: .venv/%.stamp: requirements/%.txt .venv/made.stamp
	@echo "Installing the packages of make $*…"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/messages.stamp: $(CATALOGUES) | .venv/run.stamp
	@if [ -n "$(CATALOGUES)" ]; then $(BIN)/pybabel -q compile -d locale -D django; fi
	@touch $@
