# Everything here works on a fresh clone with Python 3.11 or newer, pip and make. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test fuzz mutants bench lint types style imports mypy pyright pins build clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

setup: $(READY)  ## make .venv, with everything that the other targets need (they call it themselves)

demo: $(READY)  ## run the Flask service of docs/examples, well and badly configured
	@$(BIN)/python docs/examples/flask-service/demo.py

test: $(READY)  ## run the tests
	@$(BIN)/python -m pytest -n 3

# atheris has no wheel for every Python; it is installed when it is first asked for. What it finds is left in tests/fuzz/.
fuzz: $(READY)  ## look for ten minutes for bytes that break a promise of the redactor
	@$(BIN)/python -c 'import atheris' 2>&- || $(BIN)/python -m pip install -qq --disable-pip-version-check atheris
	@for name in redactor walker; do \
	  mkdir -p tests/fuzz/found/$$name; \
	  $(BIN)/python -m tests.fuzz $$name -max_total_time=300 -max_len=400 -artifact_prefix=tests/fuzz/found/ \
	    tests/fuzz/found/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

# See docs/mutants.md. coverage is installed when it is first asked for; one place alone: make mutants PLACE=_plan.make_plan
mutants: $(READY)  ## look for half an hour for faults in four rooms that no test sees
	@$(BIN)/python -c 'import coverage' 2>&- || $(BIN)/python -m pip install -qq --disable-pip-version-check coverage
	@$(BIN)/python -m tests.mutants $(PLACE)

bench: $(READY)  ## measure
	@$(BIN)/python -m tests.benchmarks

lint: style imports  ## style, format, and which room may import which

types: mypy pyright  ## mypy and pyright, both strict

style: $(READY)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

imports: $(READY)
	@$(BIN)/lint-imports --no-logo

mypy: $(READY)
	@$(BIN)/mypy

# The wheel holds pyright itself; the variable stops it from asking the network for a newer one.
pyright: $(READY)
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

build: $(READY)  ## make the source archive, and the wheel from it, in dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation

pins:  ## for maintainers: choose the pinned versions anew, after a change of dependencies
	@bash .ci/pins

clean:  ## remove what the other targets made
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew from nothing when the pins or the project change: what is no longer pinned is gone.
$(READY): .ci/pins.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or newer is needed, and "$(PYTHON)" is not. Name one: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (once; about a minute) ..." >&2
	@bash .ci/venv $(PYTHON) $(VENV) .ci/pins.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
