# `make help` lists the targets. Each target that needs the environment makes it first.

PYTHON ?= python3
VENV   ?= .venv
EXP    ?= infogan_mnist
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help install install-dev train verify results doctor test test-lowest coverage lint types soak \
        benchmark gpu quality docs docs-serve wheel-check image clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# constraints.txt pins the versions that the tests ran with; pyproject.toml has the lower bounds.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

install: $(VENV)/.installed ## Create .venv and install the package into it

install-dev: $(VENV)/.installed-dev ## Install all extras and the developers' tools too

train: $(VENV)/.installed ## Train an experiment: make train EXP=infogan_mnist ARGS="--seed 1"
	@$(VENV)/bin/gan-lightning train $(EXP) $(ARGS)

verify: $(VENV)/.installed ## Train on several seeds, check the claims: make verify EXP=gan_ring ARGS="--seeds 0,1,2"
	@$(VENV)/bin/gan-lightning verify $(EXP) $(ARGS)

results: $(VENV)/.installed ## Write the results pages from docs/results/*.json
	@$(VENV)/bin/gan-lightning results $(ARGS)

doctor: $(VENV)/.installed ## Check this machine: versions, devices, data, weights, W&B, disk
	@$(VENV)/bin/gan-lightning doctor $(ARGS)

test: $(VENV)/.installed-dev ## Run the tests
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n auto --dist worksteal $(ARGS)

coverage: $(VENV)/.installed-dev ## Run the tests, report the lines that they do not run
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n auto --dist worksteal --cov --cov-report=term --cov-report=xml $(ARGS)

# an environment of its own, in which every dependency has the lowest version that pyproject.toml allows
$(VENV)-lowest/.installed: pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv $(VENV)-lowest
	$(PYTHON) .ci/lowest.py > $(VENV)-lowest/constraints.txt
	$(VENV)-lowest/bin/pip install --quiet --disable-pip-version-check \
		--constraint $(VENV)-lowest/constraints.txt --editable '.[dev]'
	@touch $@

test-lowest: $(VENV)-lowest/.installed ## Run the tests with the lowest versions that pyproject.toml allows
	OMP_NUM_THREADS=1 $(VENV)-lowest/bin/pytest -n auto --dist worksteal $(ARGS)

lint: $(VENV)/.installed-dev ## Check style
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.installed-dev ## Check types
	$(VENV)/bin/mypy

soak: $(VENV)/.installed-dev ## Kill and signal runs, fill the disk, for an hour; writes docs/reliability.md
	OMP_NUM_THREADS=1 $(VENV)/bin/python tests/soak.py $(ARGS)

benchmark: $(VENV)/.installed-dev ## Run the benchmarks, write docs/performance.md: ARGS="--peer PyTorch-GAN"
	$(VENV)/bin/python benchmarks/performance.py $(ARGS)

gpu: $(VENV)/.installed-dev ## Prove on a GPU what holds there, in nine minutes; writes docs/gpu.md
	$(VENV)/bin/python benchmarks/gpu.py $(ARGS)

quality: $(VENV)/.installed-dev ## Verify on a GPU what is too long for a processor: ARGS="--list" estimates its hours
	$(VENV)/bin/python benchmarks/quality.py $(ARGS)

docs: $(VENV)/.installed-docs ## Build the documentation into site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

docs-serve: $(VENV)/.installed-docs ## Serve the documentation at http://127.0.0.1:8000 and rebuild it on changes
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs serve

wheel-check: ## Build sdist and wheel, install the wheel, run all commands with a new project
	PYTHON=$(PYTHON) .ci/wheel-check

image: ## Build the Docker image gan-lightning; ARGS="--build-arg TORCH_INDEX=..." for GPUs
	docker build --tag gan-lightning $(ARGS) .

clean: ## Delete caches and build outputs; runs and .venv stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage coverage.xml dist site
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
