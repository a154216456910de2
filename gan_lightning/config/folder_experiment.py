"""The experiment that a folder of images makes: any GAN, or another experiment's, on own data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_lightning.config.experiments import experiment_names, experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.config.registry import find_class, valid_names
from gan_lightning.config.titles import method_title, run_name
from gan_lightning.errors import UserError, nearest_first
from gan_lightning.store import FolderImages, Manifest
from gan_lightning.utils.import_path import is_import_path
from gan_lightning.utils.names import printable

__all__ = [
    "PRESETS",
    "SIZES",
    "adapt_to_images",
    "check_size",
    "folder_experiment",
    "folder_run_name",
]

SIZES = range(16, 257, 4)
"""Heights and widths of images that the networks of all presets support."""

AUGMENTATION = ["colour", "translation", "cutout"]
FEW_IMAGES = 10_000
"""Below this number of training images the discriminator sees augmented images by default."""

Section = Mapping[str, Any]


@dataclass(frozen=True)
class Preset:
    """Model and networks of a GAN, with defaults for photographs and drawings of any kind.

    Args:
        model: section `model` of the config.
        network: section `network`.
        augment: whether a few images are augmented.
    """

    model: Section
    network: Section
    augment: bool = False


RATES: Section = {
    "discriminator_optimizer": {"learning_rate": 2e-4, "betas": [0.5, 0.999]},
    "generator_optimizer": {"learning_rate": 2e-4, "betas": [0.5, 0.999]},
}
STABLE: Section = {"objective": "hinge", "ema_decay": 0.999, **RATES}
STABLE_DCGAN: Section = {"name": "dcgan", "spectral_norm": True, "discriminator_norm": "none"}
"""As in dcgan_celeba: the plain DCGAN of 2016 often collapses in long runs."""

PRESETS: dict[str, Preset] = {
    "dcgan": Preset({"name": "gan", **STABLE}, STABLE_DCGAN, augment=True),
    "gan": Preset({"name": "gan", **STABLE}, STABLE_DCGAN, augment=True),
    "cgan": Preset({"name": "cgan", **STABLE}, STABLE_DCGAN, augment=True),
    "acgan": Preset({"name": "acgan", **RATES, "ema_decay": 0.999}, {"name": "dcgan"}),
    "wgan": Preset({"name": "wgan", "latent_prior": "normal"}, {"name": "dcgan"}),
    "wgan_gp": Preset(
        {"name": "wgan_gp", "latent_size": 128, "latent_prior": "normal"},
        {"name": "dcgan", "discriminator_norm": "layer"},
    ),
    "infogan": Preset(
        {
            "name": "infogan",
            "latent_size": 128,
            "categorical_codes": [10],
            "continuous_codes": 2,
            "discriminator_optimizer": {"learning_rate": 2e-4},
            "generator_optimizer": {"learning_rate": 1e-3},
        },
        {"name": "dcgan"},
    ),
    "ebgan": Preset(
        # energies grow with the root of the number of pixels: 10 on MNIST
        {"name": "ebgan", "latent_prior": "normal", "margin": 40.0, **RATES},
        {"name": "dcgan"},
    ),
    "semi_supervised": Preset(
        {"name": "semi_supervised"}, {"name": "dcgan", "discriminator_norm": "none"}
    ),
}
"""Name -> defaults; other GANs have their own defaults, and DCGAN's networks."""

SCHEDULE: Section = {
    "trainer": {"max_updates": 20_000},
    "evaluation": {"every_n_updates": 5_000, "samples": 5_000},
    "pictures": {"every_n_updates": 500},
    "checkpoints": {"every_n_updates": 500},
}
"""Budget and intervals of a GAN on own images."""

KEPT_SECTIONS = ("seed", "model", "network", "trainer", "evaluation", "pictures", "checkpoints")
"""Sections of an experiment that stay when it is trained on own images."""


def check_size(size: int) -> None:
    """Check the height and width of images.

    Raises:
        UserError: it is no multiple of 4 from 16 to 256; the message names the nearest that is.
    """
    if size not in SIZES:
        nearest = min(SIZES, key=lambda valid: abs(valid - size))
        raise UserError(
            f"--size is {size}; it must be a multiple of {SIZES.step} from {SIZES[0]} to "
            f"{SIZES[-1]}; the nearest is {nearest}"
        )


