"""Decompress the embedded digits in a thread while torch is being imported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from gan_lightning.errors import UserError

__all__ = ["prefetch_digits"]


def prefetch_digits(source: dict[str, Any], overrides: Sequence[str]) -> None:
    """Start to decompress the embedded digits in a thread if a config seems to use MNIST.

    The config has not been checked yet. A wrong guess only costs time, and a file that cannot be
    read is reported when the dataset reads it.

    Args:
        source: content of an experiment's YAML file, from `read_yaml`.
        overrides: `key=value`.
    """
    section = source.get("data")
    names = [section.get("name")] if isinstance(section, dict) else []
    names += [
        override.partition("=")[2] for override in overrides if override.startswith("data.name=")
    ]
    if names[-1:] == ["mnist"]:
        from gan_lightning.assets.loader import MD5, read_idx

        def read() -> None:
            with suppress(UserError):
                for name in MD5:
                    read_idx(name)

        Thread(target=read, daemon=True).start()
