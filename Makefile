# salescast: every target says what it does in `make help`. GNU make; recipes run in any POSIX shell.

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ARGS ?=
ONLY ?=
DEMO ?= var/demo
UV ?= yes

# One thread pool must not spin against another; modules are compiled once, also where the machine says otherwise.
export OMP_WAIT_POLICY := passive
export OPENBLAS_NUM_THREADS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export PYTHONDONTWRITEBYTECODE :=

PYTEST := $(PY) -m pytest
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo serve test check test-all notebooks results bench lock docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv from requirements.lock (hashes checked, byte-compiled)

# uv when it can be had, pip otherwise (`make install UV=no` takes pip at once); a company's pip settings keep working
# because pip is the way back.
$(STAMP): requirements.lock pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "salescast needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 2; }
	@{ test "$(UV)" = yes && $(PY) -m pip install --quiet --disable-pip-version-check uv && \
	   $(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r requirements.lock; } \
	 || { echo "installing the lock with pip, not uv: this takes a minute or two" >&2; \
	      $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## demo company: ingest, train, promote, serve on 127.0.0.1:8000 (ARGS=--no-serve stops before serving)
	@$(VENV)/bin/salescast demo --folder $(DEMO) $(ARGS)

serve: $(STAMP) ## serve the API with the settings of salescast.yaml
	@$(VENV)/bin/salescast serve $(ARGS)

test: $(STAMP) ## default tests; what needs Java, Chromium or a missing server is skipped by name
	@$(PYTEST) -n $(WORKERS) --dist loadfile $(ARGS)

check: $(STAMP) ## format, lint, types, floors, docstrings, documents
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@find crm features models planning serving -name '*.py' | xargs $(VENV)/bin/numpydoc lint
	@git ls-files | xargs $(PY) .ci/hygiene.py
	@$(PYTEST) -q tests/architecture

test-all: $(STAMP) ## everything, statistical and slow too; a missing system package fails with its name
	@SALESCAST_REQUIRE_ALL=1 $(PYTEST) -n $(WORKERS) --dist loadfile -m "not benchmark" $(ARGS)

notebooks: $(STAMP) ## run the notebooks on a small demo company
	@$(PYTEST) -o addopts= --nbmake --nbmake-timeout=300 notebooks

results: $(STAMP) ## re-measure the figures of docs/results.md (ONLY=group prints one JSON line a figure)
	@$(PY) -m benchmarks.results $(ONLY)

bench: $(STAMP) ## side-by-side speed and memory, written to docs/benchmarks.md
	@$(PY) -m benchmarks.bench $(ARGS)

lock: $(STAMP) ## resolve pyproject.toml anew into requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras -o requirements.lock pyproject.toml

docs: $(STAMP) ## rewrite the generated documents (commands, settings, data contract)
	@$(PY) -m serving.documents

clean: ## remove the environment, caches and everything below var/
	@rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
