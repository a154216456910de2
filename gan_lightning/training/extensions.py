"""Callbacks and loggers of the user: built from the config, checked, and contained when they fail.

What happens when one raises:

* a callback in training: a checkpoint is saved, and the run ends with one line;
* a logger, or a callback that is asked for its state: one warning, and training goes on without it;
* a picture: one warning, and training goes on (`gan_lightning.callbacks.figures`).
"""

from __future__ import annotations

import inspect
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from types import NoneType
from typing import Any

from pytorch_lightning import Callback
from pytorch_lightning.callbacks import EarlyStopping, ProgressBar
from pytorch_lightning.loggers import Logger
from torch import Tensor

from gan_lightning.callbacks import Evaluation, list_checkpoints
from gan_lightning.config.schema import RunConfig
from gan_lightning.errors import UserError, summary, warn
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.import_path import import_object

__all__ = ["Extensions", "build_callbacks"]

LOGGER_METHODS = (
    "log_metrics",
    "log_hyperparams",
    "log_graph",
    "save",
    "after_save_checkpoint",
    "finalize",
)
PLAIN_TYPES = (bool, int, float, str, bytes, NoneType)
CALLBACK_METHODS = ("state_dict", "on_save_checkpoint", "on_exception")


def build_callbacks(config: RunConfig) -> list[Callback]:
    """Import the classes of `callbacks` of a config, and build an object of each.

    Raises:
        UserError: a class cannot be imported, is no Lightning callback, or does not take `init`.
    """
    return [
        _build_callback(f"callbacks[{index}]", entry["class"], entry.get("init", {}))
        for index, entry in enumerate(config.callbacks)
    ]


def _build_callback(key: str, path: str, init: dict[str, Any]) -> Callback:
    owner = import_object(path)
    if not isinstance(owner, type):
        kind = f"an object of {type(owner).__name__}" if isinstance(owner, Callback) else "no class"
        raise UserError(
            f"{key}.class is {path!r}, which is {kind}; name a class that derives from "
            f"pytorch_lightning.Callback, and give its arguments in init"
        )
    if not issubclass(owner, Callback):
        raise UserError(f"{key}.class is {path!r}, {_not_derived(owner, Callback)}")
    try:
        inspect.signature(owner).bind(**init)
    except TypeError as error:
        signature = f"{owner.__name__}{inspect.signature(owner)}"
        raise UserError(f"{key}.init does not fit {signature}: {error}") from error
    try:
        return owner(**init)
    except Exception as error:
        raise UserError(f"{key}: {path} cannot be built: {summary(error)}") from error


@dataclass(frozen=True)
class Extensions:
    """The callbacks and loggers of the user of one run.

    Args:
        callbacks: those of the config and those that were passed in Python.
        loggers: those that were passed in Python.
    """

    callbacks: Sequence[Callback] = ()
    loggers: Sequence[Logger] = ()

    def check(self) -> None:
        """Check the types, and that no two callbacks would overwrite each other's state.

        Raises:
            UserError: naming the callback or logger and the fix.
        """
        for index, callback in enumerate(self.callbacks):
            _check_object(f"callbacks[{index}]", callback, Callback)
        for index, logger in enumerate(self.loggers):
            _check_object(f"loggers[{index}]", logger, Logger)
        keys = Counter(callback.state_key for callback in self.callbacks if _has_state(callback))
        for key, count in keys.items():
            if count > 1:
                raise UserError(
                    f"{count} callbacks have the state key {key!r}, by which a checkpoint finds "
                    f"their state; override the property state_key of the class"
                )

    def with_defaults(self, defaults: Sequence[Callback]) -> list[Callback]:
        """Return all callbacks of a run: the user's come before the last one, the checkpoints.

        A progress bar of the user replaces the default one.
        """
        own_bar = any(isinstance(callback, ProgressBar) for callback in self.callbacks)
        kept = [c for c in defaults if not (own_bar and isinstance(c, ProgressBar))]
        return [*kept[:-1], *self.callbacks, kept[-1]]

    def stop_reason(self) -> str:
        """Describe which callback has stopped a run before its last update, and why."""
        for callback in self.callbacks:
            if isinstance(callback, EarlyStopping) and callback.stopping_reason_message:
                reason, _, _ = callback.stopping_reason_message.partition(" Signaling Trainer")
                return f"{type(callback).__name__}: {reason}"
        names = ", ".join(type(callback).__name__ for callback in self.callbacks)
        return f"a callback ({names})" if names else "trainer.should_stop"

    @contextmanager
    def contained(self) -> Iterator[None]:
        """Turn errors of loggers, and of what checkpoints ask callbacks for, into warnings.

        Inside the block methods of the objects are replaced; a logger that has failed does nothing
        any more. Without this an error could cost the checkpoint that is being saved.
        """
        guarded: list[tuple[Callback | Logger, str]] = [
            (logger, name) for logger in self.loggers for name in LOGGER_METHODS
        ]
        guarded += [(callback, name) for callback in self.callbacks for name in CALLBACK_METHODS]
        failed: set[int] = set()
        previous = [vars(owner).get(name) for owner, name in guarded]
        for owner, name in guarded:
            vars(owner)[name] = _guard(owner, name, failed)
        try:
            yield
        finally:
            for (owner, name), own in reversed([*zip(guarded, previous, strict=True)]):
                vars(owner).pop(name)
                if own is not None:  # of a LambdaCallback
                    vars(owner)[name] = own

    def describe(self, error: Exception, run: RunDirectory, updates: int) -> UserError | None:
        """Describe an error that a callback, or the evaluation, has raised in training.

        Args:
            error: what `Trainer.fit` has raised.
            run: directory of the run; its log gets the traceback.
            updates: updates made so far.

        Returns:
            The error as one line; None if another part of the program has raised it.
        """
        callback = _failed_callback(error)
        if isinstance(callback, Evaluation):
            name = "the evaluation"
        elif any(callback is own for own in self.callbacks):
            name = type(callback).__name__
        else:
            return None
        logging.getLogger("gan_lightning").error("%s failed", name, exc_info=error)
        if updates == 0:
            return UserError(f"{name} failed before the first update: {summary(error)}")
        saved = list_checkpoints(run.checkpoints)
        state = f"{saved[-1]} is saved" if saved else "there is no checkpoint"
        return UserError(
            f"{name} failed at update {updates:,}: {summary(error)}; {state}, and the traceback is "
            f"in {run.log}; when it is mended, resume the run by "
            f"`{command_line('gan-lightning', 'train', 'EXP', '--resume', run.path)}`"
        )


