# Everything a newcomer needs: `make demo`, `make up`, `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
BENCH_STAMP := .venv/.installed-bench

.DEFAULT_GOAL := help
.PHONY: help up demo simulate soak test slow bench check histories clean

help: ## this list
	@sed -n 's/^\([a-z.]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

# Once, and again when a pinned version changes; after it no network is needed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1): try 'make PYTHON=python3.11'" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) can't make a venv: on Debian, apt install python3-venv" >&2; exit 1; }
	@echo "installing into .venv (once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' || { \
	  echo "the install failed: it needs the network, this once" >&2; exit 1; }
	@touch $@

.PHONY: .venv
.venv: $(STAMP) ## create the venv and install the pinned dependencies

up: $(STAMP) ## start everything, until Ctrl-C
	@exec $(BIN)/python -m runtime.up

demo: $(STAMP) ## play every story and check the books
	@exec $(BIN)/python -m simulation.demo

ORDERS ?= 200
simulate: $(STAMP) ## orders under fire, with an auditor: SEED=7 ORDERS=300
	@exec $(BIN)/python -m simulation.chaos --orders $(ORDERS) $(if $(SEED),--seed $(SEED))

soak: ORDERS = 2000
soak: $(STAMP) ## a long simulation: ORDERS=2000
	@exec $(BIN)/python -m simulation.chaos --orders $(ORDERS) $(if $(SEED),--seed $(SEED))

# In three processes, each a file at a time and the longest first: a process waits for its servers half of its time.
test: $(STAMP) ## all tests but the slow ones
	@exec $(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

slow: $(STAMP) ## the tests that take minutes each: every part of the benchmark
	@exec $(BIN)/pytest -m slow

check: $(STAMP) ## lint, format, strict types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Its own extra packages, once.
$(BENCH_STAMP): $(STAMP)
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]' || { \
	  echo "the install failed: it needs the network, this once" >&2; exit 1; }
	@touch $@

bench: $(BENCH_STAMP) ## measure, in some 45 minutes; a part: make bench PART=stock
	@exec $(BIN)/python -m simulation.bench $(PART)

histories: $(STAMP) ## record the replay tests' histories afresh
	@exec $(BIN)/python -m tests.replay.record

clean: ## delete .data and .venv; refuses while it is up
	@test ! -e .data/up.lock || $(PYTHON) -c 'import fcntl; fcntl.flock(open(".data/up.lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null || { \
	  echo "it is up (process $$(cat .data/up.lock)): stop it first" >&2; exit 1; }
	rm -rf .data .venv
