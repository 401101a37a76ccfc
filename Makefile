# The same verbs on a laptop and in CI. The first of them makes the virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: live help install demo check fix local-bigquery google-genai test bench docs build clean

help:
	@echo "make install | demo | check | fix | test | bench | docs | build | clean"

$(VENV)/.package: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Geminate needs Python 3.11 or newer; name one with make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.package
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

install: $(VENV)/.dev

demo: $(VENV)/.package
	@rm -rf demo && mkdir demo
	$(BIN)/geminate run fixtures/prompts/words.csv --spec fixtures/specs/words.yaml --emulate -o demo/rows.parquet
	@$(BIN)/python -c "import polars; print(polars.read_parquet('demo/rows.parquet').select('key', 'gemini_outcome', 'gemini_answer', 'gemini_total_tokens').head(5))"
	@echo "The joined rows are in demo/rows.parquet, and the run in demo/rows.parquet.run"

check: install
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# A real BigQuery server for the tests: it needs Python 3.13 and other versions of what Geminate uses.
PYTHON313 ?= $(firstword $(foreach each,python3.13 $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python),$(shell \
	$(each) -c 'import sys; print(sys.executable)' 2>/dev/null)))
LOCAL_BIGQUERY := $(VENV)/local-bigquery
DUCKDB := 1.5.5

local-bigquery: $(VENV)/.local-bigquery

$(VENV)/.local-bigquery: $(VENV)/.package
	@if [ -z "$(PYTHON313)" ]; then echo "!!! NO python3.13: the tests on a real BigQuery server will NOT run" >&2; else \
	$(PYTHON313) -m venv $(LOCAL_BIGQUERY) && $(LOCAL_BIGQUERY)/bin/pip install --quiet local-bigquery==0.3.2 \
	duckdb==$(DUCKDB) $(foreach name,icu ducklake spatial httpfs,duckdb-extension-$(name)==$(DUCKDB)) && touch $@; fi

# Google's client in an environment of its own, so that it is a second opinion on the emulator.
google-genai: $(VENV)/.google-genai

$(VENV)/.google-genai: $(VENV)/.package
	@$(PYTHON) -m venv $(VENV)/google-genai && $(VENV)/google-genai/bin/pip install --quiet google-genai && touch $@

test: install local-bigquery google-genai
	$(BIN)/pytest --numprocesses auto

# Four jobs of twenty rows in a project of your own, and ten of a few or none; what it makes there it removes.
live: install
	@test -n "$(PROJECT)" || { echo "make live PROJECT=your-project"; exit 1; }
	GEMINATE_LIVE=1 GEMINATE_LIVE_PROJECT=$(PROJECT) $(BIN)/pytest tests/live

bench: install
	@$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python benchmarks/run.py

docs: install
	@$(BIN)/python -m pip install --quiet --group docs
	$(BIN)/mkdocs build --strict

build: install
	@$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) dist site demo .mypy_cache .ruff_cache .hypothesis .import_linter_cache
