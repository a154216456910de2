"""Run `gan-lightning` with the given arguments, and exit after the first generator update.

The command imports its heavy dependencies late. An import hook patches `BaseModule` when the
command imports it, so that no module is imported earlier than in a normal start.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class ExitAfterFirstUpdate(MetaPathFinder):
    """Import hook that patches `gan_lightning.core.module` when it is loaded."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return the module's spec with a loader that makes `log_update` exit the process."""
        if name != "gan_lightning.core.module":
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.loader is not None
        exec_module = spec.loader.exec_module

        def exec_and_patch(module: ModuleType) -> None:
            exec_module(module)
            module.BaseModule.log_update = lambda *args, **kwargs: os._exit(0)

        spec.loader.exec_module = exec_and_patch  # type: ignore[method-assign]  # intended
        return spec


if __name__ == "__main__":
    sys.meta_path.insert(0, ExitAfterFirstUpdate())
    from gan_lightning.cli.main import main

    main(sys.argv[1:])
