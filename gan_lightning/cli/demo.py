"""Command `demo`: see a GAN learn in the terminal."""

from __future__ import annotations

import click

from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import fast_imports

__all__ = ["demo"]

EXPERIMENT = "r3gan_ring"

OVERRIDES = (
    "trainer.max_updates=1200",
    "data.batch_size=128",
    "evaluation.every_n_updates=0",
    "pictures.every_n_updates=300",
    "log.wandb=disabled",
)
"""About ten seconds on a laptop; the schedules of the experiment follow the number of updates."""


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(1, 600),
    default=20.0,
    show_default=True,
    help="Time after which training stops.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run.")
@handle_errors
def demo(seconds: float, seed: int) -> None:
    """Train a small GAN on eight Gaussians, and watch its points move in the terminal.

    It is R3GAN on a ring, the experiment `r3gan_ring` with fewer updates. The run is written to
    runs/demo, as of any training.

    \b
    Example:
      gan-lightning demo --seconds 10
    """
    with fast_imports():
        from gan_lightning.config.experiments import experiment_path, read_yaml
        from gan_lightning.config.load import load_config
        from gan_lightning.play.terminal import LivePoints
        from gan_lightning.training.build import build
        from gan_lightning.training.train import train

    overrides = [*OVERRIDES, f"seed={seed}"]
    config = load_config(read_yaml(experiment_path(EXPERIMENT)), overrides)
    real = build(config)[1].test_data().data
    outcome = train(config, "demo", callbacks=[LivePoints(real, seconds)])
    covered = int(outcome.measures.get("modes/covered", 0))
    quality = outcome.measures.get("modes/high_quality", 0.0)
    if outcome.measures:
        click.echo(
            f"After {outcome.updates:,} updates the generator covers {covered} of the 8 Gaussians, "
            f"and {quality:.0%} of its points lie within three standard deviations of one."
        )
    run = outcome.run_directory.path
    click.echo(f"The run is in {run}. What to do next:")
    for command, purpose in (
        ("gan-lightning play demo", "move through its latent space in a browser"),
        ("gan-lightning train gan_ring_unrolled_baseline", "see modes collapse"),
        ("gan-lightning gallery", "see what the shipped models generate"),
    ):
        click.echo(f"  {command:<48} {purpose}")
