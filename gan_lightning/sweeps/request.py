"""A sweep as a person asks for it: checked, run where it can be, ranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.wandb_mode import wandb_mode
from gan_lightning.errors import UserError
from gan_lightning.sweeps import agents
from gan_lightning.sweeps.local import run_here
from gan_lightning.sweeps.space import read_sweep
from gan_lightning.sweeps.trials import ranking, trials_in

__all__ = ["Request", "sweep"]


@dataclass(frozen=True)
class Request:
    """What `gan-lightning sweep` is asked.

    Args:
        experiment: name, or path of a YAML, with a `sweep:` block.
        overrides: `key=value` that all runs share.
        count: of runs, at most; None for what the block says.
        agents: of W&B, side by side.
        seed: of the draws and of every run.
        entity: of the sweep; None for the experiment's, or the login's.
        project: of the sweep; None for the experiment's.
        local: whether to stay here although there is a login.
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


def sweep(request: Request, say: Callable[[str], None]) -> int:
    """Search a space and print what came out, the best first.

    Returns:
        Exit code: 0, or 1 where nothing was measured, or 128 + signal where one ended it.

    Raises:
        UserError: before any run: nothing is written then.
    """
    path = experiment_path(request.experiment)
    source = read_yaml(path)
    if any(word.partition("=")[0] == "seed" for word in request.overrides):
        raise UserError("seed is for `train`; give the sweep's by --seed")
    found = read_sweep(source, request.overrides, request.count)
    config = load_config(source, request.overrides)
    say(
        f"{path.stem}: {found.goal} {found.metric}, seed {request.seed}; the seeds that claims are "
        f"reported on are left alone, so that no number is reported on what it was tuned on"
    )
    if wandb_mode(config.log) == "online" and not request.local:
        entity, project = request.entity or config.log.entity, request.project or config.log.project
        made = agents.create(
            agents.sweep_config(
                found, request.experiment, request.overrides, request.seed, request.runs
            ),
            entity,
            project,
        )
        folder = request.runs / made.rpartition("/")[2]
        say(f"runs and the agents' logs: {folder}")
        received = agents.run_agents(made, request.agents, folder)
        goes_on = f"`wandb agent {made}` goes on"
        trials = trials_in(folder, found)
    else:
        goes_on = "the same command goes on"
        if config.trainer.devices * config.trainer.nodes > 1:
            raise UserError("a sweep without a server trains on one device; leave trainer.devices")
        if found.method == "bayes":
            say("without a server bayes becomes random")
        trials, received = run_here(
            found,
            source,
            request.overrides,
            path.stem,
            request.seed,
            request.runs,
            say,
        )
    if received and not trials:
        return 128 + received
    say(ranking(trials, found, request.experiment, request.seed))
    if received:
        say(f"stopped; {goes_on}")
        return 128 + received
    return int(all(trial.metric is None for trial in trials))
