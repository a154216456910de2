"""Draw what the losses of healthy and of failed runs look like, for five kinds of GANs.

Twenty-five runs on the ring of 8 Gaussians, of 2,000 updates each, which take some minutes.

    python benchmarks/normal_losses.py

writes docs/pictures/normal-losses.png and prints what each run covers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.config.load import load_config
from gan_lightning.evaluation import evaluate
from gan_lightning.gans import GAN
from gan_lightning.testing.training import quiet, quiet_trainer
from gan_lightning.training.build import build
from gan_lightning.utils.tables import markdown_table

__all__ = ["KINDS", "VARIANTS", "Curves", "draw", "train"]

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "normal-losses.png"

UPDATES, LOGGED_EVERY, SEED = 2000, 20, 100
SHOWN = 500
"""Generated points in each picture."""

BASE = (
    "model.latent_size=8",
    "model.latent_prior=normal",
    "network.name=mlp",
    "network.generator_hidden=[128,128]",
    "network.discriminator_hidden=[128,128]",
    "data.name=ring",
    "data.batch_size=128",
    "data.standard_deviation=0.02",
    f"trainer.max_updates={UPDATES}",
    f"log.every_n_updates={LOGGED_EVERY}",
    f"seed={SEED}",
)

PLAIN, R1 = ("model.name=gan",), ("model.regularisation.r1=0.05",)
VARIANTS: dict[str, tuple[str, ...]] = {
    "GAN with R1": (*PLAIN, "model.objective=non_saturating", *R1),
    "hinge with R1": (*PLAIN, "model.objective=hinge", "model.regularisation.r1=0.2"),
    "R3GAN": (*PLAIN, "model.objective=relativistic", *R1, "model.regularisation.r2=0.05"),
    "WGAN": ("model.name=wgan", "model.clip=0.1", "model.discriminator_steps=3"),
    "WGAN-GP": (
        "model.name=wgan_gp",
        "model.discriminator_steps=3",
        "model.regularisation.gradient_penalty=0.5",
    ),
}
"""Title -> overrides of a kind of GAN."""


def _rates(discriminator: float, generator: float, beta: float = 0.0) -> tuple[str, ...]:
    players = {"discriminator": discriminator, "generator": generator}
    return tuple(
        f"model.{player}_optimizer={{name: adam, learning_rate: {rate}, betas: [{beta}, 0.9]}}"
        for player, rate in players.items()
    )


UNPENALISED = ("model.regularisation.r1=0", "model.regularisation.r2=0")

KINDS: dict[str, tuple[str, ...]] = {
    "healthy": _rates(1e-3, 1e-3),
    "generator too small": (*_rates(1e-3, 1e-3), "network.generator_hidden=[2]"),
    "discriminator has won": (*_rates(3e-3, 1e-6), *UNPENALISED),
    "discriminator too slow": _rates(1e-5, 1e-3),
    "steps too long": (*_rates(3e-2, 3e-2, 0.9), *UNPENALISED),
}
"""Title -> overrides of a kind of run."""


Rows = NDArray[np.float64]


@dataclass
class Curves(Callback):
    """Records the losses of both players.

    Attributes:
        rows: update, loss of the discriminator, loss of the generator, without regularisers.
    """

    rows: list[tuple[int, float, float]] = field(default_factory=list)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the losses that were logged last."""
        assert isinstance(pl_module, GAN)
        losses = pl_module.losses
        if losses and pl_module.updates % LOGGED_EVERY == 0:
            discriminator, generator = (
                losses[f"loss/{player}/adversarial"] for player in ("discriminator", "generator")
            )
            self.rows.append((pl_module.updates, discriminator, generator))


def train(*overrides: str) -> tuple[Rows, Rows, int]:
    """Train a run.

    Returns:
        Rows of `Curves`, (L, 3); generated points, (SHOWN, 2); the number of modes they cover.
    """
    config = load_config({}, [*BASE, *overrides])
    model, data = build(config)
    assert isinstance(model, GAN)
    curves = Curves()
    with quiet():
        quiet_trainer(callbacks=[curves]).fit(model, datamodule=data)
    points = model.sample(SHOWN, seed=0).data.double().numpy()
    covered = int(evaluate(model, data, 2500)["modes/covered"])
    return np.array(curves.rows), points, covered


def draw(path: Path) -> list[tuple[str, ...]]:
    """Draw all runs; return a row for each variant with the modes that its runs cover."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.1 * len(KINDS), 2.3 * len(VARIANTS)), layout="constrained")
    axes = figure.subplots(len(VARIANTS), len(KINDS))
    table = []
    for axis, kind in zip(axes[0], KINDS, strict=True):
        axis.set_title(kind, fontsize=11, weight="bold")
    for row, (variant, game) in zip(axes, VARIANTS.items(), strict=True):
        cells = [variant]
        for axis, change in zip(row, KINDS.values(), strict=True):
            rows, points, covered = train(*game, *change)
            _draw_losses(axis, rows)
            _draw_points(axis.inset_axes((1.01, 0.0, 0.32, 0.55)), points, covered)
            cells.append(str(covered))
        row[0].set_ylabel(variant, fontsize=11, weight="bold")
        table.append(tuple(cells))
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=80)
    return table


def _draw_losses(axis: Any, rows: Rows) -> None:
    for column, colour, name in ((1, "#33658a", "D"), (2, "#d1495b", "G")):
        axis.plot(rows[:, 0], rows[:, column], color=colour, linewidth=0.9, label=name)
    finite = rows[np.isfinite(rows).all(1), 1:]
    low, high = np.percentile(finite, (0.5, 99.5)) if len(finite) else (0.0, 1.0)
    margin = max(0.1, 0.15 * (high - low))
    axis.set(xlim=(0, UPDATES), ylim=(low - margin, high + margin), xticks=(0, UPDATES))
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)


def _draw_points(axis: Any, points: Rows, covered: int) -> None:
    angles = np.arange(8) * np.pi / 4
    axis.plot(np.cos(angles), np.sin(angles), "o", color="#bbbbbb", markersize=5)
    axis.plot(*points.T, ".", color="#33658a", markersize=1)
    axis.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=(), yticks=())
    axis.set_title(f"{covered} of 8", fontsize=8)


def main() -> None:
    """Draw the picture, and print the table."""
    table = draw(PICTURE)
    print(markdown_table([("modes covered, of 8", *KINDS), *table]))


if __name__ == "__main__":
    main()
