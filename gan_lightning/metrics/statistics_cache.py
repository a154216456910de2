"""What is known of real data, computed once and kept in a file that every run may share."""

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
from torch import Tensor, tensor

from gan_lightning.metrics.frechet import FeatureStatistics

__all__ = ["cache_folder", "cached_statistics", "cached_tensors"]

logger = logging.getLogger(__name__)

FORMAT = "gan_lightning tensors 1"
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
    """Read statistics from the cache, or compute them and keep them; see `cached_tensors`.

    Returns:
        The statistics, on the CPU; the same bits whether computed or read.
    """

    def computed() -> dict[str, Tensor]:
        found = compute()
        return {"mean": found.mean, "covariance": found.covariance, "count": tensor(found.count)}

    tensors = cached_tensors(key, computed)
    return FeatureStatistics(tensors["mean"], tensors["covariance"], int(tensors["count"]))


def cached_tensors(
    key: Mapping[str, str | int | float], compute: Callable[[], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Read tensors from the cache, or compute them and keep them.

    The file is written beside its place and moved there, so parallel runs see all of it or
    nothing. A file that is damaged, of another format or of another key is computed anew and
    replaced. A cache that cannot be written costs one line in the log, never the run. Nothing is
    ever unpickled.

    Args:
        key: everything that they depend on: what they are, data set, split, size, network
            fingerprint.
        compute: called without arguments where the cache has no answer.

    Returns:
        The tensors by name, on the CPU; the same bits whether computed or read.

    Raises:
        ValueError: the key holds a float that is not finite, which equals no key.
        TypeError: the key holds something else than str, int or float.
    """

    def computed() -> dict[str, Tensor]:
        return {name: value.detach().cpu().contiguous() for name, value in compute().items()}

    canonical = canonical_key(key)
    try:
        path = cache_folder() / file_name(key)
    except RuntimeError as error:
        logger.warning("statistics are not cached: %s; set GAN_LIGHTNING_CACHE", error)
        return computed()
    tensors = read(path, canonical)
    if tensors is None:
        tensors = computed()
        try:
            write(path, canonical, tensors)
        except OSError as error:
            logger.warning("statistics are not cached: %s; set GAN_LIGHTNING_CACHE", error)
    return tensors


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


def metadata(canonical: str, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return what the file says of itself; its checksum covers the tensors and their names."""
    checksum = sha256()
    for name in sorted(tensors):
        value = tensors[name]
        checksum.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        checksum.update(value.numpy().tobytes())
    return {"format": FORMAT, "key": canonical, "sha256": checksum.hexdigest()}


def read(path: Path, canonical: str) -> dict[str, Tensor] | None:
    """Return what the file holds, or None where it does not hold this key's tensors whole."""
    try:
        if not path.is_file():
            return None
        with safe_open(path, framework="pt") as file:
            found = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        whole = found == metadata(canonical, tensors)
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        logger.warning("computing anew what %s should hold: %s", path, error)
        return None
    if not whole:
        logger.warning("computing anew what %s should hold: it is damaged or foreign", path)
        return None
    return tensors


def write(path: Path, canonical: str, tensors: Mapping[str, Tensor]) -> None:
    """Put the file in its place in one step, and on the disk."""
    content = save(dict(tensors), metadata(canonical, tensors))
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
