# Everything is installed into .venv; a second run of any target installs and downloads nothing.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test serve check audit bench screenshots torture clean

help:
	@echo "make demo     set up, load data/, build encoder and engine, print matches for three projects and a mission"
	@echo "make serve    page and API on 127.0.0.1, PORT=$(PORT)"
	@echo "make test     all tests but the long ones     make torture  the long kill, soak and fuzz runs"
	@echo "make check    format, lint, types, layer rule, audit of the dependencies (make audit)"
	@echo "make bench    timings as JSON under data/runs/bench/     make screenshots  every page under data/runs/pages/"
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
	@$(MAKE) --no-print-directory audit

# A known vulnerability fails; an advisory service that does not answer, or knows none of our packages, is only said.
AUDITOR ?= $(BIN)/pip-audit
AUDIT_SECONDS ?= 120
define AUDIT
import json, subprocess, sys
words = [sys.argv[1], "--format=json", "--progress-spinner=off", "--timeout=10", "--local", "--skip-editable"]
try:
    said = subprocess.run(words, capture_output=True, text=True, timeout=float(sys.argv[2]))
    found = json.loads(said.stdout)["dependencies"]
    reason = "it knows none of our packages"
except subprocess.TimeoutExpired:
    found, reason = [], f"no answer within {sys.argv[2]} s"
except (OSError, ValueError, KeyError) as error:
    found, reason = [], " ".join((said.stderr if isinstance(error, ValueError) else str(error)).split())[-300:]
for d in found:
    for v in d.get("vulns", []):
        print(f"{d['name']} {d['version']}: {v['id']}, fixed in {', '.join(v['fix_versions']) or 'no version yet'}")
asked = sum("skip_reason" not in d for d in found)
if not asked:
    print(f"WARNING: the dependencies were NOT AUDITED, the advisory service is unreachable: {reason}", file=sys.stderr)
elif asked < len(found):
    print(f"WARNING: {len(found) - asked} of {len(found)} dependencies were not audited", file=sys.stderr)
sys.exit(any(d.get("vulns") for d in found))
endef
export AUDIT

audit: setup
	@$(BIN)/python -m pip check
	@$(BIN)/python -c "$$AUDIT" $(AUDITOR) $(AUDIT_SECONDS)

bench: setup
	@$(BIN)/python -m evaluation.bench

screenshots: setup
	@MATCHER_SCREENSHOTS=$(CURDIR)/data/runs/pages $(BIN)/python -m pytest tests/e2e/test_everywhere.py -q

# The database, the engines and the models stay: what took work to make is removed by hand.
clean:
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
