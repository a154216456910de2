"""Read the shipped files, MNIST and the weights of classifiers, and verify their checksums.

Imports no torch, so that a thread can read the files while torch is being imported.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import cache
from hashlib import md5, sha256
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from gan_lightning.errors import UserError

__all__ = [
    "CLASSIFIERS",
    "FOLDER",
    "MD5",
    "MODELS",
    "Weights",
    "read_attribution",
    "read_classifier",
    "read_idx",
]

FOLDER = Path(__file__).parent / "mnist"
MD5 = {
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
}
MODELS = Path(__file__).parent / "models"
"""Folder of the shipped models, each a saved model in a folder with the name of its experiment."""

HEADER_BYTES = {"idx3": 16, "idx1": 8}


@dataclass(frozen=True)
class Weights:
    """Shipped weights of a classifier.

    Attributes:
        path: safetensors file.
        sha256: its SHA-256 sum.
    """

    path: Path
    sha256: str


CLASSIFIERS = {
    "digit": Weights(
        Path(__file__).parent / "digit_classifier.safetensors",
        "18ff844b11de540541d6973a66052a01083c082f2087ea3b43a49f6df6773ccd",
    ),
    "clothes": Weights(
        Path(__file__).parent / "clothes_classifier.safetensors",
        "0edf99e0a412c413e8a1836f55021e0c19c7e7133b9d7488bd7b3651c6adc46e",
    ),
    "face": Weights(
        Path(__file__).parent / "face_classifier.safetensors",
        "f970d1f1f6d220dff72243990dce7fb3b9f6c95c9fdcd1d2b71522507d1ed5ba",
    ),
}
"""Name of each shipped classifier -> its weights."""

_read_lock = Lock()


def read_idx(name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Read a shipped IDX file of MNIST and verify its published MD5 sum.

    The result is cached. A second thread that calls this waits for the first one.

    Args:
        name: one of the keys of `MD5`.

    Returns:
        The bytes after the header, uint8, one-dimensional; callers share it and must not change it.

    Raises:
        UserError: the file is missing or damaged, or has another MD5 sum.
    """
    with _read_lock:
        return _read(FOLDER / f"{name}.xz")


@cache
def _read(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    fix = "reinstall gan-lightning, or run `git checkout` on this file"
    try:
        content = bytearray(lzma.decompress(path.read_bytes()))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; {fix}") from error
    except lzma.LZMAError as error:
        raise UserError(f"{path} is damaged ({error}); {fix}") from error
    actual, published = md5(content, usedforsecurity=False).hexdigest(), MD5[path.stem]
    if actual != published:
        raise UserError(f"{path} has MD5 sum {actual}, the published one is {published}; {fix}")
    return np.frombuffer(content, np.uint8, offset=HEADER_BYTES[path.stem.split("-")[2]])


def read_attribution(dataset: str) -> str:
    """Read the licence and the attribution of a dataset of drawings, Markdown text."""
    path = Path(__file__).parent / "drawings" / f"{dataset}.md"
    return path.read_text(encoding="utf-8")


def read_classifier(name: str) -> bytes:
    """Read the shipped weights of a classifier and verify their SHA-256 sum.

    Args:
        name: one of the keys of `CLASSIFIERS`.

    Returns:
        Content of the safetensors file.

    Raises:
        UserError: the file is missing, or differs from the shipped one.
    """
    weights = CLASSIFIERS[name]
    fix = "reinstall gan-lightning, or run `git checkout` on this file"
    try:
        content = weights.path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read the {name} classifier's weights {weights.path}: {error.strerror}; {fix}"
        ) from error
    actual = sha256(content).hexdigest()
    if actual != weights.sha256:
        raise UserError(
            f"the {name} classifier's weights {weights.path} differ from the shipped ones (their "
            f"SHA-256 sum begins with {actual[:8]}, not {weights.sha256[:8]}); {fix}"
        )
    return content
