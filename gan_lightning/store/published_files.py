"""Files of published datasets, which are verified by their MD5 sums before they are used."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from hashlib import md5, sha256
from pathlib import Path

from gan_lightning.errors import MissingDataError, UserError
from gan_lightning.utils.commands import command_line

__all__ = ["CIFAR10_FILES", "FASHION_MNIST_FILES", "PUBLISHED_FILES", "PublishedFiles"]


@dataclass(frozen=True)
class PublishedFiles:
    """The files of a dataset of torchvision.

    Args:
        title: name of the dataset.
        command: subcommand of `gan-lightning prepare`.
        torchvision_class: name of the class of `torchvision.datasets` that downloads them.
        md5: name of a file -> MD5 sum of its content, decompressed.
        places: folders of the files, relative to the root.
        elsewhere: folders that are searched after those of the root.
    """

    title: str
    command: str
    torchvision_class: str
    md5: dict[str, str]
    places: tuple[str, ...]
    elsewhere: tuple[Path, ...] = field(default=())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all MD5 sums: identifies the content of the files."""
        return sha256(" ".join(self.md5.values()).encode()).hexdigest()

    def find(self, root: Path) -> Path:
        """Return the folder of the files, each of which may be compressed by gzip.

        Raises:
            MissingDataError: no folder has all of them.
        """
        folders = [*(root / place for place in self.places), *self.elsewhere]
        for folder in folders:
            if all(_existing(folder, name) for name in self.md5):
                return folder
        command = command_line("gan-lightning", "prepare", self.command, "--root", root)
        raise MissingDataError(
            f"{self.title} is in none of {', '.join(map(str, folders))}, where "
            f"{', '.join(self.md5)} are looked for; download it by `{command} --download`, or name "
            f"the folder of your copy by data.root"
        )

    def read(self, folder: Path, name: str) -> bytes:
        """Read a file, decompress it if needed, and verify its MD5 sum.

        Returns:
            The decompressed content.

        Raises:
            UserError: the file cannot be read, is damaged, or has another MD5 sum.
        """
        path = _existing(folder, name) or folder / name
        fix = f"delete it and download {self.title} again"
        try:
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"cannot read {path}: {reason}; {fix}") from error
        actual = md5(content, usedforsecurity=False).hexdigest()
        if actual != self.md5[name]:
            raise UserError(
                f"the content of {path} has MD5 sum {actual}, the published one is "
                f"{self.md5[name]}; {fix}"
            )
        return content

    def identity(self, root: Path) -> str | None:
        """Return the fingerprint of the files, or None where they are missing."""
        try:
            self.find(root)
        except MissingDataError:
            return None
        return self.fingerprint

    def download(self, root: Path) -> None:
        """Download the files that are missing, by torchvision.

        Raises:
            UserError: they cannot be downloaded.
        """
        import torchvision.datasets

        try:
            getattr(torchvision.datasets, self.torchvision_class)(str(root), download=True)
        except (OSError, RuntimeError, EOFError, zlib.error) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"cannot download {self.title} into {root}: {reason}; try again later, or put a "
                f"copy of its files there"
            ) from error


def _existing(folder: Path, name: str) -> Path | None:
    """Return the path of a file, as it is or compressed; None where there is none."""
    paths = (folder / name, folder / f"{name}.gz")
    return next((path for path in paths if path.is_file()), None)


FASHION_MNIST_FILES = PublishedFiles(
    "Fashion-MNIST",
    "fashion_mnist",
    "FashionMNIST",
    {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    ("", "FashionMNIST/raw", "raw"),
    (Path("/usr/share/datasets/fashion-mnist"),),
)
"""Torchvision's layout, a flat folder, and Debian's package dataset-fashion-mnist.

The sums are those of the decompressed files, since Debian compresses them anew.
"""

CIFAR10_FILES = PublishedFiles(
    "CIFAR-10",
    "cifar10",
    "CIFAR10",
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    ("cifar-10-batches-py", ""),
)

PUBLISHED_FILES = {files.command: files for files in (FASHION_MNIST_FILES, CIFAR10_FILES)}
"""Dataset -> its files."""
