# make setup | demo | test | lint | bench.   Only python3 (3.11 or 3.12) with venv is needed before.
#
#   PYTHON=python3.12     the interpreter that makes the virtual environment
#   EXTRAS=enroll,bench   what is installed of pyproject's extras
#   TORCH_INDEX=URL       take torch from this package index, for instance a CPU-only one
#   ARGS=...              handed on to pytest, to `facewire demo` or to the benchmark

PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$p && break; done)
VENV ?= .venv
EXTRAS ?= enroll,bench,service,scale,dev
TORCH_INDEX ?=
ARGS ?=

BIN := $(VENV)/bin
comma := ,
STAMP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))

.PHONY: setup demo test lint bench

setup: $(STAMP)

# The stamp is newer than what it depends on, so that a second call does nothing.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Facewire needs Python 3.11 or 3.12: make setup PYTHON=/path/to/python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/pip install -q -c constraints.txt --index-url $(TORCH_INDEX) torch)
	$(BIN)/pip install -q -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

# numba compiles a kernel anew when its own file changes, not when what it is made of does.
KERNELS := render/__pycache__/.compiled
$(KERNELS): render/simd.py render/interpolate_cpu.py
	@rm -f $(@D)/*.nbi $(@D)/*.nbc
	@mkdir -p $(@D)
	@touch $@

demo: setup $(KERNELS)
	$(BIN)/facewire demo $(ARGS)

# A worker that dies fails the run: with another in its place, xdist waits for ever.
test: setup $(KERNELS)
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup $(KERNELS)
	$(BIN)/python -m benchmarks.figures $(ARGS)
