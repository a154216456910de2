"""The store of a folder of images, prepared when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_lightning.errors import UserError
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.completion import held_out_images
from gan_lightning.store.folders import folder
from gan_lightning.store.layout import TEST, TRAINING, VALIDATION, default_store
from gan_lightning.store.manifest import Manifest
from gan_lightning.store.prepare import prepare
from gan_lightning.store.transform import ImageTransform
from gan_lightning.utils.hardware import available_cores
from gan_lightning.utils.names import printable

__all__ = ["MIN_IMAGES", "FolderImages", "skipped_line"]

MIN_IMAGES = 4
"""Usable images that a folder must have."""

IMAGES_PER_PROCESS = 1_000
"""Images that are worth the start of another process."""

MAX_NAMED = 5
"""Skipped images that are named; the manifest lists all of them."""

FIT_TEXT = {
    "crop": "cropped to the centre square",
    "pad": "padded to a square",
    "stretch": "stretched to a square",
}


@dataclass(frozen=True)
class FolderImages:
    """A folder of images, and what is made of them.

    Args:
        root: the folder.
        size: height and width of the result, in pixels.
        fit: `crop`, `pad` or `stretch`: how images become square.
        labels: CSV file with the columns file and label; None for classes by sub-folder.
        store: folder of the store; None for the one next to the folder.
    """

    root: Path
    size: int = 64
    fit: str = "crop"
    labels: Path | None = None
    store: Path | None = None

    @property
    def output(self) -> Path:
        """Folder of the store."""
        return self.store or default_store(self.root, self.size, fit=self.fit)

    def prepare(
        self,
        say: Callable[[str], object] = lambda line: None,
        progress: Callable[[int, int], None] = lambda done, total: None,
        processes: int | None = None,
    ) -> Manifest:
        """Make the store, or return it if it exists and the images have not changed since.

        Args:
            say: called with each line of a summary, most of them before the work starts.
            progress: called with the number of finished images and the number of all images.
            processes: number of processes; None for as many as the number of images is worth.

        Raises:
            UserError: the folder has fewer than `MIN_IMAGES` usable images, or cannot be read or
                written.
        """
        catalog = folder(self.root, self.labels)
        _check_count(self.root, len(catalog), "")
        for line in self._before(catalog):
            say(line)
        if processes is None:
            processes = min(available_cores(), 1 + len(catalog) // IMAGES_PER_PROCESS)
        transform = ImageTransform("folder", self.size, fit=self.fit)
        manifest = prepare(
            catalog, transform, str(self.root), self.output, processes, progress, on_change=say
        )
        skipped = skipped_line(manifest)
        _check_count(self.root, manifest.images, f"; {skipped}" if skipped else "")
        for line in self._after(manifest, skipped):
            say(line)
        return manifest

    def _before(self, catalog: Catalog) -> list[str]:
        counts = np.bincount(catalog.splits, minlength=3)
        parts = {"training": TRAINING, "validation (not used)": VALIDATION, "tests": TEST}
        shown = [f"{counts[split]:,} for {part}" for part, split in parts.items() if counts[split]]
        if catalog.holds_out:
            held_out = len(held_out_images(len(catalog)))
            rest = len(catalog) - held_out
            shown = [f"{rest:,} for training", f"{held_out:,} held out for tests, evenly spread"]
        return [
            f"{printable(str(self.root))}: {len(catalog):,} images: {', '.join(shown)}",
            *(f"  {remark}" for remark in catalog.remarks),
            f"  {self.size}x{self.size} pixels, in {printable(str(self.output))}",
        ]

    def _after(self, manifest: Manifest, skipped: str) -> list[str]:
        lines = [f"  {skipped}"] if skipped else []
        converted = {k: n for k, n in sorted(manifest.converted.items()) if k != "grey"}
        if converted:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in converted.items())
            background = manifest.transform.background
            over = f", transparent ones over {background}" if "transparent" in converted else ""
            lines.append(f"  converted to 8-bit RGB: {kinds}{over}")
        if manifest.not_square:
            others = " and ".join(f"--fit {fit}" for fit in FIT_TEXT if fit != self.fit)
            lines.append(
                f"  {manifest.not_square:,} of {manifest.images:,} images are not square: "
                f"{FIT_TEXT[self.fit]} (others: {others})"
            )
        return lines


def skipped_line(manifest: Manifest) -> str:
    """Return one line that counts the skipped images and names the first ones, or ""."""
    skipped = manifest.skipped
    if not skipped:
        return ""
    named = "; ".join(f"{printable(name)} {problem}" for name, problem in skipped[:MAX_NAMED])
    more = f"; manifest.json lists all {len(skipped):,}" if len(skipped) > MAX_NAMED else ""
    images = "image" if len(skipped) == 1 else "images"
    return f"skipped {len(skipped):,} {images}: {named}{more}"


def _check_count(root: Path, images: int, why: str) -> None:
    if images < MIN_IMAGES:
        raise UserError(
            f"{printable(str(root))} has {images} usable images, and training needs at least "
            f"{MIN_IMAGES}{why}"
        )
