"""What is not training: the start of a command, an evaluation, a Fréchet distance."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from timing import Contestant, interleaved, spread

__all__ = ["HEADER", "evaluation", "frechet", "row", "start"]

COMMAND = [sys.executable, "-m", "gan_lightning"]
FEATURES = 2048

HEADER = ("what", "measured", "wanted")


def start(repeats: int) -> list[dict[str, Any]]:
    """Time `--help`, and `train` to its first update beside two imports, in turn."""
    helps, ratios = [], []
    for _ in range(repeats):
        helps.append(_seconds([*COMMAND, "--help"]))
        imports = _seconds([sys.executable, "-c", "import torch, pytorch_lightning"])
        with TemporaryDirectory() as root:
            ratios.append(_first_update(Path(root, "run")) / imports)
    return [
        _result("`gan-lightning --help`, s", helps, "under 0.3", 2),
        _result("`train infogan_mnist` to its first update / two imports", ratios, "under 1.3", 2),
    ]


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def _first_update(folder: Path) -> float:
    """Return the seconds from the start of `train` to the end of its first update."""
    script = Path(__file__).with_name("first_update.py")
    return _seconds(
        [sys.executable, str(script), "train", "infogan_mnist", "--output", str(folder)]
    )


def frechet(repeats: int) -> list[dict[str, Any]]:
    """Time the Fréchet distance of 2,048 features, ours and torchmetrics', in turn."""
    import torch
    from torchmetrics.image.fid import _compute_fid

    from gan_lightning.metrics.frechet import frechet_distance

    rng = torch.Generator().manual_seed(0)
    mixing = torch.randn(FEATURES, FEATURES, generator=rng, dtype=torch.float64) / FEATURES**0.5
    sides = []
    for shift in (0.0, 0.1):
        features = (
            torch.randn(10_000, FEATURES, generator=rng, dtype=torch.float64) @ mixing + shift
        )
        sides += [features.mean(0), features.T.cov()]
    distances = (frechet_distance, _compute_fid)
    for distance in distances:  # so that neither pays for what is made once
        distance(*sides)
    ratios, difference = [], 0.0
    for _ in range(repeats):
        times, values = [], []
        for distance in distances:
            begin = time.perf_counter()
            values.append(float(distance(*sides)))
            times.append(time.perf_counter() - begin)
        ratios.append(times[1] / times[0])
        difference = max(difference, abs(values[0] - values[1]) / values[1])
    return [
        _result("Fréchet distance of 2,048 features: torchmetrics' time / ours", ratios, ">= 3", 1),
        {
            "what": "and the relative difference of the two",
            "wanted": "<= 1e-4",
            "measured": f"{difference:.1e}",
        },
    ]


def evaluation(overrides: list[str], repeats: int) -> list[dict[str, Any]]:
    """Time the evaluations of a whole run of infogan_mnist against its updates."""
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.evaluation import evaluate
    from gan_lightning.training.build import build
    from gan_lightning.utils.hardware import set_up_arithmetic

    name = "infogan_mnist"
    timing = interleaved(
        {"trainer": Contestant("trainer", name, tuple(overrides))}, 20, 20, repeats
    )
    set_up_arithmetic()
    config = load_config(read_yaml(experiment_path(name)), overrides)
    learner, data = build(config)
    steps, every = config.trainer.max_updates, config.evaluation.every_n_updates
    number = -(-steps // every) if every else 1
    seconds = []
    for _ in range(number):  # the first of them makes what the others find
        begin = time.perf_counter()
        evaluate(learner, data, config.evaluation.samples)
        seconds.append(time.perf_counter() - begin)
    share = 100 * sum(seconds) / (steps * timing.median("trainer") / 1000)
    return [
        {
            "what": f"{number} evaluations of {config.evaluation.samples:,} samples in "
            f"{steps:,} updates of {name}, % of the updates' time",
            "measured": f"{share:.2f} ({median(seconds):.2f} s each, {seconds[0]:.2f} s the first)",
            "wanted": "under 2",
        }
    ]


def _result(what: str, values: list[float], wanted: str, digits: int) -> dict[str, Any]:
    found = asdict(spread(values))
    numbers = [f"{found[key]:.{digits}f}" for key in ("middle", "least", "most")]
    return {
        "what": what,
        "measured": f"{numbers[0]} ({numbers[1]} to {numbers[2]})",
        "wanted": wanted,
    }


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Write a row of the table."""
    return measured["what"], measured["measured"], measured["wanted"]
