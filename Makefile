# SPDX-License-Identifier: MIT
# Two commands do everything, set-up included: `make demo` and `make test`.
# Both install what is missing (apt with sudo when not root, a virtual environment, pip) and can be repeated.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
NEEDS  := tests/needs

# dbus-fast is used where it is installed; PUBKEEP_DBUS=next or =fast forces one of the two libraries.
TESTS  ?= tests
PYTEST := $(BIN)/python -m pytest
# Most tests wait for servers: more at a time than a small machine has processors. Whole files, in the order of
# tests/conftest.py.
SOME   := -n 4 --dist loadfile --no-loadscope-reorder

# Images of containers like to set it. Then each of a thousand processes would compile the whole program.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo run check test bench soak clean needs

help:
	@echo "make demo    the main job on a private bus and a private Prosody (ONCE=1: end by itself)"
	@echo "make run     the daemon on your own bus, with your own data"
	@echo "make test    all tests; those that need a D-Bus library on both of them"
	@echo "make check   format, lint, types, layers, interfaces, fast tests"
	@echo "make bench   timings, as ratios within one run (N=1000000: items in the store)"
	@echo "make soak    more simulated histories (N=1000), more kills, more readers"
	@echo "make setup   the virtual environment only"
	@echo "make clean   remove what these commands made here"

# -- set-up ---------------------------------------------------------------------------------------

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml $(NEEDS)
	@sh $(NEEDS) venv "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --editable '.[fast,dev]'
	@touch $@

needs: $(NEEDS)
	@sh $(NEEDS) servers

# -- what it is for -------------------------------------------------------------------------------

demo: setup needs
	$(BIN)/python -m tests.system.demo $(if $(ONCE),--once)

run: setup
	$(BIN)/pubkeepd

# -- checks ---------------------------------------------------------------------------------------

check: lint
	$(PYTEST) -q $(SOME) -m 'not slow and not system'

.PHONY: lint
lint: setup needs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	PUBKEEP_DBUS=fast $(PYTEST) $(SOME) $(TESTS)
	PUBKEEP_DBUS=next $(PYTEST) $(SOME) tests/bridge tests/system -m '(dbus or not system) and not slow' \
	  --ignore=tests/bridge/test_searches.py

bench: setup needs
	PUBKEEP_DBUS=fast $(BIN)/python -m tests.bench
	PUBKEEP_DBUS=next $(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.stored $(or $(N),100000)
	$(BIN)/python -m tests.bench.stored 100000 postgresql

soak: setup needs
	$(BIN)/python -m tests.simulation --seeds $(or $(N),1000) --result tests/simulation/soak.json
	$(BIN)/python -m tests.soak

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
