"""Draw traversals of the codes or latents of a run's generator."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gan_lightning.callbacks.traversal_grid import draw_traversals
from gan_lightning.errors import UserError
from gan_lightning.inference.loading import check_range, check_seed, check_suffix, load_gan
from gan_lightning.utils.files import write_output

__all__ = ["Traversal", "draw_traversal", "write_traversal"]


@dataclass(frozen=True, repr=False)
class Traversal:
    """Picture of how generated images change with each input; a notebook shows it.

    Args:
        run: run of the generator.
        image: the picture.
    """

    run: str
    image: Image.Image

    def __repr__(self) -> str:
        """Return the run and the size of the picture."""
        return f"traversal of {self.run}: {self.image.width} x {self.image.height} pixels"

    def _repr_png_(self) -> bytes:
        """Return the picture for notebooks."""
        content = io.BytesIO()
        self.image.save(content, "png")
        return content.getvalue()

    def save(self, path: Path | str) -> None:
        """Write the picture as `.png`.

        Raises:
            UserError: the suffix is another one, or the file cannot be written.
        """
        path = Path(path)
        check_suffix(path, (".png",))
        write_output(path, lambda file: self.image.save(file, "png"))


def write_traversal(
    run: str, rows: int, seed: int, output: Path, checkpoint: str = "latest"
) -> None:
    """Draw how generated images change with each code, and write the picture.

    Args:
        run: run directory, or an experiment's name for its latest run.
        rows: rows of each panel, at least 1.
        seed: of the fixed inputs, in [0, 2^32).
        output: of the picture, `.png`.
        checkpoint: `latest` or `best`.

    Raises:
        UserError: as `draw_traversal`, or the file cannot be written.
    """
    check_range("--rows", rows, 1)
    check_seed(seed)
    check_suffix(output, (".png",))
    draw_traversal(run, rows, seed, checkpoint).save(output)


def draw_traversal(run: str, rows: int, seed: int, checkpoint: str = "latest") -> Traversal:
    """Draw how generated images change with each code, all other inputs fixed.

    Args:
        run: run directory, or an experiment's name for its latest run.
        rows: rows of each panel, at least 1.
        seed: of the fixed inputs, in [0, 2^32).
        checkpoint: `latest` or `best`.

    Raises:
        UserError: an argument is out of range, the run or the checkpoint does not exist, or its
            model does not generate images from latents.
    """
    check_range("--rows", rows, 1)
    check_seed(seed)
    gan, data, _ = load_gan(run, checkpoint, needs_data=False)
    if not data.spec.is_image:
        raise UserError(f"run {run!r} generates points, but traverse draws images; use `sample`")
    if gan.prior(1).latent is None:
        raise UserError(f"run {run!r} translates images and has no codes to vary; use `sample`")
    return Traversal(run, Image.fromarray(draw_traversals(gan, seed, rows, data.class_names)))
