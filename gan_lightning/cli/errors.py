"""Report the failure of a command in one line, with an exit code."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, TypeVar

import click

from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import (
    Diverged,
    ProcessLost,
    UserError,
    is_out_of_memory,
    storage_error,
    storage_fix,
)

__all__ = ["CommandError", "handle_errors"]

EXIT_DIVERGED = 3
"""Exit code of a run whose losses or weights are not finite."""

EXIT_PROCESS_LOST = 1
"""Exit code of a process after another process of the same run has ended."""

GRACE_SECONDS = 5.0
"""Seconds that the other processes of a run leave the first one for its error message."""

CONTINUATIONS = {
    "train": "resume a run that has a checkpoint by `gan-lightning train EXP --resume`",
    "verify": "run the same command again to continue",
    "sweep": "run the same command again to continue",
}
"""Command -> how it is continued; other commands have nothing to continue."""

SIGNALS = [
    number
    for name in ("SIGTERM", "SIGUSR1")  # Windows has no SIGUSR1
    if (number := getattr(signal, name, None)) is not None
]

Command = TypeVar("Command", bound=Callable[..., Any])


class CommandError(click.ClickException):
    """An error that the user can fix: one line on stderr, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the line, with control characters escaped."""
        line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in self.format_message())
        click.echo(f"gan-lightning: {line}", err=True)


def handle_errors(command: Command) -> Command:
    """Make a command report each expected failure in one line and exit with its code.

    These are: an error that the user can fix, a run that diverged, a full or read-only disk, and an
    interrupt by Ctrl-C, SIGTERM or SIGUSR1. Where several processes train one run, only the first
    one prints.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except UserError:
            if not is_first_process():
                # All processes find the same error. The launcher ends this one when the first one
                # has printed its line.
                time.sleep(GRACE_SECONDS)
            raise

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        # The other processes have nothing to save, and may wait in a call that no Python handler
        # interrupts.
        signals = SIGNALS if is_first_process() else []
        previous = {number: signal.signal(number, _interrupt) for number in signals}
        try:
            return call(*args, **kwargs)
        except UserError as error:
            raise CommandError(str(error)) from error
        except Diverged as error:
            _print_and_exit(f"training diverged at {error}", EXIT_DIVERGED)
        except ProcessLost:
            sys.exit(EXIT_PROCESS_LOST)
        except KeyboardInterrupt as interrupt:
            _print_and_exit(
                "; ".join(["interrupted", *_continuation()]),
                128 + (interrupt.args or (signal.SIGINT,))[0],
            )
        except Exception as error:  # raised again unless memory or the disk is the cause
            if is_out_of_memory(error):
                raise CommandError(
                    "the memory of this machine is too small for this config; use fewer data, a "
                    "smaller data.batch_size or a smaller network"
                ) from error
            if (cause := storage_error(error)) is None:
                raise
            file = f" {cause.filename}" if cause.filename else ""
            fix = ", then ".join([storage_fix(cause), *_continuation()])
            raise CommandError(f"cannot write{file}: {cause.strerror}; {fix}") from error
        finally:
            # a repeated signal must not change the exit code while the interpreter ends
            exiting = sys.exception()
            codes = [128 + number for number in SIGNALS]
            stopped = isinstance(exiting, SystemExit) and exiting.code in codes
            for number, handler in previous.items():
                signal.signal(number, signal.SIG_IGN if stopped else handler)

    return run  # type: ignore[return-value]  # wraps keeps the signature


def _continuation() -> list[str]:
    """Return how the command in progress is continued, or nothing."""
    context = click.get_current_context(silent=True)
    line = CONTINUATIONS.get(context.info_name or "") if context else None
    return [] if line is None else [line]


def _print_and_exit(line: str, code: int) -> NoReturn:
    """Print a line from the first process, and exit."""
    if is_first_process():
        click.echo(f"gan-lightning: {line}", err=True)
    sys.exit(code)


def _interrupt(number: int, _: Any) -> None:
    raise KeyboardInterrupt(number)