def _check_object(key: str, value: Any, base: type[Any]) -> None:
    if isinstance(value, type):
        name = value.__name__
        raise UserError(f"{key} is the class {name}; pass an object of it: {name}(…)")
    if not isinstance(value, base):
        raise UserError(f"{key} is {value!r}, {_not_derived(type(value), base)}")


def _not_derived(owner: type[Any], base: type[Any]) -> str:
    """Say that a class does not derive from a base class of `pytorch_lightning`, and the fix."""
    package = base.__module__.partition(".")[0]
    if any(parent.__module__.startswith("lightning.") for parent in owner.__mro__):
        return f"which derives from the package lightning; import from {package} instead"
    return f"which is no {base.__name__} of Lightning; derive it from {package}.{base.__name__}"


def _has_state(callback: Callback) -> bool:
    return type(callback).state_dict is not Callback.state_dict


def _guard(owner: Callback | Logger, name: str, failed: set[int]) -> Callable[..., Any]:
    method = getattr(owner, name)

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        if isinstance(owner, Logger) and id(owner) in failed:
            return None
        try:
            result = method(*args, **kwargs)
            if name == "state_dict":
                _check_plain(result)
            return result
        except Exception as error:
            logging.getLogger("gan_lightning").error("%s.%s", owner, name, exc_info=error)
            if id(owner) not in failed:
                failed.add(id(owner))
                warn(f"{type(owner).__name__}.{name}: {summary(error)}; {_consequence(owner)}")
            return {} if name == "state_dict" else None

    return call


def _consequence(owner: Callback | Logger) -> str:
    if isinstance(owner, Logger):
        return "training goes on without this logger"
    return "training goes on, and checkpoints may lack the state of this callback"


def _check_plain(state: Any) -> None:
    """Check that a state can be read back from a checkpoint, which executes no code.

    Raises:
        TypeError: it holds an object of another type than numbers, text, tensors and containers.
    """
    if type(state) is dict:
        for key, value in state.items():
            _check_plain(key)
            _check_plain(value)
    elif type(state) in (list, tuple):
        for value in state:
            _check_plain(value)
    elif type(state) not in PLAIN_TYPES and not isinstance(state, Tensor):
        raise TypeError(
            f"a state holds numbers, text, tensors, lists, tuples and dicts, and this one a "
            f"{type(state).__name__}"
        )


def _failed_callback(error: Exception) -> Callback | None:
    """Return the callback whose hook was being called when an error was raised.

    The innermost one: the evaluation calls hooks of others.
    """
    found, traceback = None, error.__traceback__
    while traceback is not None:
        callback = traceback.tb_frame.f_locals.get("callback")  # of Lightning's loop over callbacks
        found = callback if isinstance(callback, Callback) else found
        traceback = traceback.tb_next
    return found
