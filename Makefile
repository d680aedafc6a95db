# The two commands are `make demo` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOM ?= image
SAMPLE ?= 150
SOAK_ROUNDS ?= 1000
SEED ?= 1
# Tests run on all processors, on four at most: each of them starts whole plants. Two share a processor now and then.
# They start hundreds of interpreters, each of which would compile the plant anew where bytecode files are forbidden.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadgroup --timeout 120

.PHONY: help demo test test-all fuzz soak mutants lint bench lock web clean browser databases

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(VENV)/ready: requirements.txt pyproject.toml
	@$(PYTHON) .ci/setup.py $(VENV)

web: $(VENV)/ready ## build the pages of the HMI into hmi/static
	@$(BIN)/python hatch_build.py

demo: web ## run the demo plant; Ctrl-C stops it
	@$(BIN)/scada demo

browser: $(VENV)/ready
	@$(BIN)/python .ci/debian.py chromium xmllint

databases: $(VENV)/ready
	@$(BIN)/python .ci/debian.py influxd victoria-metrics tshark

lint: $(VENV)/ready ## format, lint, strict types, import layers
	@echo "== format";  $(BIN)/ruff format --check --quiet . || { echo "Not formatted. Run: $(BIN)/ruff format ."; exit 1; }
	@echo "== lint";    $(BIN)/ruff check --quiet .
	@echo "== types";   $(BIN)/mypy --no-error-summary
	@echo "== layers";  $(BIN)/lint-imports --no-cache

test: web browser lint ## format, lint, types, layers and all quick tests
	@echo "== tests"; $(PYTEST) -m "not slow"

test-all: web browser databases ## the slow tests: third-party peers, long kill loops
	@echo "== properties, five times as many examples"; \
	  HYPOTHESIS_PROFILE=thorough $(PYTEST) -m "not slow" --timeout 300 tests/alarms tests/blocks tests/historian tests/house tests/read tests/requests tests/scan
	@echo "== slow tests"; $(PYTEST) --timeout 300 -m slow

fuzz: $(VENV)/ready ## inputs that nobody meant, N=1000000 into each reader of Modbus and OPC UA (SEED=1, READERS="mbap dump")
	@$(BIN)/python -m tests.fuzz -n $(or $(N),1000000) --seed $(SEED) $(READERS)

soak: $(VENV)/ready ## hours of faults: history through 1,000 kills and 5,000 power cuts, a plant through 1,000 disasters (SOAK_ROUNDS=)
	SOAK_KILLS=1000 SOAK_CUTS=5000 SOAK_PLACES=1000000 $(BIN)/pytest -q -m slow --timeout 7200 tests/faults
	SOAK_ROUNDS=$(SOAK_ROUNDS) $(BIN)/pytest -q -s -n 0 -m slow --timeout 72000 tests/safety

mutants: $(VENV)/ready ## would a test notice? changes SAMPLE=150 lines of blocks, requests and scan, one at a time (SAMPLE=all: hours)
	@$(BIN)/python -m tests.mutants.run --sample $(SAMPLE) --seed $(SEED)

bench: web ## measure one room: make bench ROOM=image
	@$(BIN)/python -m bench.$(ROOM) && $(BIN)/python -m bench.report

lock: ## renew requirements.txt from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-emit-index-url \
	  --generate-hashes --custom-compile-command "make lock" -q -o requirements.txt

clean: ## remove what can be made again
	rm -rf $(VENV) hmi/static hmi/web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
