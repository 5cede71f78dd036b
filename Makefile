# Everything is installed into .venv; a second run of any target installs and downloads nothing.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test serve check bench torture clean

help:
	@echo "make demo     set up, load data/, build encoder and engine, print matches for three projects and a mission"
	@echo "make serve    page and API on 127.0.0.1, PORT=$(PORT)"
	@echo "make test     all tests but the long ones     make torture  the long kill, soak and fuzz runs"
	@echo "make check    format, lint, types, layer rule make bench    timings as JSON under data/runs/bench/"
	@echo "make setup    install into .venv              make clean    remove .venv and caches, no data"

setup: .venv/installed

# The stamp comes last: an interrupted installation is taken up again.
.venv/installed: pyproject.toml constraints.txt
	@echo "Installing into .venv; the first time takes a few minutes."
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
	  "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is " + sys.version.split()[0] + "; make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/matcher init
	@$(BIN)/python -c 'from matcher import config; from matcher.jobs import fitting; from matcher.matching.engine \
	  import Engine; Engine.load(fitting.current(config.load().site()))' 2>/dev/null || $(BIN)/matcher fit
	@$(BIN)/matcher demo

test: setup
	@$(BIN)/python -m pytest -m "not torture"

torture: setup
	@$(BIN)/python -m pytest -m torture

serve: setup
	@$(BIN)/matcher serve --port $(PORT)

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m evaluation.bench

# The database, the engines and the models stay: what took work to make is removed by hand.
clean:
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
