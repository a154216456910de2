"""Statistics of real data, computed once and kept in a file that every run may share."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gan_lightning.metrics.frechet import FeatureStatistics

__all__ = ["cache_folder", "cached_statistics"]

logger = logging.getLogger(__name__)

FORMAT = "gan_lightning statistics 1"
PREFIX_LENGTH = 60


def cache_folder() -> Path:
    """Return where computed statistics are kept; the folder need not exist.

    $GAN_LIGHTNING_CACHE, else $XDG_CACHE_HOME/gan_lightning, else ~/.cache/gan_lightning. As its
    specification asks, an XDG_CACHE_HOME that is not absolute is ignored.

    Raises:
        RuntimeError: none is set and there is no home directory.
    """
    if chosen := os.environ.get("GAN_LIGHTNING_CACHE"):
        return Path(chosen).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "gan_lightning"


def cached_statistics(
    key: Mapping[str, str | int | float], compute: Callable[[], FeatureStatistics]
) -> FeatureStatistics:
    """Read statistics from the cache, or compute them and keep them.

    The file is written beside its place and moved there, so parallel runs see all of it or
    nothing. A file that is damaged, of another format or of another key is computed anew and
    replaced. A cache that cannot be written costs one line in the log, never the run. Nothing is
    ever unpickled.

    Args:
        key: everything that the statistics depend on: data set, split, size, network fingerprint.
        compute: called without arguments where the cache has no answer.

    Returns:
        The statistics, on the CPU; the same bits whether computed or read.

    Raises:
        ValueError: the key holds a float that is not finite, which equals no key.
        TypeError: the key holds something else than str, int or float.
    """
    canonical = canonical_key(key)
    try:
        path = cache_folder() / file_name(key)
    except RuntimeError as error:
        logger.warning("statistics are not cached: %s; set GAN_LIGHTNING_CACHE", error)
        return compute().to("cpu")
    statistics = read(path, canonical)
    if statistics is None:
        statistics = compute().to("cpu")
        try:
            write(path, canonical, statistics)
        except OSError as error:
            logger.warning("statistics are not cached: %s; set GAN_LIGHTNING_CACHE", error)
    return statistics


def canonical_key(key: Mapping[str, str | int | float]) -> str:
    """Return the key as JSON that does not depend on the order of its items."""
    for name, value in key.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float):
            raise TypeError(f"{name!r}: {value!r} in the cache key; use str: str, int or float")
    return json.dumps(dict(key), sort_keys=True, separators=(",", ":"), allow_nan=False)


def file_name(key: Mapping[str, str | int | float]) -> str:
    """Return a name that a person can place and that belongs to this key alone."""
    words = "-".join(str(key[name]) for name in sorted(key))
    prefix = re.sub(r"[^A-Za-z0-9.]+", "-", words)[:PREFIX_LENGTH].strip("-.")
    digest = sha256(canonical_key(key).encode()).hexdigest()
    return f"{prefix or 'statistics'}-{digest}.safetensors"


def metadata(canonical: str, mean: Tensor, covariance: Tensor, count: int) -> dict[str, str]:
    """Return what the file says of itself; its checksum covers the tensors and the count."""
    checksum = sha256(f"{count} ".encode())
    for tensor in (mean, covariance):
        checksum.update(tensor.numpy().tobytes())
    described = {"format": FORMAT, "key": canonical, "count": str(count)}
    return {**described, "sha256": checksum.hexdigest()}


def read(path: Path, canonical: str) -> FeatureStatistics | None:
    """Return what the file holds, or None where it does not hold this key's statistics whole."""
    try:
        if not path.is_file():
            return None
        with safe_open(path, framework="pt") as file:
            found = file.metadata() or {}
            mean, covariance = file.get_tensor("mean"), file.get_tensor("covariance")
        statistics = FeatureStatistics(mean, covariance, int(found.get("count", "0")))
        whole = found == metadata(canonical, mean, covariance, statistics.count)
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        logger.warning("computing anew what %s should hold: %s", path, error)
        return None
    if not whole:
        logger.warning("computing anew what %s should hold: it is damaged or foreign", path)
        return None
    return statistics


def write(path: Path, canonical: str, statistics: FeatureStatistics) -> None:
    """Put the file in its place in one step, and on the disk."""
    tensors = {
        "mean": statistics.mean.contiguous(),
        "covariance": statistics.covariance.contiguous(),
    }
    content = save(tensors, metadata(canonical, **tensors, count=statistics.count))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f"{uuid4().hex}.partial"  # mkstemp's would be for its owner alone
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
