"""A picture of what an attack does to digits, and of what the classifier then says."""

from __future__ import annotations

from pathlib import Path

import torch
from pytorch_lightning import Trainer

from gan_lightning.callbacks.figures import Array, ImageCallback, render_figure, save_picture
from gan_lightning.classifiers import AdversarialClassifier
from gan_lightning.classifiers.attacks import AttackConfig, perturb
from gan_lightning.core.module import BaseModule, evaluation_mode
from gan_lightning.core.seeding import derived_seed
from gan_lightning.types import Batch

__all__ = ["AttackedDigits", "draw_attack"]

DIGITS = 10


class AttackedDigits(ImageCallback):
    """Draws test digits, their changes and what becomes of them, under the config's first attack.

    Args:
        folder: for the PNG files.
        every: updates between two pictures.
        test: data to attack the first of.
    """

    def __init__(self, folder: Path, every: int, test: Batch) -> None:
        super().__init__(folder, every)
        self.test = test

    def run(self, trainer: Trainer, learner: BaseModule) -> None:
        """Draw the picture."""
        if not isinstance(learner, AdversarialClassifier) or not learner.config.attacks:
            return
        if trainer.is_global_zero:
            picture = draw_attack(learner, self.test, learner.config.attacks[0])
            save_picture(trainer, learner, self.folder, "attacked", picture)


def draw_attack(learner: AdversarialClassifier, test: Batch, attack: AttackConfig) -> Array:
    """Draw digits, changes and attacked digits in three rows, each with what is said of it.

    Args:
        learner: the classifier.
        test: images (N, 1, H, W) and labels; the first ten are attacked.
        attack: how.

    Returns:
        uint8 (H, W, 3).
    """
    from matplotlib.figure import Figure

    assert test.labels is not None
    images, labels = (side[:DIGITS].to(learner.device) for side in (test.data, test.labels))
    seed = derived_seed(learner.seed, "attack picture")
    rng = torch.Generator(learner.device).manual_seed(seed)
    with evaluation_mode(learner.network), torch.enable_grad():
        attacked = perturb(learner.network, images, labels, attack, rng)
        said = [learner.network(part).detach().softmax(1).max(1) for part in (images, attacked)]
    rows = [images, (attacked - images) / 2, attacked]
    figure = Figure(figsize=(1.1 * len(images), 4.2), dpi=120, layout="constrained")
    axes = figure.subplots(3, len(images), squeeze=False)
    for row, pictures in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture[0].cpu(), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
            axis.set_axis_off()
    for row, answers in zip((axes[0], axes[2]), said, strict=True):
        for axis, sure, answer, label in zip(row, *answers, labels, strict=True):
            colour = "black" if answer == label else "#b00020"
            axis.set_title(f"{int(answer)}, {sure:.0%}", fontsize=9, color=colour)
    figure.suptitle(f"digits, changes ({attack.name}, ε {attack.epsilon:g}), attacked", fontsize=10)
    return render_figure(figure)
