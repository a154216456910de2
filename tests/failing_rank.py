"""A command line whose second process fails; Lightning starts that process with this file."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from gan_lightning.utils.imports import fast_imports

with fast_imports():
    from gan_lightning.cli.main import main
    from gan_lightning.core.module import BaseModule


def train(failure: str, words: Sequence[str]) -> None:
    """Run a command; the second process raises an error or is killed after ten updates.

    A resumed run may start at update ten, which the first process saves when it is left alone.
    """
    log_update = BaseModule.log_update

    def log_update_and_fail(self: BaseModule, *args: Any, **kwargs: Any) -> None:
        log_update(self, *args, **kwargs)
        if self.updates >= 10 and os.environ.get("LOCAL_RANK") == "1":
            if failure == "raise":
                raise ZeroDivisionError("on purpose")
            os.kill(os.getpid(), signal.SIGKILL)

    with patch.object(BaseModule, "log_update", log_update_and_fail):
        main(words)


if __name__ == "__main__":
    train(sys.argv[1], sys.argv[2:])
