"""Time spent outside of training: start-up of a command, evaluation, Fréchet distance."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from timing import TimedLoop, spread, time_interleaved

__all__ = ["HEADER", "evaluation", "frechet", "row", "startup"]

COMMAND = [sys.executable, "-m", "gan_lightning"]
FEATURES = 2048

HEADER = ("quantity", "measured", "target")


def startup(repeats: int) -> list[dict[str, Any]]:
    """Time `--help`, and `train` up to its first update relative to importing its libraries."""
    help_seconds, ratios = [], []
    for _ in range(repeats):
        help_seconds.append(_time_command([*COMMAND, "--help"]))
        imports = _time_command([sys.executable, "-c", "import torch, pytorch_lightning"])
        with TemporaryDirectory() as root:
            ratios.append(_time_first_update(Path(root, "run")) / imports)
    return [
        _result("`gan-lightning --help`, s", help_seconds, "under 0.3", 2),
        _result(
            "`train infogan_mnist` to its first update / `import torch, pytorch_lightning`",
            ratios,
            "under 1.3",
            2,
        ),
    ]


def _time_command(command: list[str]) -> float:
    """Return the seconds that a command takes."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def _time_first_update(run_directory: Path) -> float:
    """Return the seconds from the start of `train` to the end of its first update."""
    script = Path(__file__).with_name("first_update.py")
    return _time_command(
        [sys.executable, str(script), "train", "infogan_mnist", "--output", str(run_directory)]
    )


def frechet(repeats: int) -> list[dict[str, Any]]:
    """Time the Fréchet distance of 2,048 features: this package and torchmetrics in turn."""
    import torch
    from torchmetrics.image.fid import _compute_fid

    from gan_lightning.metrics.frechet import frechet_distance

    rng = torch.Generator().manual_seed(0)
    mixing = torch.randn(FEATURES, FEATURES, generator=rng, dtype=torch.float64) / FEATURES**0.5
    moments = []
    for shift in (0.0, 0.1):
        features = (
            torch.randn(10_000, FEATURES, generator=rng, dtype=torch.float64) @ mixing + shift
        )
        moments += [features.mean(0), features.T.cov()]
    implementations = (frechet_distance, _compute_fid)
    for distance in implementations:  # warm up, so that one-time costs are not measured
        distance(*moments)
    ratios, difference = [], 0.0
    for _ in range(repeats):
        times, values = [], []
        for distance in implementations:
            begin = time.perf_counter()
            values.append(float(distance(*moments)))
            times.append(time.perf_counter() - begin)
        ratios.append(times[1] / times[0])
        difference = max(difference, abs(values[0] - values[1]) / values[1])
    return [
        _result(
            f"Fréchet distance of {FEATURES:,} features: torchmetrics / this package",
            ratios,
            ">= 3",
            1,
        ),
        {
            "quantity": "relative difference of the two Fréchet distances",
            "target": "<= 1e-4",
            "measured": f"{difference:.1e}",
        },
    ]


def evaluation(overrides: list[str], repeats: int) -> list[dict[str, Any]]:
    """Time the evaluations of a complete run of infogan_mnist relative to its updates."""
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config
    from gan_lightning.core.fast_paths import set_up_process
    from gan_lightning.evaluation import evaluate
    from gan_lightning.training.build import build

    name = "infogan_mnist"
    timing = time_interleaved(
        {"trainer": TimedLoop("trainer", name, tuple(overrides))}, 20, 20, repeats
    )
    set_up_process()
    config = load_config(read_yaml(experiment_path(name)), overrides)
    model, data = build(config)
    updates, every = config.trainer.max_updates, config.evaluation.every_n_updates
    count = -(-updates // every) if every else 1
    seconds = []
    for _ in range(count):  # the first evaluation also computes what the others find cached
        begin = time.perf_counter()
        evaluate(model, data, config.evaluation.samples)
        seconds.append(time.perf_counter() - begin)
    times = f"{median(seconds):.2f} s each, {seconds[0]:.2f} s the first"
    percent = 100 * sum(seconds) / (updates * timing.median("trainer") / 1000)
    return [
        {
            "quantity": f"evaluating {config.evaluation.samples:,} samples {count} times in "
            f"{updates:,} updates of {name}, % of the time of the updates",
            "measured": f"{percent:.2f} ({times})",
            "target": "under 2",
        }
    ]


def _result(quantity: str, values: list[float], target: str, digits: int) -> dict[str, Any]:
    summary = asdict(spread(values))
    middle, low, high = (f"{summary[key]:.{digits}f}" for key in ("median", "min", "max"))
    return {"quantity": quantity, "measured": f"{middle} ({low} to {high})", "target": target}


def row(measured: dict[str, Any]) -> tuple[str, ...]:
    """Format a row of the table."""
    return measured["quantity"], measured["measured"], measured["target"]
