"""Generate samples with the model of a run, and write them to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from gan_lightning.callbacks.figures import image_grid, to_uint8
from gan_lightning.callbacks.scatter import draw_scatter
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.inference.loading import check_range, check_seed, check_suffix, load_gan
from gan_lightning.utils.files import write_output

__all__ = ["write_samples"]

CHUNK = 500
"""Samples that are generated at a time."""


def write_samples(
    run: str, count: int, seed: int, output: Path, checkpoint: str = "latest"
) -> None:
    """Generate samples with a run's model, and write them as `.npz` or `.png`.

    Args:
        run: run directory, or an experiment's name for its latest run.
        count: number of samples, at least 1.
        seed: of the samples, in [0, 2^32).
        output: `.npz` for arrays, `.png` for a picture.
        checkpoint: `latest` or `best`.

    Raises:
        UserError: an argument is out of range, the run or the checkpoint does not exist, the model
            is no GAN, or the file cannot be written.
    """
    check_range("--count", count, 1)
    check_seed(seed)
    check_suffix(output, (".npz", ".png"))
    gan, data, _ = load_gan(run, checkpoint)
    if output.suffix == ".png" and data.spec.shape == (1,):
        raise UserError(f"run {run!r} generates scalars, which have no picture; use --output x.npz")
    arrays = _generate(gan, count, seed)
    if output.suffix == ".npz":
        write_output(output, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))
        return
    if "points" in arrays:
        points = torch.from_numpy(arrays["points"])
        picture = draw_scatter(data.test_data().data[:2500], points, f"{count} samples of {run}")
    else:
        images = torch.from_numpy(arrays["images"]).movedim(-1, 1)
        picture = image_grid(images.float().div(127.5).sub(1))
    write_output(output, lambda file: Image.fromarray(picture).save(file, "png"))


def _generate(gan: GAN, count: int, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Generate samples in chunks.

    Chunks have a fixed size, so that sample i of a seed does not depend on `count`.

    Returns:
        images: uint8 (N, H, W, C); or points: float32 (N, D).
        sources: source images of a translation, uint8 (N, H, W, C).
        labels: classes, int64 (N,).
        codes: categorical and continuous codes, float32 (N, codes).
    """
    chunks = [gan.sample(CHUNK, seed=seed * 1_000_003 + start) for start in range(0, count, CHUNK)]
    data = torch.cat([chunk.data for chunk in chunks])[:count]
    conditions = [chunk.condition.parts() for chunk in chunks]
    parts = {
        name: torch.cat([condition[name] for condition in conditions])[:count]
        for name in conditions[0]
    }
    arrays: dict[str, np.ndarray[Any, Any]] = (
        {"images": to_uint8(data)} if data.ndim == 4 else {"points": data.float().cpu().numpy()}
    )
    if "source" in parts:
        arrays["sources"] = to_uint8(parts["source"])
    if "labels" in parts:
        arrays["labels"] = parts["labels"].cpu().numpy()
    codes = [parts[name].float() for name in ("categorical", "continuous") if name in parts]
    if codes:
        arrays["codes"] = torch.cat(codes, 1).cpu().numpy()
    return arrays