def folder_run_name(name: str, root: Path) -> str:
    """Return the name of the runs of a GAN on a folder, for example `dcgan-my_photos`."""
    return run_name(Path(name).stem if name.endswith((".yaml", ".yml")) else name, _title(root))


def folder_experiment(
    name: str, images: FolderImages, channels: str = "auto", overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the content of an experiment's YAML file for a GAN on a folder of images.

    Title and claims are the folder's own.

    Args:
        name: a key of `PRESETS`, another GAN, or an experiment, whose model, networks and budget
            are taken.
        images: the folder.
        channels: `auto`, `1` or `3`.
        overrides: `key=value`, which are checked, and stay with the caller.

    Raises:
        UserError: the name is unknown, or an override is not valid.
    """
    source, batch_size = _base(name)
    source["data"] = {
        "name": "folder",
        "root": str(images.root),
        "store": "" if images.store is None else str(images.store),
        "size": images.size,
        "fit": images.fit,
        "channels": channels,
        "labels": "" if images.labels is None else str(images.labels),
        **({} if batch_size is None else {"batch_size": batch_size}),
    }
    source["title"] = f"{method_title(source)} on {_title(images.root)}"
    load_config(source, overrides)
    return source


def adapt_to_images(
    source: dict[str, Any], name: str, manifest: Manifest, overrides: Sequence[str]
) -> list[str]:
    """Adapt an experiment of `folder_experiment` to the number and the colours of the images.

    A minibatch is reduced to the number of training images, and few images are augmented. An
    override of the same key has precedence.

    Args:
        source: the experiment; it is changed.
        name: what the experiment was made of.
        manifest: manifest of the store.
        overrides: `key=value`.

    Returns:
        Lines that say what was adapted.
    """
    # stores of earlier versions do not say it; they hold out every 50th image
    training = manifest.parts[0] if manifest.parts else manifest.images * 49 // 50
    lines = []
    source["data"]["fingerprint"] = manifest.fingerprint
    if source["data"]["channels"] == "auto":  # later images must not change the model of a run
        source["data"]["channels"] = "1" if manifest.grey == manifest.images else "3"
    if name in PRESETS and PRESETS[name].augment and training < FEW_IMAGES:
        source["model"]["regularisation"] = {"augmentation": AUGMENTATION}
        if not _overridden("model.regularisation.augmentation", overrides):
            lines.append(
                f"the discriminator sees augmented images, since there are fewer than "
                f"{FEW_IMAGES:,} (model.regularisation.augmentation=[] switches this off)"
            )
    config = load_config(source, overrides)
    wanted, unit = config.data.batch_size, config.trainer.devices * config.trainer.nodes
    size = unit * config.network.packing
    if wanted > training >= size and not _overridden("data.batch_size", overrides):
        while 2 * size <= training:
            size *= 2
        source["data"]["batch_size"] = size
        lines.append(f"minibatches have {size} images, not {wanted}: {training} are for training")
    return lines


def _overridden(key: str, overrides: Sequence[str]) -> bool:
    return any(word.startswith(f"{key}=") for word in overrides)


def _base(name: str) -> tuple[dict[str, Any], int | None]:
    """Return model, networks and budget that a name stands for, and the size of its minibatches."""
    if name in experiment_names() or name.endswith((".yaml", ".yml")):
        content = read_yaml(experiment_path(name))
        data = content.get("data")
        batch_size = data.get("batch_size") if isinstance(data, dict) else None
        return {key: content[key] for key in KEPT_SECTIONS if key in content}, batch_size
    if name not in PRESETS:
        _check_gan(name)
    preset = PRESETS.get(name, Preset({"name": name}, {"name": "dcgan"}))
    source = {"model": preset.model, "network": preset.network, **SCHEDULE}
    return deepcopy(source), None


def _check_gan(name: str) -> None:
    try:
        find_class("model", name)
    except UserError:
        if is_import_path(name):
            raise
        valid = nearest_first(name, {*PRESETS, *valid_names("model")})
        raise UserError(
            f"{name!r} is no GAN and no experiment; valid with --images are {valid}, the import "
            f"path of your own GAN, an experiment of `gan-lightning list`, or a .yaml file"
        ) from None


def _title(root: Path) -> str:
    return printable(root.resolve().name) or "images"
