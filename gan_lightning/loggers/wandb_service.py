"""W&B's process, `wandb-core`, which writes and sends what its client logs, and its directories."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["end_service", "keep_files_in", "kill_service", "service_has_ended"]


def keep_files_in(folder: Path) -> None:
    """Let W&B keep its own files in a folder where the home directory cannot be written.

    These are its logs, its settings, and the content of tables until it is uploaded; without a
    place for them no table can be logged.

    Args:
        folder: receives a folder `home` for each variable WANDB_{CACHE,CONFIG,DATA}_DIR that the
            user has not set.
    """
    import platformdirs

    defaults = {
        "WANDB_CACHE_DIR": platformdirs.user_cache_path("wandb"),
        "WANDB_CONFIG_DIR": Path("~", ".config", "wandb").expanduser(),
        "WANDB_DATA_DIR": platformdirs.user_data_path("wandb"),
    }
    for variable, default in defaults.items():
        if variable not in os.environ and not _is_writable(default):
            os.environ[variable] = str((folder / "home").resolve())


def _is_writable(folder: Path) -> bool:
    """Return whether files can be created in a folder, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def service_has_ended() -> bool:
    """Return whether W&B's process was started by this one and has ended."""
    with suppress(Exception):  # W&B's internals
        return bool(_process().poll() is not None)
    return False


def kill_service() -> None:
    """Kill W&B's process, so that calls which wait for it fail."""
    with suppress(Exception):  # W&B's internals
        _process().kill()


def end_service() -> None:
    """Kill W&B's process, which may be deaf, so that nothing waits for it, and forget it."""
    kill_service()
    with suppress(Exception, SystemExit):  # W&B's internals; it exits with its process's code
        from wandb.sdk import wandb_setup

        wandb_setup.teardown(1)


def _process() -> Any:
    from wandb.sdk import wandb_setup

    return wandb_setup.singleton()._connection._proc._process  # type: ignore[union-attr]
