# `make demo` shows storekit at work, `make test` proves it. Each makes what it needs, once.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
IMAGES := $(CURDIR)/build/images
# The tests send signals; what nohup or a shell's & has set to be ignored would stay so in them.
PYTEST = STOREKIT_IMAGES_DIR="$(IMAGES)" PATH="$(BIN):$$PATH" \
	env --default-signal=HUP,INT $(VENV)/bin/python -m pytest $(AT_ONCE)
# Much of the time is waiting. What shares a server shares a process: its class, or its module.
AT_ONCE ?= -n 2 --dist loadscope

.PHONY: demo test lint types quick slow images bench picture clean
# The quick checks come first, whatever -j says.
.NOTPARALLEL:

demo: $(VENV)/.demo
	@PATH="$(BIN):$$PATH" sh scripts/demo

test: lint types quick slow

lint: $(VENV)/.test
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(VENV)/.test
	$(VENV)/bin/mypy --strict storekit

quick: $(VENV)/.test images
	$(PYTEST) -m "not slow"

slow: $(VENV)/.test images
	$(PYTEST) -m slow

# What the tests need and pip cannot give: servers, and other people's disk images.
images:
	@sh scripts/system-packages
	@tests/servers/build-go versitygw >/dev/null || [ -z "$$STOREKIT_REQUIRE_SERVERS" ]
	@tests/servers/build-openstack >/dev/null || [ -z "$$STOREKIT_REQUIRE_SERVERS" ]
	@sh scripts/fetch-images "$(IMAGES)" memtest86+ ipxe debian-installer-12-netboot-amd64 >/dev/null

# Beside glance_store, in a virtual environment of its own: a quarter of an hour.
bench:
	$(PYTHON) benchmarks/run.py

# The picture in the README, from a real run.
picture: $(VENV)/.test
	PATH="$(BIN):$$PATH" $(VENV)/bin/python scripts/record_demo.py docs/demo.svg

clean:
	rm -rf $(VENV) build dist storekit.egg-info .tox .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.made: scripts/make-venv
	@PYTHON="$(PYTHON)" sh scripts/make-venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made setup.py
	@echo "Installing storekit into $(VENV): a minute or so, once"
	@$(PIP) --editable '.[cli]'
	@touch $@

$(VENV)/.test: $(VENV)/.made setup.py
	@echo "Installing storekit, its drivers' libraries and the tests' tools into $(VENV): some minutes, once"
	@$(PIP) --editable '.[cli,http,s3,swift,dev]'
	@touch $@
