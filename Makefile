# Everything a developer or a visitor does here. `make` alone lists it.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

PORT ?= 3000

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-slow lint check bench clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## the demo on real flights: serve, shadow, find a skew, promote, roll back
	@$(BIN)/python -m demo

serve: $(READY) ## serve what the demo left behind, until Ctrl-C (PORT=3000)
	@test -d .demo/gnomon || { echo "There is nothing to serve yet. Run: make demo"; exit 1; }
	@BENTOML_HOME="$(CURDIR)/.demo/bentoml" GNOMON_ROOT="$(CURDIR)/.demo/gnomon" \
	  $(BIN)/gnomon serve --port $(PORT)

# A file at a time, two on every core. Bytecode is written, or every server started would compile it all.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: $(READY) ## the tests, but for those marked slow (PYTHON=python3.13 VENV=.venv-3.13: on another Python)
	@$(PYTEST) -m "not slow"

test-slow: $(READY) ## the tests marked slow: kills, power cuts, long races
	@$(PYTEST) -m slow

check: lint test test-slow ## what CI runs: style, types, import rules, all tests

lint: $(READY) ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## the race with other servers, then the shadow, start-up and memory (needs wrk, an hour)
	@$(BIN)/python -m benchmarks.serve
	@$(BIN)/python -m benchmarks.open_loop
	@$(BIN)/python -m benchmarks.startup
	@$(BIN)/python -m benchmarks.rollback
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.replay
	@$(BIN)/python -m benchmarks.drift

clean: ## remove the virtual environment, the demo's files and caches
	rm -rf $(VENV) .venv-3.* .bench .demo .gnomon dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for the environment: made again when what it is made from changes.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Install Python 3.11 to 3.13."; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
	  "Gnomon needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d. Try: make PYTHON=python3.12" % v)'
	@echo "Making the virtual environment in $(VENV) (once, a minute or two) ..."
	@$(PYTHON) -m venv --clear $(VENV) || { \
	  echo "python3 cannot make virtual environments. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[demo,dev]'
	@touch $@
