# `make help` lists the targets. Each one sets up what it needs first; that is quick when nothing has changed.
PYTHON ?= python3
VENV := .venv/bin/python
PREPARE := $(PYTHON) -m scripts.prepare
NPM := $(PYTHON) -m scripts.web

# make run: where the demo lies and listens, and how many moving virtual endpoints join it
DATA ?= data
HTTP ?= 127.0.0.1:8080
MEDIA ?= 0.0.0.0:5004
ENDPOINTS ?= 24
BOTS ?= 0

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-peers format lock upgrade screenshots clean
.NOTPARALLEL:

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## a demo meeting at http://localhost:8080; BOTS=12 adds moving endpoints, HTTP=127.0.0.1:8081 another port
	@$(PREPARE) run
	@exec $(VENV) -m scripts.run_demo --data "$(DATA)" --http "$(HTTP)" --media "$(MEDIA)" --endpoints "$(ENDPOINTS)" --bots "$(BOTS)"

test: ## everything the tests need, then all tests with their coverage gates
	@$(PREPARE) test
	$(NPM) test
	$(VENV) -m pytest --cov --cov-branch --cov-report=
	$(VENV) -m scripts.coverage_gates

check: ## lint, format, types, layers, the web client's checks, lock files
	@$(PREPARE) check
	$(VENV) -m scripts.lock --check
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy
	.venv/bin/lint-imports
	$(NPM) run --silent check

bench: ## one JSON line a figure: CPU a forwarded packet, delay, loss, the most viewers, joining, growth
	@$(PREPARE) bench
	$(VENV) -m tests.bench

bench-peers: ## the same loads on Diemcau and on Janus in turn, as ratios (root: it makes a network namespace)
	@$(PREPARE) bench
	$(VENV) -m tests.bench.peers

format: ## lay out Python and the web client's sources as `make check` wants them
	@$(PREPARE) check
	$(VENV) -m ruff check --fix .
	$(VENV) -m ruff format .
	$(NPM) run --silent format

lock: ## resolve pyproject.toml into the lock files, keeping the versions there are
	@$(PREPARE) lock
	$(VENV) -m scripts.lock

upgrade: ## resolve pyproject.toml into the lock files with today's newest versions
	@$(PREPARE) lock
	$(VENV) -m scripts.lock --upgrade

screenshots: ## take docs/screenshots again from a demo with moving endpoints
	@$(PREPARE) test
	$(VENV) -m scripts.take_screenshots

clean: ## remove what was installed and built here; the data folder stays
	rm -rf .venv build dist *.egg-info web/node_modules server/static server/transport/_native*.so
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
