"""Measure the game in training: gradients, steps, spectrum, path angle, duality gap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import ImageCallback, save_picture
from gan_lightning.callbacks.game_figures import SpectrumRecord, draw_game
from gan_lightning.config.schema import GameConfig
from gan_lightning.core.module import BaseModule, as_tensors, on_device_with_float64
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.game import (
    GradientField,
    PathAngle,
    discriminator_auc,
    draw_inputs,
    duality_gap,
    eigenvalues,
    field_minibatch,
    held_out_minibatch,
    initial_point,
    path_angle,
    probe,
    successive_steps,
    summarise_spectrum,
)
from gan_lightning.gans import GAN
from gan_lightning.types import Sample

__all__ = ["GameMeasures"]

RANKED_SAMPLES = 256
"""Training data, test data and generated samples that the discriminator ranks."""


class GameMeasures(ImageCallback):
    """Measure the game of a GAN at regular intervals, without any effect on training.

    All measures are those of the present weights on fixed minibatches of training and test data, so
    that a resumed run measures the same. Gradients and what follows from them are in float64. With
    several processes each computes all measures.

    Args:
        folder: folder of the PNG files.
        data: data module of the run.
        config: interval, measures, minibatch, eigenvalues.

    Attributes:
        spectra: eigenvalues of every measurement; kept in checkpoints.
    """

    def __init__(self, folder: Path, data: BaseDataModule, config: GameConfig) -> None:
        super().__init__(folder, config.every_n_updates)
        self.data = data
        self.config = config
        self.spectra: list[SpectrumRecord] = []

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Measure, log, and draw."""
        if not isinstance(model, GAN):
            return
        with on_device_with_float64(model):
            measures, path = self._measure(model)
        measures = trainer.strategy.broadcast(measures)
        for logger in trainer.loggers:
            logger.log_metrics(measures, step=model.updates)
        trainer.callback_metrics.update(as_tensors(measures))
        if trainer.is_global_zero and (self.spectra or path is not None):
            save_picture(trainer, model, self.folder, "game", draw_game(self.spectra, path))

    def _measure(self, gan: GAN) -> tuple[dict[str, float], PathAngle | None]:
        """Return the measures by name, and the field along the path from the initial weights."""
        chosen, config = self.config.measures, self.config
        seed = derived_seed(gan.seed, "game")
        real = field_minibatch(self.data, config.samples, seed, gan.device)
        measures: dict[str, float] = {}
        path = None
        if "accuracy" in chosen:
            measures |= self._accuracies(gan, seed)
        if "duality_gap" in chosen:
            held_out = held_out_minibatch(self.data, config.samples, seed, gan.device)
            measures |= duality_gap(gan, real, held_out, config.search_steps)
        if not {"gradients", "spectrum", "path_angle"} & {*chosen}:
            return measures, None
        with probe(gan, torch.float64):
            field = GradientField(gan, real, seed)
            if "gradients" in chosen:
                measures |= successive_steps(gan, field)
            if "spectrum" in chosen:
                values = eigenvalues(field, config.eigenvalues)
                measures |= summarise_spectrum(values)
                parts = torch.tensor([[value.real, value.imag] for value in values.tolist()])
                self.spectra.append((gan.updates, parts.view(-1, 2)))
            if "path_angle" in chosen:
                path = path_angle(field, initial_point(gan).to(field.start))
                measures["game/path_cosine"] = float(path.cosines[path.positions.searchsorted(1)])
        return measures, path

    def _accuracies(self, gan: GAN, seed: int) -> dict[str, float]:
        """Return how well the discriminator ranks training and test data above samples."""
        real = field_minibatch(self.data, RANKED_SAMPLES, seed, gan.device)
        held_out = held_out_minibatch(self.data, RANKED_SAMPLES, seed, gan.device)
        assert isinstance(gan.dtype, torch.dtype)
        with probe(gan, gan.dtype), torch.no_grad():
            condition = draw_inputs(gan, held_out, seed)
            fake = Sample(gan.generate(condition), condition)
            return {
                "game/discriminator_auc/training": discriminator_auc(gan, real, fake),
                "game/discriminator_auc/held_out": discriminator_auc(gan, held_out, fake),
            }

    def state_dict(self) -> dict[str, Any]:
        """Return the state that checkpoints keep."""
        return {**super().state_dict(), "spectra": self.spectra}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        super().load_state_dict(state_dict)
        self.spectra = [(int(update), values) for update, values in state_dict["spectra"]]
