"""A run directory for a GAN that was trained without one, for example by a plain Trainer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from gan_lightning.config.load import load_config, to_yaml
from gan_lightning.config.registry import class_name
from gan_lightning.config.titles import method_title
from gan_lightning.data.adapter import GivenData
from gan_lightning.data.base import to_uint8_nhwc
from gan_lightning.data.described import MAX_SOURCES, data_of_spec, write_description
from gan_lightning.data.map_style_config import MapStyleConfig
from gan_lightning.gans import GAN
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.environment import describe_environment
from gan_lightning.runs.state import RunOutcome, write_outcome
from gan_lightning.utils.files import atomic_write

__all__ = ["write_model_run"]


def write_model_run(gan: GAN, folder: Path) -> RunDirectory:
    """Write the generator of a GAN into a run directory that has no checkpoint.

    Args:
        gan: the model.
        folder: of the run, which must exist and be empty.

    Raises:
        UserError: the class of the GAN or of its networks cannot be imported by a name.
        OSError: the folder cannot be written.
    """
    content = {
        "model": {**gan.hparams["config"], "name": class_name("model", type(gan))},
        "network": gan.hparams["networks"],
        "data": {**asdict(MapStyleConfig()), "name": class_name("data", GivenData)},
        "seed": gan.seed,
    }
    config = load_config(content)
    config.title = method_title({"model": config.model, "network": config.network})
    run = RunDirectory(folder)
    atomic_write(run.config_file, to_yaml(config))
    atomic_write(run.environment_file, json.dumps(describe_environment()) + "\n")
    write_outcome(folder, RunOutcome(gan.updates))
    sources = None if gan.examples is None else to_uint8_nhwc(gan.examples[:MAX_SOURCES])
    write_description(run.data_file, data_of_spec(config.data, gan.data, sources))
    weights = gan.inference_network().state_dict()
    save_file({name: value.contiguous() for name, value in weights.items()}, run.generator_file)
    return run
