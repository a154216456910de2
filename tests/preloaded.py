"""The modules that the server of forked processes imports once, for all its children."""

import gc

gc.disable()  # until a forked process runs; collections would take a third of the imports' time

import pytest  # noqa: E402, F401 - imported for the forked processes
import wandb  # noqa: E402, F401

import gan_lightning.cli.train  # noqa: E402
import gan_lightning.testing.processes  # noqa: E402 - has the server, too
import gan_lightning.training.train  # noqa: E402, F401
