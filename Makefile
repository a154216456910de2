# `make help` lists the targets. Each target that needs the environment makes it first.

PYTHON ?= python3
VENV   ?= .venv
EXP    ?= infogan_mnist
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help install train verify results doctor test soak lint types benchmark docs docs-serve image clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# constraints.txt holds the versions that the tests ran with; pyproject.toml the lower bounds.
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

install: $(VENV)/.installed ## Make .venv and install the package into it

train: $(VENV)/.installed ## Train an experiment: make train EXP=infogan_mnist ARGS="--seed 1"
	@$(VENV)/bin/gan-lightning train $(EXP) $(ARGS)

verify: $(VENV)/.installed ## Hold claims against runs: make verify EXP=gan_ring ARGS="--seeds 0 1 2"
	@$(VENV)/bin/gan-lightning verify $(EXP) $(ARGS)

results: $(VENV)/.installed ## Make docs/results.md of docs/results/*.json
	@$(VENV)/bin/gan-lightning results $(ARGS)

doctor: $(VENV)/.installed ## Look at this machine: versions, devices, data, weights, W&B, disk
	@$(VENV)/bin/gan-lightning doctor $(ARGS)

test: $(VENV)/.installed-dev ## Run the tests
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest -n auto --dist worksteal $(ARGS)

lint: $(VENV)/.installed-dev ## Check style
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.installed-dev ## Check types
	$(VENV)/bin/mypy

soak: $(VENV)/.installed-dev ## Kill, signal and starve runs for an hour; writes docs/reliability.md
	OMP_NUM_THREADS=1 $(VENV)/bin/python tests/soak.py $(ARGS)

benchmark: $(VENV)/.installed-dev ## Time everything, write docs/performance.md: ARGS="--peer PyTorch-GAN"
	$(VENV)/bin/python benchmarks/performance.py $(ARGS)

docs: $(VENV)/.installed-docs ## Build the documentation's site into site/, without a warning
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

docs-serve: $(VENV)/.installed-docs ## Show it at http://127.0.0.1:8000 while it is being written
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs serve

image: ## Build the Docker image gan-lightning; ARGS="--build-arg TORCH_INDEX=..." for GPUs
	docker build --tag gan-lightning $(ARGS) .

clean: ## Remove caches; runs and .venv stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis dist site
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
