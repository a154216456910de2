"""Draw traversals of the codes or latents of a run's generator."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from gan_lightning.callbacks.traversal_grid import draw_traversals
from gan_lightning.errors import UserError
from gan_lightning.inference.loading import check_range, check_seed, check_suffix, load_gan
from gan_lightning.utils.files import write_output

__all__ = ["write_traversal"]


def write_traversal(
    run: str, rows: int, seed: int, output: Path, checkpoint: str = "latest"
) -> None:
    """Draw how generated images change with each code, all other inputs fixed.

    Args:
        run: run directory, or an experiment's name for its latest run.
        rows: rows of each panel, at least 1.
        seed: of the fixed inputs, in [0, 2^32).
        output: of the picture, `.png`.
        checkpoint: `latest` or `best`.

    Raises:
        UserError: an argument is out of range, the run or the checkpoint does not exist, its model
            does not generate images from latents, or the file cannot be written.
    """
    check_range("--rows", rows, 1)
    check_seed(seed)
    check_suffix(output, (".png",))
    gan, data, _ = load_gan(run, checkpoint)
    if not data.spec.is_image:
        raise UserError(f"run {run!r} generates points, but traverse draws images; use `sample`")
    if gan.prior(1).latent is None:
        raise UserError(f"run {run!r} translates images and has no codes to vary; use `sample`")
    picture = draw_traversals(gan, seed, rows)
    write_output(output, lambda file: Image.fromarray(picture).save(file, "png"))
