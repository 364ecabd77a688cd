# The two commands are `make demo` and `make test`; `make` alone lists the rest.
# Everything is installed into .venv and console/node_modules, both inside this folder. Stamps in .venv say what
# is installed, so a second run does only what has changed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Container images often forbid bytecode. Each of the many processes that the tests and the demo start would then
# compile every module it imports anew: 7 s of processor instead of 2.6.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell tools/find-python)
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
PYTEST_ARGS ?= -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help demo test lint format docs docs-serve console wheel clean distclean

help:  ## List the commands
	@echo 'Quanyu 全域'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/' | column -t -s '|'

demo: $(VENV)/.demo console  ## Build what must be built and start the product with real data in it
	@$(BIN)/quanyu demo $(DEMO_ARGS)

test: checks pytest  ## Run every check and every test, a real PostgreSQL and a real browser included

# Two at a time: the type checker, which takes longest, keeps only one core busy.
checks: $(VENV)/.test
	@$(MAKE) --jobs=2 lint console-test

# Each check is a target of its own, so that `make --keep-going` shows every failure and not only the first.
CHECKS := check-ruff check-format check-types check-imports check-client check-console-types
.PHONY: checks $(CHECKS)
lint: $(CHECKS)  ## Run the linters, the type checkers and the import rules

check-ruff: $(VENV)/.test
	@tools/step 'ruff check' $(BIN)/ruff check

check-format: $(VENV)/.test
	@tools/step 'ruff format' $(BIN)/ruff format --check

check-types: $(VENV)/.test
	@tools/step 'mypy' $(BIN)/mypy

check-imports: $(VENV)/.test
	@tools/step 'import rules' $(BIN)/lint-imports

check-client: console-deps
	@if [ -e console/package.json ]; then tools/step 'console client' tools/check-client $(BIN)/python; fi

check-console-types: console-deps
	@if [ -e console/package.json ]; then \
		tools/step 'console types' $(BIN)/python hatch_build.py exec tsc --noEmit \
			--incremental --tsBuildInfoFile node_modules/.cache/tsc.tsbuildinfo; fi

client: $(VENV)/.test console-deps  ## Make the console's API client anew after the API has changed
	@tools/step 'console client' tools/check-client $(BIN)/python --write

.PHONY: client client-packages console-deps console-test pytest browser
console-deps: $(VENV)/.test
	@$(BIN)/python hatch_build.py deps

console-test: console-deps
	@if [ -e console/package.json ]; then \
		tools/step 'console tests' $(BIN)/python hatch_build.py exec vitest run; fi

browser:
	@tools/ensure-browser

# The brands' own SDKs from npm, which tests/clients runs against the collector.
client-packages: $(VENV)/.test
	@$(BIN)/python hatch_build.py clients

pytest: $(VENV)/.test console client-packages browser
	@echo '▸ pytest'
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

format: $(VENV)/.test  ## Format the Python code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

docs: $(VENV)/.docs  ## Build the documentation site into site/
	@tools/step 'reference pages' $(BIN)/python docs/generate.py
	@tools/step 'site' env NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo 'open site/index.html'

docs-serve: $(VENV)/.docs  ## Show the documentation at http://127.0.0.1:8700 while you write
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8700

# Whether the assets are stale is decided by their stamp, which knows more than file times do.
console: $(VENV)/.any
	@$(BIN)/python hatch_build.py

wheel: $(VENV)/.any  ## Build the wheel, with the console in it, into dist/
	@tools/step 'wheel' $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls -1 dist/*.whl

clean:  ## Remove what was built (keeps the installed packages and your data)
	@rm -rf build dist site console/dist src/quanyu/http/static/console .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	@find src sandbox tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## Remove the installed packages too
	@rm -rf $(VENV) console/node_modules tests/clients/node_modules

# ---------------------------------------------------------------------------------------------- installation
# Each stamp is one set of extras. `test` holds `demo`, and either holds what the console build needs.
$(VENV)/.any: | $(VENV)/.demo
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt
	@tools/install '$(PYTHON)' $(VENV) demo
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt
	@tools/install '$(PYTHON)' $(VENV) test
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml constraints.txt
	@tools/install '$(PYTHON)' $(VENV) demo,docs
	@touch $@ $(VENV)/.demo
