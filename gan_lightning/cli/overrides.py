"""How the words of a command line are read: overrides anywhere, several seeds after one option."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

__all__ = ["TAKE_OVERRIDES", "insert_override_flags", "overrides_argument"]

Command = TypeVar("Command", bound=Callable[..., Any])
OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=", re.DOTALL)
WHOLE_NUMBER = re.compile(r"-?\d+")

TAKE_OVERRIDES = ("train", "show", "verify", "evaluate", "sweep")
"""Commands after which a word `key=value` is an override."""

TAKE_ANY_WORD = ("--output", "--runs", "--name")
"""Options whose value may look like an override."""


def overrides_argument(command: Command) -> Command:
    """Take the `key=value` words of the line."""
    decorated = click.option("overrides", "--set", multiple=True, hidden=True)(command)
    return decorated


def insert_override_flags(words: Sequence[str]) -> list[str]:
    """Put the option that click wants before each override, and before each seed but the first."""
    line: list[str] = []
    takes_overrides = bool(words) and words[0] in TAKE_OVERRIDES
    for word in words:
        follows_option = bool(line) and line[-1] in TAKE_ANY_WORD
        override = takes_overrides and not follows_option and OVERRIDE.match(word)
        another_seed = line[-2:-1] == ["--seeds"] and WHOLE_NUMBER.fullmatch(word)
        line += ["--set", word] if override else ["--seeds", word] if another_seed else [word]
    return line
