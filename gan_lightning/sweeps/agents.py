"""W&B sweeps: their config, and agents that run them on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.dashboard.server import wandb_api
from gan_lightning.sweeps.space import Parameter, Sweep

__all__ = ["create_sweep", "run_agents", "sweep_config"]


def sweep_config(
    sweep: Sweep, experiment: str, overrides: Sequence[str], seed: int, runs: Path
) -> dict[str, Any]:
    """Convert a sweep to the format of W&B.

    Args:
        sweep: the space, the metric and its goal.
        experiment: name, or path of a YAML file.
        overrides: `key=value` that all runs share.
        seed: seed of every run, unless the space has seeds.
        runs: folder in which each sweep has its own folder.
    """
    command = ["${env}", "${interpreter}", "-m", "gan_lightning", "train", experiment]
    command += ["--runs", str(runs / "${envvar:WANDB_SWEEP_ID}")]
    command += [f"seed={seed}"] * ("seed" not in sweep.keys)
    config: dict[str, Any] = {
        "name": Path(experiment).stem,
        "program": "gan_lightning",
        "method": sweep.method,
        "metric": {"name": sweep.metric, "goal": sweep.direction},
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
    if parameter.log and parameter.is_integer:
        return {**ends, "distribution": "q_log_uniform_values", "q": 1}
    if parameter.log:
        return {**ends, "distribution": "log_uniform_values"}
    return {**ends, "distribution": "int_uniform" if parameter.is_integer else "uniform"}


def create_sweep(config: dict[str, Any], entity: str | None, project: str) -> str:
    """Create a sweep at W&B; its client prints the address.

    Returns:
        ENTITY/PROJECT/ID, the argument of `wandb agent`.

    Raises:
        UserError: there is no login, or the server refuses it.
    """
    with wandb_api(entity, project) as (_, owner):
        import wandb

        return f"{owner}/{project}/{wandb.sweep(config, entity=owner, project=project)}"


def run_agents(sweep: str, agents: int, logs: Path) -> int:
    """Start agents as processes, and wait until the sweep has no more runs for them.

    A signal is forwarded to the agents, whose runs save a checkpoint before they end.

    Args:
        sweep: ENTITY/PROJECT/ID.
        agents: number of agents that run at the same time.
        logs: folder of the agents' log files.

    Returns:
        Number of the signal that ended the agents, or 0.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "wandb", "agent", "--forward-signals", sweep]
    environment = {**os.environ, "PATH": path}
    logs.mkdir(parents=True, exist_ok=True)
    processes = []
    for number in range(1, agents + 1):
        with (logs / f"agent_{number}.log").open("a") as log:
            processes.append(
                subprocess.Popen(command, env=environment, stderr=log, start_new_session=True)
            )
    received = 0
    for process in processes:
        while process.poll() is None:
            try:
                process.wait()
            except KeyboardInterrupt as interruption:
                received = interruption.args[0] if interruption.args else signal.SIGINT
                for other in processes:
                    # an idle agent ends cleanly at SIGINT only
                    other.send_signal(signal.SIGINT)
    return received
