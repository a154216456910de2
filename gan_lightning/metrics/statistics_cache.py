"""A cache of statistics of real data, in files that all runs share."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, tensor

from gan_lightning.metrics.frechet import FeatureStatistics
from gan_lightning.utils.files import atomic_write

__all__ = ["cache_folder", "cached_statistics", "cached_tensors"]

logger = logging.getLogger(__name__)

FORMAT = "gan_lightning tensors 1"
PREFIX_LENGTH = 60


def cache_folder() -> Path:
    """Return the folder of the cache, which need not exist.

    It is $GAN_LIGHTNING_CACHE, else $XDG_CACHE_HOME/gan_lightning, else ~/.cache/gan_lightning. A
    relative XDG_CACHE_HOME is ignored, as its specification requires.

    Raises:
        RuntimeError: neither variable is set and there is no home directory.
    """
    if folder := os.environ.get("GAN_LIGHTNING_CACHE"):
        return Path(folder).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "gan_lightning"


def cached_statistics(
    key: Mapping[str, str | int | float], compute: Callable[[], FeatureStatistics]
) -> FeatureStatistics:
    """Read statistics from the cache, or compute and cache them; see `cached_tensors`.

    Returns:
        The statistics, on the CPU; the same bits whether computed or read.
    """

    def compute_tensors() -> dict[str, Tensor]:
        result = compute()
        return {"mean": result.mean, "covariance": result.covariance, "count": tensor(result.count)}

    tensors = cached_tensors(key, compute_tensors)
    return FeatureStatistics(tensors["mean"], tensors["covariance"], int(tensors["count"]))


def cached_tensors(
    key: Mapping[str, str | int | float], compute: Callable[[], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Read tensors from the cache, or compute and cache them.

    Files are written atomically, so parallel runs never read a partial one. A file that is damaged,
    or has another format or key, is recomputed and replaced. If the cache cannot be written, a
    warning is logged and the run continues. Nothing is unpickled.

    Args:
        key: everything that the tensors depend on, for example quantity, dataset, split, size and
            network fingerprint.
        compute: computes the tensors; called if they are not in the cache.

    Returns:
        The tensors by name, on the CPU; the same bits whether computed or read.

    Raises:
        ValueError: the key contains a float that is not finite.
        TypeError: the key contains a value that is not str, int or float.
    """

    def compute_on_cpu() -> dict[str, Tensor]:
        return {name: value.detach().cpu().contiguous() for name, value in compute().items()}

    canonical = canonical_key(key)
    try:
        path = cache_folder() / file_name(key)
    except RuntimeError as error:
        logger.warning("statistics are not cached: %s; set GAN_LIGHTNING_CACHE", error)
        return compute_on_cpu()
    tensors = read(path, canonical)
    if tensors is None:
        tensors = compute_on_cpu()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = save(dict(tensors), metadata(canonical, tensors))
            atomic_write(path, content, durable=True)
        except OSError as error:
            logger.warning("statistics are not cached: %s; set GAN_LIGHTNING_CACHE", error)
    return tensors


def canonical_key(key: Mapping[str, str | int | float]) -> str:
    """Return the key as JSON that does not depend on the order of its items."""
    for name, value in key.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float):
            raise TypeError(
                f"{name!r}: {value!r} in a cache key; names must be str, values str, int or float"
            )
    return json.dumps(dict(key), sort_keys=True, separators=(",", ":"), allow_nan=False)


def file_name(key: Mapping[str, str | int | float]) -> str:
    """Return a readable file name that is unique to this key."""
    words = "-".join(str(key[name]) for name in sorted(key))
    prefix = re.sub(r"[^A-Za-z0-9.]+", "-", words)[:PREFIX_LENGTH].strip("-.")
    digest = sha256(canonical_key(key).encode()).hexdigest()
    return f"{prefix or 'statistics'}-{digest}.safetensors"


def metadata(canonical: str, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the metadata of a cache file, with a checksum over names and values of the tensors."""
    checksum = sha256()
    for name in sorted(tensors):
        value = tensors[name]
        checksum.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        checksum.update(value.numpy().tobytes())
    return {"format": FORMAT, "key": canonical, "sha256": checksum.hexdigest()}


def read(path: Path, canonical: str) -> dict[str, Tensor] | None:
    """Read the tensors of a key; None if the file is missing, damaged or of another key."""
    try:
        if not path.is_file():
            return None
        with safe_open(path, framework="pt") as file:
            stored = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        valid = stored == metadata(canonical, tensors)
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        logger.warning("recomputing the statistics of %s: %s", path, error)
        return None
    if not valid:
        logger.warning("recomputing the statistics of %s: the file is damaged or foreign", path)
        return None
    return tensors
