"""The files that make an exported generator a saved model, a folder that loads as a run does."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile

import torch

from gan_lightning.config.load import to_yaml
from gan_lightning.core.packed_weights import pack, unpack
from gan_lightning.data import BaseDataModule
from gan_lightning.data.described import write_description
from gan_lightning.export.card import Exported, measured
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.export.remeasure import INTERVALS
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import RunOutcome, read_outcome, write_outcome

__all__ = ["SAVED_MODEL", "round_weights", "write_saved_model"]

PUBLIC = ("python", "machine", "packages", "git_revision", "data")
"""Entries of environment.json that are kept; the others name folders of whoever trained."""

SAVED_MODEL = (
    "config.yaml",
    "environment.json",
    "outcome.json",
    INTERVALS,
    "data.safetensors",
)
"""Files of a saved model beside generator.safetensors, the card and the picture."""

ROUNDING_SAMPLES = 64


def write_saved_model(exported: Exported, data: BaseDataModule, folder: Path) -> None:
    """Write the config, the origin, the metrics and a description of the data beside a generator.

    Args:
        exported: the generator.
        data: its data.
        folder: the folder of the exported file.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    source, target = exported.run, RunDirectory(folder)
    target.config_file.write_text(to_yaml(exported.config), encoding="utf-8")
    environment = source.environment()
    kept = {name: environment[name] for name in PUBLIC if name in environment}
    kept["classes"] = {
        section: {**entry, "folder": None, "file": None}
        for section, entry in environment.get("classes", {}).items()
    }
    target.environment_file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    write_measures(exported, folder)
    if source.data_file.is_file():
        copyfile(source.data_file, target.data_file)
    else:
        write_description(target.data_file, data)


def write_measures(exported: Exported, folder: Path) -> None:
    """Write the metrics of the exported weights into outcome.json; none where they have none."""
    evaluation = measured(exported)
    is_current = evaluation.updates == exported.updates and evaluation.measures
    measures = evaluation.measures if is_current else None
    if exported.remeasured is not None:
        measures = exported.remeasured.measures
    seconds = read_outcome(exported.run.path).seconds
    write_outcome(folder, RunOutcome(exported.updates, seconds, measures))


@torch.no_grad()
def round_weights(function: GeneratorFunction, precision: str) -> float:
    """Round the weights of a generator as a file in a precision has them.

    Args:
        function: the generator; it is modified.
        precision: one of `PRECISIONS`.

    Returns:
        The root mean square of the change of 64 samples.
    """
    inputs = function.sample_inputs(ROUNDING_SAMPLES, seed=0)
    before = function(**inputs)
    rounded = unpack(pack(function.generator.state_dict(), precision))
    function.generator.load_state_dict(rounded)
    return float((function(**inputs) - before).square().mean().sqrt())
