# Every target does all of its own set-up: a virtual environment in .venv, renewed when pyproject.toml changes, and for
# the tests the Debian programs that they need. PYTHON=... chooses another Python.

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/runtime.stamp
DEV := $(VENV)/dev.stamp

.PHONY: test lint audit servers demo figures bench torture clean

test: lint servers ## everything that must hold: lint, types, import contracts, tests
	$(BIN)/pytest -n logical --maxprocesses 4 --dist worksteal

lint: $(DEV) ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(DEV) ## known vulnerabilities of the dependencies; says so where no vulnerability service can be asked
	$(BIN)/python -m scripts.audit

servers:
	@scripts/servers

demo: $(RUNTIME) ## a simulated site, live, with faults, an alert and findings; Ctrl-C ends it; ARGS="--port 9000"
	@exec $(BIN)/wattwell demo $(ARGS)

figures: $(RUNTIME) ## the published figures, computed from the data sets in DATA=folder
	@test -n "$(DATA)" || { echo "Say where the data sets are: make figures DATA=folder" >&2; exit 2; }
	$(BIN)/python benchmarks/figures.py --data "$(DATA)"

bench: $(DEV) servers ## measurements; each prints JSON
	$(BIN)/python benchmarks/decoders.py
	$(BIN)/python benchmarks/fuzz.py
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/alert_latency.py
	$(BIN)/python benchmarks/alert_steps.py
	$(BIN)/python benchmarks/site_month.py
	$(BIN)/python benchmarks/windows.py
	$(BIN)/python benchmarks/shared.py
	$(BIN)/python benchmarks/fanout.py
	$(BIN)/python benchmarks/fleet.py
	$(BIN)/python benchmarks/grow.py
	$(BIN)/python benchmarks/soak.py

torture: $(DEV) servers ## kill the service again and again, count what is stored: SEED=1 KILLS=100 STORE=duckdb|victoriametrics
	$(BIN)/python -m tests.torture --seed $(or $(SEED),1) --kills $(or $(KILLS),100) --store $(or $(STORE),duckdb)

clean: ## what the targets above have made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml scripts/venv
	@scripts/venv $(VENV) --editable .
	@touch $@

$(DEV): pyproject.toml scripts/venv
	@scripts/venv $(VENV) --editable '.[dev]'
	@touch $(RUNTIME) $@
