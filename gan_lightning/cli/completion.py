"""`completion`: print the script that makes a shell complete the words of a command line.

What an argument completes to stands next to it, in `cli/arguments.py`.
"""

from __future__ import annotations

import click
from click.shell_completion import (
    BashComplete,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError, nearest_first

__all__ = ["COMPLETION_VARIABLE", "completion", "set_up_completion"]

COMPLETION_VARIABLE = "_GAN_LIGHTNING_COMPLETE"
PROGRAM = "gan-lightning"

INSTALL = {
    "bash": "gan-lightning completion bash >> ~/.bashrc",
    "zsh": "gan-lightning completion zsh >> ~/.zshrc",
    "fish": "gan-lightning completion fish > ~/.config/fish/completions/gan-lightning.fish",
}


class BashKeys(BashComplete):
    """Completion in bash that adds no space after the `=` of a config key."""

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)",
        "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace",
    )


class ZshKeys(ZshComplete):
    """Completion in zsh that adds no space after the `=` of a config key."""

    source_template = ZshComplete.source_template.replace(
        "        compadd -U -V unsorted -a completions",
        """        local -a keys
        keys=(${(M)completions:#*=})
        completions=(${completions:#*=})
        compadd -U -V unsorted -a completions
        compadd -U -V unsorted -S '' -a keys""",
    )


SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashKeys,
    "fish": FishComplete,  # adds no space after a `=`
    "zsh": ZshKeys,
}


def set_up_completion() -> None:
    """Register the completion classes with click."""
    for shell in SHELLS.values():
        add_completion_class(shell)


@click.command()
@click.argument("shell", metavar="bash|zsh|fish")
@click.pass_context
@handle_errors
def completion(context: click.Context, shell: str) -> None:
    """Print a script that makes a shell complete commands, options, EXP, RUN and config keys.

    \b
    Examples:
      gan-lightning completion bash >> ~/.bashrc
      gan-lightning completion zsh >> ~/.zshrc
      gan-lightning completion fish > ~/.config/fish/completions/gan-lightning.fish
    """
    if shell not in SHELLS:
        raise UserError(f"shell {shell!r} is unknown; valid are {nearest_first(shell, SHELLS)}")
    click.echo(f"# to install: {INSTALL[shell]}, then start a new shell")
    click.echo(
        SHELLS[shell](context.find_root().command, {}, PROGRAM, COMPLETION_VARIABLE).source()
    )
