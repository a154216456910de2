"""What a shell completes: commands, options, and by its metavar what an argument names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.overrides import TAKE_OVERRIDES, insert_override_flags
from gan_lightning.errors import UserError, nearest_first

__all__ = ["VARIABLE", "completion", "set_up_completion"]

VARIABLE = "_GAN_LIGHTNING_COMPLETE"
PROGRAM = "gan-lightning"

INSTALL = {
    "bash": "gan-lightning completion bash >> ~/.bashrc",
    "zsh": "gan-lightning completion zsh >> ~/.zshrc",
    "fish": "gan-lightning completion fish > ~/.config/fish/completions/gan-lightning.fish",
}


class _Names(ShellComplete):
    """Completes EXP, RUN and the keys of overrides in every command that says it takes them."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Complete as click does; where it knows nothing, by the metavar of what is missing."""
        found = super().get_completions(list(args), incomplete)
        if found or not args or not isinstance(self.cli, click.Group):
            return found
        command = self.cli.commands.get(args[0])
        if command is None:
            return found
        try:
            names = _missing_names(command, args)
        except (UserError, OSError):  # a shell is told nothing
            return found
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _missing_names(command: click.Command, args: list[str]) -> list[str]:
    """List the names that may stand where the cursor is."""
    words = insert_override_flags(args)
    options = [part for part in command.params if isinstance(part, click.Option)]
    for option in options:
        if words[-1] in option.opts and not (option.is_flag or option.count):
            return _named(option.metavar or "")
    given = command.make_context(args[0], words[1:], resilient_parsing=True).params
    for argument in command.params:
        if isinstance(argument, click.Argument) and (
            argument.nargs == -1 or not given.get(argument.name or "")
        ):
            return _named(argument.metavar or "")
    if args[0] in TAKE_OVERRIDES and (experiment := given.get("experiment")):
        from gan_lightning.cli.config_keys import override_keys

        return [f"{key}=" for key in override_keys(experiment)]
    return []


def _named(metavar: str) -> list[str]:
    """List what a metavar like EXP, RUN or [RUN] stands for."""
    if "EXP" in metavar:
        from gan_lightning.config.experiments import experiment_names

        return list(experiment_names())
    if "RUN" in metavar:
        configs = sorted(Path("runs").glob("*/*/config.yaml"))
        names = dict.fromkeys(path.parent.parent.name for path in configs)
        return [*names, *(str(path.parent) for path in configs)]
    return []


class _Bash(_Names, BashComplete):
    # a key is not the end of a word: its value follows
    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)",
        "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace",
    )


class _Zsh(_Names, ZshComplete):
    source_template = ZshComplete.source_template.replace(
        "        compadd -U -V unsorted -a completions",
        """        local -a keys
        keys=(${(M)completions:#*=})
        completions=(${completions:#*=})
        compadd -U -V unsorted -a completions
        compadd -U -V unsorted -S '' -a keys""",
    )


class _Fish(_Names, FishComplete):
    """Leaves no space after a `=` by itself."""


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "fish": _Fish, "zsh": _Zsh}


def set_up_completion() -> None:
    """Let click complete by these classes."""
    for shell in SHELLS.values():
        add_completion_class(shell)


@click.command()
@click.argument("shell", metavar="bash|zsh|fish")
@click.pass_context
@handle_errors
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, EXP, RUN and the keys of overrides.

    \b
    Examples:
      gan-lightning completion bash >> ~/.bashrc
      gan-lightning completion zsh >> ~/.zshrc
      gan-lightning completion fish > ~/.config/fish/completions/gan-lightning.fish
    """
    if shell not in SHELLS:
        raise UserError(f"shell {shell!r} is unknown; valid are {nearest_first(shell, SHELLS)}")
    click.echo(f"# installed by `{INSTALL[shell]}`, and a new shell")
    click.echo(SHELLS[shell](context.find_root().command, {}, PROGRAM, VARIABLE).source())
