"""Small copies of Fashion-MNIST and CIFAR-10 in the exact formats of their files."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest

from gan_lightning.store.published_files import PUBLISHED_FILES

COUNT = 20
"""Images in each file."""


def fashion_mnist(root: Path) -> Path:
    """Write the four IDX files, compressed, where torchvision has them; return their folder."""
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        images, labels = pixels(part, 28, 28), classes(part)
        header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape)
        write(folder / f"{part}-images-idx3-ubyte.gz", header + images.tobytes())
        header = b"\0\0\x08\x01" + COUNT.to_bytes(4, "big")
        write(folder / f"{part}-labels-idx1-ubyte.gz", header + bytes(labels))
    return folder


def cifar10(root: Path) -> Path:
    """Write the six batches, pickles of protocol 2 as Python 2 wrote them; return their folder."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in PUBLISHED_FILES["cifar10"].md5:
        batch = {
            "batch_label": f"small {name}",
            "labels": classes(name),
            "data": pixels(name, 3 * 32 * 32),
            "filenames": [f"{number}.png" for number in range(COUNT)],
        }
        write(folder / name, pickle.dumps(batch, protocol=2))
    return folder


COPIES: dict[str, Callable[[Path], Path]] = {"fashion_mnist": fashion_mnist, "cifar10": cifar10}


def pixels(name: str, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return random pixels (COUNT, *shape), a function of the name of their file."""
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, 256, (COUNT, *shape), dtype=np.uint8)


def classes(name: str) -> list[int]:
    """Return the classes of the images of a file, all ten of them."""
    return [(number * 7 + len(name)) % 10 for number in range(COUNT)]


def write(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def small_copy(dataset: str, root: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write a small copy below a root, and make its MD5 sums the published ones.

    Returns:
        The folder of its files.
    """
    folder = COPIES[dataset](root)
    for path in folder.iterdir():
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        patch.setitem(PUBLISHED_FILES[dataset].md5, path.stem, md5(content).hexdigest())
    return folder
