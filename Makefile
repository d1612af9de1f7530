# SPDX-License-Identifier: MIT
# Two commands do everything, set-up included: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PUBKEEP_DBUS ?=
