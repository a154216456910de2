"""Arguments and options that several commands share, with their shell completion."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from gan_lightning.config.overrides import check_override, is_override
from gan_lightning.errors import UserError

__all__ = [
    "Duration",
    "Seeds",
    "checkpoint_option",
    "complete_runs",
    "experiment_argument",
    "optional_experiment_argument",
    "overrides_argument",
    "run_argument",
]

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_SEEDS = 1000


def complete_experiments(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """List the names of experiments that begin with a word."""
    from gan_lightning.config.experiments import experiment_names

    return [name for name in experiment_names() if name.startswith(incomplete)]


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """List the experiments that have runs, and the run directories, that begin with a word."""
    directories = [config.parent for config in sorted(Path("runs").glob("*/*/config.yaml"))]
    experiments = dict.fromkeys(directory.parent.name for directory in directories)
    names = [*experiments, *map(str, directories)]
    return [name for name in names if name.startswith(incomplete)]


def complete_overrides(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """List the config keys of the command's experiment that begin with a word, each with a `=`."""
    if "experiment" not in context.params:
        return []
    experiment = context.params["experiment"]
    if not isinstance(experiment, str):
        return complete_experiments(context, parameter, incomplete)
    from gan_lightning.cli.config_keys import override_keys

    try:
        keys = override_keys(experiment)
    except (UserError, OSError):  # a shell has no place for an error message
        return []
    return [f"{key}=" for key in keys if key.startswith(incomplete)]


experiment_argument = click.argument(
    "experiment", metavar="EXP", shell_complete=complete_experiments
)
optional_experiment_argument = click.argument(
    "experiment", metavar="[EXP]", required=False, shell_complete=complete_experiments
)
run_argument = click.argument("run", metavar="RUN", shell_complete=complete_runs)
checkpoint_option = click.option(
    "--checkpoint",
    default="latest",
    show_default=True,
    metavar="latest|best",
    help="Checkpoint to load; best has the lowest fd_digits, FID, fd/random or distance of points.",
)


def overrides_argument(command: Command) -> Command:
    """Add the argument `[KEY=VALUE]...` after the command's first argument.

    Overrides may stand anywhere on the line, before the first argument too.
    """
    argument = click.argument(
        "overrides",
        metavar="[KEY=VALUE]...",
        nargs=-1,
        callback=_separate_overrides,
        shell_complete=complete_overrides,
    )
    return argument(command)


def _separate_overrides(
    context: click.Context, parameter: click.Parameter, words: Sequence[str]
) -> list[str]:
    """Return the overrides among all positional words, and give the first argument the other word.

    Raises:
        click.UsageError: a word is neither, or the first argument is required and missing.
    """
    first = next(part for part in context.command.params if isinstance(part, click.Argument))
    given = context.params.get(first.name)
    positional = [*([given] if isinstance(given, str) else []), *words]
    overrides = [word for word in positional if is_override(word)]
    others = [word for word in positional if not is_override(word)]
    context.params[first.name] = others[0] if others else None
    if context.resilient_parsing:
        return overrides
    if first.required and not others:
        raise click.MissingParameter(ctx=context, param=first)
    try:
        for word in [*others[1:], *overrides]:
            check_override(word)
    except UserError as error:
        hint = ", and several seeds are --seeds 0,1,2" if "seeds" in context.params else ""
        raise click.UsageError(f"{error}{hint}", context) from error
    return overrides


class Seeds(click.ParamType[tuple[int, ...]]):
    """Seeds separated by commas, each a whole number or a range: `0,1,2`, `0-4`."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse the text of the option."""
        if not isinstance(value, str):
            return tuple(value)
        seeds: list[int] = []
        for part in value.split(","):
            match = re.fullmatch(r"(-?\d+)(?:-(\d+))?", part.strip())
            if match is None:
                self.fail(f"{part!r} is not a seed; write seeds as 0,1,2 or 0-4", param, ctx)
            first = int(match[1])
            last = first if match[2] is None else int(match[2])
            if not 0 <= last - first < MAX_SEEDS:
                self.fail(f"{part!r} is not a range of 1 to {MAX_SEEDS} seeds", param, ctx)
            seeds += range(first, last + 1)
        return tuple(seeds)


class Duration(click.ParamType[float]):
    """A duration in minutes or hours, in minutes: `90m`, `10h`, `1.5h`."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse the text of the option."""
        if not isinstance(value, str):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([mh])", value.strip())
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a duration; write 90m or 10h", param, ctx)
        return float(match[1]) * (60 if match[2] == "h" else 1)
