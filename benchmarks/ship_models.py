"""Choose the models that the package ships, measure them, and write them into its assets.

`python benchmarks/ship_models.py --runs DIR [--only NAME ...] [--check]`

Of each experiment of `SHIPPED`, the finished run with the best metric is exported with 8-bit
weights and evaluated five times; the metrics in its card are those of the file. Only runs of
committed code are taken. `--check` evaluates the shipped models again, and exits with 1 where a
metric differs from that in the file by more than 1e-3 of itself, or lies outside its interval.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from gan_lightning.assets.loader import MODELS
from gan_lightning.callbacks.checkpoints import QUALITY
from gan_lightning.errors import UserError
from gan_lightning.export import export_run
from gan_lightning.export.remeasure import read_intervals
from gan_lightning.inference.evaluate import evaluate_run
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.models import shipped_models
from gan_lightning.runs.state import read_outcome
from gan_lightning.utils.tables import markdown_table

__all__ = ["EVALUATIONS", "SHIPPED", "best_run", "differences", "main", "table"]

SHIPPED = (
    "gan_mnist",
    "minibatch_mnist",
    "acgan_mnist",
    "unrolled_ring",
    "wgan_mnist",
    "wgan_gp_mnist",
    "ebgan_mnist",
    "infogan_mnist",
    "cgan_mnist",
    "cogan_edges",
    "dcgan_mnist",
    "pix2pix_edges_mnist",
)
"""Experiments of the systems of the lecture, in its order."""

PAGE = Path(__file__).parents[1] / "docs" / "models.md"

EVALUATIONS = 5

TOLERANCE = 1e-3
"""Difference, relative to the metric and at least to 1, that another machine may make."""


def best_run(runs: Path, experiment: str) -> RunDirectory | None:
    """Return the finished run of an experiment with the best metric; None without one."""
    found = []
    for run in RunDirectory.all_in(runs / experiment):
        outcome, revision = read_outcome(run.path), str(run.environment().get("git_revision"))
        measures = outcome.measures or {}
        metric = next((name for name in QUALITY if name in measures), None)
        if metric is not None and not revision.endswith("-dirty"):
            found.append((QUALITY[metric] * measures[metric], str(run.path), run))
    return max(found)[2] if found else None


def ship(run: RunDirectory, experiment: str) -> None:
    """Write the generator of a run into the assets of the package."""
    rmtree(MODELS / experiment, ignore_errors=True)
    MODELS.mkdir(exist_ok=True)
    export_run(
        str(run.path),
        "safetensors",
        MODELS / experiment,
        precision="int8",
        evaluations=EVALUATIONS,
    )


def differences(model: RunDirectory) -> list[str]:
    """Evaluate a shipped model again, and describe each metric that is not as in its file."""
    stored, intervals = read_outcome(model.path).measures or {}, read_intervals(model.path)
    again = evaluate_run(str(model.path), None)
    found = []
    for name, value in stored.items():
        low, high = intervals.get(name, (value, value))
        margin = TOLERANCE * max(1.0, abs(value))
        if abs(again[name] - value) > margin or not low - margin <= again[name] <= high + margin:
            found.append(f"{name} is {again[name]:.6g}, and the file has {value:.6g}")
    return found


def table() -> str:
    """Return a Markdown table of the shipped models."""
    rows = [("model", "system", "updates, minutes", "file", "metric")]
    models = shipped_models()
    for name in (name for name in SHIPPED if name in models):
        run = models[name]
        outcome, size = read_outcome(run.path), run.generator_file.stat().st_size
        measures = outcome.measures or {}
        metric = next(metric for metric in QUALITY if metric in measures)
        low, high = read_intervals(run.path)[metric]
        title = run.config().title
        length = f"{outcome.updates:,}, {outcome.seconds / 60:.0f}"
        value = f"`{metric}` {measures[metric]:.3g} ({low:.3g} to {high:.3g})"
        rows.append((f"`{name}`", title, length, f"{size / 1e6:.1f} MB", value))
    return markdown_table(rows)


def write_table() -> None:
    """Write the table into the page of the documentation."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"(?<=<!-- models -->\n).*(?=<!-- /models -->)", text, flags=re.DOTALL)
    PAGE.write_text(f"{parts[0]}{table()}\n{parts[1]}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ship models, or check those that are shipped, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--only", nargs="+", default=SHIPPED, metavar="NAME")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    failed = False
    for experiment in options.only:
        try:
            if options.check:
                found = differences(shipped_models()[experiment])
                print(experiment, "; ".join(found) or "equal", sep=": ", flush=True)
                failed |= bool(found)
            elif (run := best_run(options.runs, experiment)) is not None:
                ship(run, experiment)
                print(f"{experiment}: {run.path}", flush=True)
        except (UserError, KeyError) as error:
            print(f"{experiment}: {error}", flush=True)
            failed = True
    write_table()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
