"""A sweep of W&B's: its config, and agents that run it here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.dashboard.server import logged_in
from gan_lightning.sweeps.space import Parameter, Sweep

__all__ = ["create", "run_agents", "sweep_config"]

GOALS = {"maximise": "maximize", "minimise": "minimize"}


def sweep_config(
    sweep: Sweep, experiment: str, overrides: Sequence[str], seed: int, runs: Path
) -> dict[str, Any]:
    """Write a sweep as W&B's.

    Args:
        sweep: what is searched.
        experiment: name, or path of a YAML, as `train` takes it.
        overrides: `key=value` that all runs share.
        seed: of each run, unless the space has seeds.
        runs: folder in which each sweep has one of its own.
    """
    command = ["${env}", "${interpreter}", "-m", "gan_lightning", "train", experiment]
    command += ["--runs", str(runs / "${envvar:WANDB_SWEEP_ID}")]
    command += [f"seed={seed}"] * ("seed" not in sweep.keys)
    config: dict[str, Any] = {
        "name": Path(experiment).stem,
        "program": "gan_lightning",
        "method": sweep.method,
        "metric": {"name": sweep.metric, "goal": GOALS[sweep.goal]},
        "parameters": {parameter.key: _distribution(parameter) for parameter in sweep.space},
        "command": [*command, *overrides, "${args_no_hyphens}"],
    }
    if sweep.count is not None:
        config["run_cap"] = sweep.count
    return config


def _distribution(parameter: Parameter) -> dict[str, Any]:
    if parameter.values:
        return {"values": list(parameter.values)}
    ends: dict[str, Any] = {"min": parameter.low, "max": parameter.high}
    if parameter.log and parameter.whole:
        return {**ends, "distribution": "q_log_uniform_values", "q": 1}
    if parameter.log:
        return {**ends, "distribution": "log_uniform_values"}
    return {**ends, "distribution": "int_uniform" if parameter.whole else "uniform"}


def create(config: dict[str, Any], entity: str | None, project: str) -> str:
    """Make a sweep at W&B, which prints its address.

    Returns:
        ENTITY/PROJECT/ID, as `wandb agent` takes it.

    Raises:
        UserError: there is no login, or the server refuses it.
    """
    with logged_in(entity, project) as (_, owner):
        import wandb

        return f"{owner}/{project}/{wandb.sweep(config, entity=owner, project=project)}"


def run_agents(sweep: str, agents: int, logs: Path) -> int:
    """Start agents as processes and wait until the sweep has no more runs for them.

    A signal goes on to the agents, which let their runs save.

    Args:
        sweep: ENTITY/PROJECT/ID.
        agents: how many, side by side.
        logs: folder for what each says besides its runs' reports.

    Returns:
        Number of the signal that ended them, or 0.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    words = [sys.executable, "-m", "wandb", "agent", "--forward-signals", sweep]
    environment = {**os.environ, "PATH": path}
    logs.mkdir(parents=True, exist_ok=True)
    started = []
    for number in range(1, agents + 1):
        with (logs / f"agent_{number}.log").open("a") as log:
            started.append(
                subprocess.Popen(words, env=environment, stderr=log, start_new_session=True)
            )
    received = 0
    for agent in started:
        while agent.poll() is None:
            try:
                agent.wait()
            except KeyboardInterrupt as stopped:
                received = stopped.args[0] if stopped.args else signal.SIGINT
                for other in started:
                    other.send_signal(signal.SIGINT)  # at others an idle agent just dies
    return received
