"""Commands `list` and `show`: list the experiments, and print the config of one."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gan_lightning.cli.arguments import experiment_argument, overrides_argument
from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["list_experiments", "show"]


@click.command("list")
@handle_errors
def list_experiments() -> None:
    """List the experiments with their paper, dataset and claims.

    \b
    Example:
      gan-lightning list
    """
    from gan_lightning.config.experiments import experiment_names, read_yaml
    from gan_lightning.results.claims import format_bound
    from gan_lightning.utils.tables import text_table

    rows = [("experiment", "paper", "data", "claim")]
    for name, path in experiment_names().items():
        content = read_yaml(path)
        claims = content.get("claims") or []
        rows.append(
            (
                name,
                str(content.get("paper") or "ours"),
                str((content.get("data") or {}).get("name", "")),
                "; ".join(format_bound(claim) for claim in claims) or "-",
            )
        )
    click.echo(text_table(rows))


@click.command()
@experiment_argument
@overrides_argument
@handle_errors
def show(experiment: str, overrides: Sequence[str]) -> None:
    """Print the complete config of EXP as YAML, defaults and overrides included.

    The keys of your own classes are read from the source of their files, which are not imported.

    \b
    Example:
      gan-lightning show infogan_mnist model.continuous_codes=3
    """
    from gan_lightning.config.experiments import experiment_path, read_yaml
    from gan_lightning.config.load import load_config, to_yaml

    with gc_paused_imports():
        config = load_config(
            read_yaml(experiment_path(experiment)), list(overrides), import_own=False
        )
    click.echo(to_yaml(config), nl=False)
