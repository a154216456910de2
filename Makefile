# `make help` lists the targets. Each target that needs the environment makes it first.

PYTHON ?= python3
VENV   ?= .venv
EXP    ?= infogan_mnist
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help install train verify results doctor test soak lint types benchmark image clean

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

benchmark: $(VENV)/.installed-dev ## Time a training step against a bare and a textbook loop
	$(VENV)/bin/python benchmarks/step.py $(ARGS)

image: ## Build the Docker image gan-lightning; ARGS="--build-arg TORCH_INDEX=..." for GPUs
	docker build --tag gan-lightning $(ARGS) .

clean: ## Remove caches; runs and .venv stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
