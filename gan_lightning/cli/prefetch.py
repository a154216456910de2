"""Read the embedded digits in a thread while torch is being imported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from gan_lightning.errors import UserError

__all__ = ["read_ahead"]


def read_ahead(source: dict[str, Any], overrides: Sequence[str]) -> None:
    """Decompress the embedded digits beside the imports, for a config that seems to want them.

    The config is not checked yet: a wrong guess costs some work, and a file that cannot be read is
    reported by who needs it.

    Args:
        source: an experiment's YAML as `read_yaml` gives it.
        overrides: `key=value`.
    """
    section = source.get("data")
    names = [section.get("name")] if isinstance(section, dict) else []
    names += [word.partition("=")[2] for word in overrides if word.startswith("data.name=")]
    if names[-1:] == ["mnist"]:
        from gan_lightning.assets.loader import MD5, read_idx

        def read() -> None:
            with suppress(UserError):
                for name in MD5:
                    read_idx(name)

        Thread(target=read, daemon=True).start()
