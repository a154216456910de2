"""Run the sweep of an experiment, locally or by W&B agents, and rank its trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.schema import DEFAULT_PROJECT, RunConfig
from gan_lightning.config.wandb_mode import wandb_mode, with_variables
from gan_lightning.errors import UserError
from gan_lightning.sweeps import agents
from gan_lightning.sweeps.local import LocalSweep
from gan_lightning.sweeps.space import Sweep, read_sweep
from gan_lightning.sweeps.trials import Trial, ranking, read_trials
from gan_lightning.utils.optional import require

__all__ = ["SweepOptions", "sweep"]


@dataclass(frozen=True)
class SweepOptions:
    """Arguments of `gan-lightning sweep`.

    Attributes:
        experiment: name, or path of a YAML file, with a `sweep:` block.
        overrides: `key=value` that all runs share.
        count: largest number of runs; None for the block's.
        agents: W&B agents that run at the same time.
        seed: seed of the search and of every run.
        entity: W&B user or team; None for the experiment's, or the login's default.
        project: W&B project; None for the experiment's.
        local: run the sweep on this machine even with a W&B login.
        runs: folder of the sweep's runs.
    """

    experiment: str
    overrides: Sequence[str]
    count: int | None
    agents: int
    seed: int
    entity: str | None
    project: str | None
    local: bool
    runs: Path


def sweep(options: SweepOptions, echo: Callable[[str], None]) -> int:
    """Run a sweep and print its trials, the best first.

    Args:
        options: what to search.
        echo: prints a line for the user.

    Returns:
        Exit code: 0, or 1 where no trial has a metric, or 128 + signal where a signal ended it.

    Raises:
        UserError: an option or the `sweep:` block is invalid; nothing has been trained.
    """
    path = experiment_path(options.experiment)
    source = read_yaml(path)
    if any(override.partition("=")[0] == "seed" for override in options.overrides):
        raise UserError("sweep has no override seed; set the seed of its runs by --seed")
    block = read_sweep(source, options.overrides, options.count)
    config = load_config(source, options.overrides)
    local = options.local or wandb_mode(config.log) != "online"
    if local:
        require("sweep")
        if config.trainer.devices * config.trainer.nodes > 1:
            raise UserError("a local sweep trains on one device; leave out trainer.devices")
    echo(
        f"{path.stem}: {block.goal} {block.metric}, seed {options.seed}; claims are verified on "
        f"other seeds, so that no result is reported on the seed that it was tuned on"
    )
    if local:
        trials, received, continuation = _run_local(options, block, source, path.stem, echo)
    else:
        trials, received, continuation = _run_agents(options, block, config, echo)
    if received and not trials:
        return 128 + received
    echo(ranking(trials, block, options.experiment, options.seed))
    if received:
        echo(f"stopped; {continuation} continues")
        return 128 + received
    return int(all(trial.metric is None for trial in trials))


def _run_local(
    options: SweepOptions,
    block: Sweep,
    source: dict[str, Any],
    experiment: str,
    echo: Callable[[str], None],
) -> tuple[list[Trial], int, str]:
    """Run the trials here; return them, the signal that ended them or 0, and how to continue."""
    local = LocalSweep(
        block, source, options.overrides, experiment, options.seed, options.runs, echo
    )
    return *local.run(), "the same command"


def _run_agents(
    options: SweepOptions, block: Sweep, config: RunConfig, echo: Callable[[str], None]
) -> tuple[list[Trial], int, str]:
    """Run the trials by W&B agents; return the same as `_run_local`."""
    content = agents.sweep_config(
        block, options.experiment, options.overrides, options.seed, options.runs
    )
    log = with_variables(config.log)
    entity = options.entity or log.entity
    project = options.project or log.project or DEFAULT_PROJECT
    address = agents.create_sweep(content, entity, project)
    folder = options.runs / address.rpartition("/")[2]
    echo(f"runs and logs of the agents: {folder}")
    received = agents.run_agents(address, options.agents, folder)
    return read_trials(folder, block), received, f"`wandb agent {address}`"
