"""A command's first seconds, nearly all of which are spent importing torch and Lightning."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

from gan_lightning.errors import UserError

__all__ = ["quick_imports", "read_ahead"]


@contextmanager
def quick_imports() -> Iterator[None]:
    """Keep the garbage collector away from what is imported inside the block, for good.

    Torch and Lightning make a million objects that live as long as the process. Looking through
    them again and again takes a fifth of the time of their imports, and a second at the end.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


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
        from gan_lightning.embedded import MD5, read_idx

        def read() -> None:
            with suppress(UserError):
                for name in MD5:
                    read_idx(name)

        Thread(target=read, daemon=True).start()
