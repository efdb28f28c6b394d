.DEFAULT_GOAL := help
.PHONY: help setup install demo up test hours hours-few lint types arch docs coverage check bench bench-once chaos lock page-libraries pictures fix

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
DEV_INSTALLED := .venv/dev-installed
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint deploy/constraints.txt
# Published clients that tests point at the simulator or at web. The first has the module name of tvdatafeed, so each is
# installed apart, some with their missing requirements; the last two are for node, one of them without what it draws by.
PEERS := .venv/peers
# What checks the types of the page's modules: the compiler, and the packages of its libraries.
PAGE_TYPES := .venv/page-types
BENCH_INSTALLED := .venv/bench-installed
DOCS_INSTALLED := .venv/docs-installed

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV_INSTALLED) ## make .venv and install everything into it

$(INSTALLED): setup.cfg pyproject.toml deploy/constraints.txt Makefile
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) --editable '.[server,embedded]'
	touch $@

$(DEV_INSTALLED): $(INSTALLED)
	$(PIP_INSTALL) --editable '.[server,embedded,arrow,polars,dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(PEERS) \
	    tradingview-datafeed==2.1.1
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(PEERS)-tvkit \
	    tvkit==0.18.0 httpx==0.28.1 httpcore==1.0.9 h11==0.16.0 anyio==4.16.0
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(PEERS)-scraper \
	    tradingview-scraper==0.4.21
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(PEERS)-investiny \
	    investiny==0.7.2 httpx==0.28.1 httpcore==1.0.9 h11==0.16.0 anyio==4.16.0
	! command -v npm >/dev/null || \
	    npm install --silent --no-audit --no-fund --prefix $(PEERS)-npm @mathieuc/tradingview@3.5.2
	! command -v npm >/dev/null || { mkdir -p $(PEERS)-orderly && npm pack --silent \
	    --pack-destination $(PEERS)-orderly @orderly.network/trading-view@1.5.17 && \
	    tar -xzf $(PEERS)-orderly/orderly.network-trading-view-1.5.17.tgz -C $(PEERS)-orderly; }
	! command -v npm >/dev/null || \
	    npm install --silent --no-audit --no-fund --prefix $(PAGE_TYPES) typescript@7.0.2 axe-core@4.14.1 \
	    $$($(BIN)/python deploy/page_libraries.py --names)
	touch $@

$(BENCH_INSTALLED): $(DEV_INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

$(DOCS_INSTALLED): $(DEV_INSTALLED)
	$(PIP_INSTALL) --editable '.[docs]'
	touch $@

# A copy apart from this checkout, in an environment of its own; again after `git pull`.
PIPX := $(or $(shell command -v pipx),build/pipx/bin/pipx)

build/pipx/bin/pipx:
	$(PYTHON) -m venv build/pipx
	build/pipx/bin/pip install --quiet --disable-pip-version-check pipx

install: $(if $(shell command -v uv),,$(PIPX)) ## put `pocketquant` on your PATH, by uv or pipx
	if command -v uv >/dev/null; then \
	    uv tool install --force --constraints deploy/constraints.txt '.[server,embedded]' && uv tool update-shell; \
	else \
	    $(PIPX) install --force --python $(PYTHON) --pip-args='--constraint deploy/constraints.txt' '.[server,embedded]' \
	    && $(PIPX) ensurepath; \
	fi

demo: $(INSTALLED) ## the platform on private servers and a simulated market (ARGS=--once ends by itself)
	$(BIN)/pocketquant demo $(ARGS)

up: $(INSTALLED) ## all processes against the real TradingView, data kept in .pocketquant/
	$(BIN)/pocketquant up $(ARGS)

# Four test files at a time, each in order, also on two cores: tests mostly wait for servers.
IN_TURNS := -n 4 --dist loadfile --no-loadscope-reorder

test: $(DEV_INSTALLED) ## every test except the benchmarks (ARGS='-k chunks' chooses)
	$(BIN)/pytest $(IN_TURNS) $(ARGS)

CLOCK_SHIFT := build/clock_shift.so

$(CLOCK_SHIFT): tests/clock_shift.c
	mkdir -p $(@D)
	$(CC) -shared -fPIC -O2 -Wall -Wextra -o $@ $< -ldl

hours: $(DEV_INSTALLED) $(CLOCK_SHIFT) ## every test at eight odd hours, one after the other (ARGS=--only=2028-02-29T12:00)
	$(BIN)/python -m tests.hours $(IN_TURNS) $(ARGS)

hours-few: $(DEV_INSTALLED) $(CLOCK_SHIFT)
	$(BIN)/python -m tests.hours --few --quiet

lint: $(DEV_INSTALLED) ## ruff: style, imports, bugs, bans
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_INSTALLED) ## mypy, strict; tsc for the page's modules
	$(BIN)/mypy
	! command -v npm >/dev/null || $(PAGE_TYPES)/node_modules/.bin/tsc -p web/page/jsconfig.json

arch: $(DEV_INSTALLED) ## import-linter: imports point down
	$(BIN)/lint-imports

docs: $(DOCS_INSTALLED) ## build the guides as a site in build/docs; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --config-file deploy/mkdocs.yml

coverage: $(DEV_INSTALLED) ## unit tests must cover the pure files completely
	$(BIN)/pytest -n 3 --quiet --cov --cov-report= tests/unit
	$(BIN)/coverage report

# The output of each target in one piece, where make can do so (macOS has an old one).
IN_PIECES := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# Unit tests run under coverage. Benchmarks come last: their peers need older versions of what the tests run with.
check: $(DOCS_INSTALLED) $(CLOCK_SHIFT) ## what CI runs: lint, types, imports, guides, coverage, tests
	$(MAKE) -j 2 $(IN_PIECES) types docs coverage hours-few lint arch
	$(MAKE) test ARGS='tests/e2e tests/integration'
	$(MAKE) bench-once

bench: $(BENCH_INSTALLED) ## the benchmarks, each beside its peer (ARGS=store chooses)
	$(BIN)/python -m tests.benchmarks $(ARGS)

chaos: $(DEV_INSTALLED) ## random failures of every server and process, then the invariants (ARGS='--seed 7 --minutes 6')
	$(BIN)/python -m tests.chaos $(ARGS)

bench-once: $(BENCH_INSTALLED) # so that a broken benchmark is noticed; its figures mean nothing
	$(BIN)/python -m tests.benchmarks --names | \
	    xargs -n 1 -P 2 $(BIN)/python -m tests.benchmarks --smallest

lock: ## pin the newest versions that setup.cfg allows in deploy/constraints.txt
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet --disable-pip-version-check uv
	.venv/lock/bin/uv pip compile --quiet --universal --upgrade --no-emit-package setuptools \
	    --extra server --extra embedded --extra arrow --extra polars --extra dev --extra docs \
	    --custom-compile-command 'make lock' --output-file deploy/constraints.txt pyproject.toml

page-libraries: ## copy the libraries of the browser's page from npm, as pinned
	$(PYTHON) deploy/page_libraries.py

pictures: $(DEV_INSTALLED) ## take the pictures of the page again, in Chromium
	$(BIN)/python deploy/page_pictures.py

fix: $(DEV_INSTALLED) ## let ruff fix and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
