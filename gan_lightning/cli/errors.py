"""A command's failure in one line: a user's mistake, an interrupt, a full disk."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from gan_lightning.distributed.environment import is_first_process
from gan_lightning.errors import Diverged, ProcessLost, UserError, storage_error, storage_fix

__all__ = ["Failure", "handle_errors"]

STOP_SIGNALS: tuple[signal.Signals, ...] = (signal.SIGTERM,)
"""Signals that end a command, in addition to SIGINT."""
if sys.platform != "win32":
    STOP_SIGNALS += (signal.SIGUSR1,)

DIVERGED = 3
"""Exit code of a run whose numbers are no longer finite."""

LOST = 1
"""Exit code of a process whose run has lost another."""

PATIENCE = 5.0
"""Seconds in which the first process of a run tells a mistake that all of them find."""

Command = TypeVar("Command", bound=Callable[..., Any])


class Failure(click.ClickException):
    """A user's mistake: one line, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the line."""
        line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in self.format_message())
        click.echo(f"gan-lightning: {line}", err=True)


def handle_errors(command: Command) -> Command:
    """Turn a UserError and an interrupt, by Ctrl-C, SIGTERM or SIGUSR1, into one line.

    Of what all processes of a run end by, only the first one speaks.
    """

    def patient(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except UserError:
            if not is_first_process():  # whose launcher ends this one when the first has spoken
                time.sleep(PATIENCE)
            raise

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        # the others have nothing to clear away, and may be waiting where Python hears no signal
        numbers = STOP_SIGNALS if is_first_process() else ()
        before = {number: signal.signal(number, _interrupt) for number in numbers}
        try:
            return patient(*args, **kwargs)
        except UserError as error:
            raise Failure(str(error)) from error
        except Diverged as error:
            if is_first_process():
                click.echo(f"gan-lightning: training diverged at {error}", err=True)
            sys.exit(DIVERGED)
        except ProcessLost:
            sys.exit(LOST)
        except KeyboardInterrupt as interrupt:
            if is_first_process():
                click.echo(
                    "gan-lightning: interrupted; a run that has a checkpoint goes on by "
                    "`gan-lightning train EXP --resume`",
                    err=True,
                )
            sys.exit(128 + (interrupt.args or (signal.SIGINT,))[0])
        except Exception as error:  # raised again unless the disk is behind it
            if (cause := storage_error(error)) is None:
                raise
            where = f" {cause.filename}" if cause.filename else ""
            raise Failure(
                f"cannot write{where}: {cause.strerror}; {storage_fix(cause)}, then go on by "
                f"`gan-lightning train EXP --resume` where a run has a checkpoint"
            ) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    return run  # type: ignore[return-value]  # wraps keeps the signature


def _interrupt(number: int, _: Any) -> None:
    raise KeyboardInterrupt(number)
