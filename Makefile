# Every command makes the virtual environment it needs. Bare `make` lists the commands.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=
# Processes that share the tests; 0 runs them in one, in order of a seed that can be repeated.
WORKERS ?= 3
AIRFLOW      ?= apache-airflow-core>=3.0
AIRFLOW_VENV ?= .venv-airflow

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Tests start thousands of programs: each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test check format lint types layers docs screenshots bench chaos airflow clean

help: ## list the commands
	@echo "make COMMAND, where COMMAND is one of"
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "  %-11s %s\n", $$1, $$2 }'
	@echo "ARGS=... is handed on (make test ARGS='-k commit'); PYTHON=python3.12 chooses the interpreter of a new .venv"

install: $(STAMP) ## make .venv and install the package with all development tools

# An upgrade of the interpreter or a half-made environment is healed by `--clear`.
$(STAMP): pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "sinagot needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	@echo "installing into $(VENV) (once, and again when pyproject.toml changes)"
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	@touch $(STAMP)

demo: $(STAMP) ## run the harbor example on a copy in .demo/harbor
	@rm -rf .demo/harbor && mkdir -p .demo && cp -R example/harbor .demo/harbor
	@$(BIN)/python .demo/harbor/demo.py

test: $(STAMP) ## all tests: laws, unit tests, doctests, code blocks of README and docs, a minute of faults
	@$(BIN)/python -m tests.suite -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint types layers docs test ## everything that CI runs

format: $(STAMP) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(STAMP) ## format, lint and docstrings, changing nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@find sinagot -name '*.py' -print0 | xargs -0 $(BIN)/numpydoc lint

types: $(STAMP) ## mypy, strict
	@$(BIN)/mypy

layers: $(STAMP) ## imports point down the layers
	@$(BIN)/lint-imports

docs: $(STAMP) ## build the documentation, warnings are errors
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "documentation: docs/_build/html/index.html"

screenshots: $(STAMP) ## take the pictures that the documentation shows (needs chromium; ARGS='--all --into FOLDER': all)
	@$(BIN)/python -m docs.screenshots $(ARGS)

bench: $(STAMP) ## measure and write docs/benchmarks.md (ARGS=--quick: two minutes; ARGS=--large: 100,000 records too)
	@$(BIN)/python tests/benchmarks/run.py $(ARGS)

chaos: $(STAMP) ## kill, fill and freeze it: the full set of tests, then the campaign, which writes docs/reliability.md
	@SINAGOT_CHAOS=full $(BIN)/python -m pytest -q --timeout=1800 tests/chaos tests/benchmarks $(ARGS)
	@$(BIN)/python -m tests.chaos.campaign --trials 20 --write docs/reliability.md

# Some three minutes: Airflow brings a hundred packages, so it gets an environment of its own.
airflow: $(STAMP) ## load and run pipelines in the real Airflow (AIRFLOW='apache-airflow>=2.10,<3': another one)
	@test -x $(AIRFLOW_VENV)/bin/airflow || { "$(PYTHON)" -m venv --clear $(AIRFLOW_VENV) && \
	    $(AIRFLOW_VENV)/bin/python -m pip install --quiet "$(AIRFLOW)" --editable .; }
	@SINAGOT_REQUIRE_AIRFLOW=1 SINAGOT_AIRFLOW_VENVS=$(CURDIR)/$(AIRFLOW_VENV) $(BIN)/python -m pytest -q tests/airflow $(ARGS)

clean: ## remove what these commands made, but for .venv
	@rm -rf .demo .venv-peers docs/_build build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@rm -rf .import_linter_cache
	@find sinagot tests docs example -name __pycache__ -type d -prune -exec rm -rf {} +
