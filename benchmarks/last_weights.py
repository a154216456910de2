"""Evaluate runs with the weights of their last update beside the running average of weights.

    .venv/bin/python benchmarks/last_weights.py runs/gan_r1_stacked_mnist/<time>

prints the metrics of both. It tells whether the average hides that a training diverges.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gan_lightning.errors import UserError
from gan_lightning.evaluation import evaluate
from gan_lightning.gans import GAN
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model
from gan_lightning.utils.tables import markdown_table

__all__ = ["main"]


def main() -> None:
    """Print a table for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run directories of a GAN")
    for folder in parser.parse_args().runs:
        model, data, config = load_model(RunDirectory(folder))
        if not isinstance(model, GAN) or model.ema is None:
            raise UserError(f"{folder} has no running average of a generator's weights")
        samples = config.evaluation.samples
        average = evaluate(model, data, samples)
        model.ema = None
        last = evaluate(model, data, samples)
        rows = [(name, f"{average[name]:.4g}", f"{last[name]:.4g}") for name in average]
        print(folder)
        print(markdown_table([("metric", "average", "last weights"), *rows]))


if __name__ == "__main__":
    main()
