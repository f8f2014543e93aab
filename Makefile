# `make` lists what there is to make. Every target sets itself up: a Python 3.11 is all that is needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
GRID ?= generated
PORT ?= 5000
SWEEPS_PORT ?= 8080
SERVE_PORT ?= 5001
DEMO_PORT ?= 8090
TESTS_AT_ONCE ?= auto

# Every stage is a process of its own: without caches of bytecode each would compile all it imports anew.
unexport PYTHONDONTWRITEBYTECODE
# Memory that a step gives back is kept for the next one: glibc would return it, and the system clear each page anew.
export MALLOC_MMAP_MAX_ := 0
export MALLOC_TRIM_THRESHOLD_ := 1000000000000
export PATH := $(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.PHONY: help setup repro test test-all check dashboard serve demo results bench docs clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(VENV)/.ready  ## install everything into .venv

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

repro: setup  ## fetch, train, evaluate and compare: GRID=generated, memory (no network), text, translation, tagging, tuned, handwriting, sequences, speech (Hub)
	$(BIN)/python -m pipelines.repro $(GRID)
	@echo "The comparison is in reports/$(GRID)/comparison.html. Next: make dashboard"

test: setup  ## the tests, one process a core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist worksteal

test-all: setup  ## the tests and the slow tests
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[cluster,docs]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m ""

check: setup  ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

dashboard: setup  ## browse the runs, http://127.0.0.1:5000, and what sweeps tried, http://127.0.0.1:8080
	$(BIN)/python -m pipelines.publish
	@echo "Open http://127.0.0.1:$(PORT) (Ctrl-C ends it)"
	@if [ -f sweeps.db ]; then \
	  echo "Sweeps: http://127.0.0.1:$(SWEEPS_PORT)"; trap 'kill $$sweeps 2> /dev/null || true' EXIT; trap 'exit 130' INT TERM; \
	  $(BIN)/optuna-dashboard --quiet --host 127.0.0.1 --port $(SWEEPS_PORT) sqlite:///$(CURDIR)/sweeps.db & sweeps=$$!; \
	fi; MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --app-name rnn -w 1 --host 127.0.0.1 --port $(PORT) \
	  --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}

serve: setup  ## answer requests over HTTP, http://127.0.0.1:5001/invocations: RUN=runs/dates/lstm/1, or MODEL=models:/ewt@best
	$(BIN)/python -m pipelines.serve $(if $(RUN),run=$(RUN)) $(if $(MODEL),model=$(MODEL)) port=$(SERVE_PORT)

demo: setup  ## try finished runs in the browser, http://127.0.0.1:8090: RUN=runs/ewt/bilstm/1, or the best of each task
	$(BIN)/python -m pipelines.demo $(if $(RUN),run=$(RUN)) port=$(DEMO_PORT)

results: setup  ## store the finished runs in results/; write the tables, pictures and map of README and docs
	$(BIN)/python -m pipelines.results

bench: setup  ## measure speed: the recurrence beside torch.nn, loops and packing, scans, a training beside a bare PyTorch loop
	$(BIN)/python -m benchmarks.recurrence
	$(BIN)/python -m benchmarks.scan
	$(BIN)/python -m benchmarks.overhead

docs: setup  ## the site of the documentation, site/index.html; a warning is an error
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:  ## remove data, runs, reports and the dashboard's store, but not the environment
	rm -rf data runs trained evaluated plan work logs reports site mlflow.db* mlartifacts .dvc/cache .dvc/tmp dvc.lock hub/dvc.lock
