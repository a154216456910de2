"""Adversarial examples: digits, perturbations and the classifier's predictions."""

from __future__ import annotations

from pathlib import Path

import torch
from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import Array, ImageCallback, render_figure, save_picture
from gan_lightning.classifiers import Classifier
from gan_lightning.classifiers.attacks import AttackConfig, perturb
from gan_lightning.core.module import BaseModule, evaluation_mode
from gan_lightning.core.seeding import derived_seed
from gan_lightning.types import Batch

__all__ = ["AttackedDigits", "draw_attack"]

DIGITS = 10


class AttackedDigits(ImageCallback):
    """Draw test digits, their perturbations and the perturbed digits, for the first attack.

    Args:
        folder: folder of the PNG files.
        every_n_updates: updates between two pictures.
        test: test data; the first ten are attacked.
    """

    def __init__(self, folder: Path, every_n_updates: int, test: Batch) -> None:
        super().__init__(folder, every_n_updates)
        self.test = test

    def on_interval(self, trainer: Trainer, model: BaseModule) -> None:
        """Draw the picture."""
        if isinstance(model, Classifier) and model.attacks() and trainer.is_global_zero:
            picture = draw_attack(model, self.test, model.attacks()[0])
            save_picture(trainer, model, self.folder, "attacked", picture)


def draw_attack(model: Classifier, test: Batch, attack: AttackConfig) -> Array:
    """Draw rows of digits, perturbations and perturbed digits, with the predicted classes.

    A prediction has its probability; wrong predictions are red.

    Args:
        model: the classifier.
        test: images (N, 1, H, W) in [-1, 1] and labels; the first ten are attacked.
        attack: the attack.

    Returns:
        uint8 (H, W, 3).
    """
    from matplotlib.figure import Figure

    assert test.labels is not None
    images, labels = (side[:DIGITS].to(model.device) for side in (test.data, test.labels))
    seed = derived_seed(model.seed, "attack picture")
    rng = torch.Generator(model.device).manual_seed(seed)
    with evaluation_mode(model.network), torch.enable_grad():
        attacked = perturb(model.network, images, labels, attack, rng)
        predictions = [
            model.network(part).detach().softmax(1).max(1) for part in (images, attacked)
        ]
    rows = [images, (attacked - images) / 2, attacked]
    figure = Figure(figsize=(1.1 * len(images), 4.2), dpi=120, layout="constrained")
    axes = figure.subplots(3, len(images), squeeze=False)
    for row, pictures in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture[0].cpu(), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
            axis.set_axis_off()
    for row, prediction in zip((axes[0], axes[2]), predictions, strict=True):
        for axis, probability, predicted, label in zip(row, *prediction, labels, strict=True):
            colour = "black" if predicted == label else "#b00020"
            axis.set_title(f"{int(predicted)}, {probability:.0%}", fontsize=9, color=colour)
    title = f"digits, perturbations ({attack.name}, ε {attack.epsilon:g}), perturbed digits"
    figure.suptitle(title, fontsize=10)
    return render_figure(figure)
