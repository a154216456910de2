"""`list` and `show`: which experiments there are, and what is in one."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gan_lightning.commands.failures import for_people
from gan_lightning.commands.words import overrides_argument
from gan_lightning.startup import quick_imports

__all__ = ["list_experiments", "show"]


@click.command("list")
@for_people
def list_experiments() -> None:
    """List the experiments: name, paper, data, claim.

    \b
    Example:
      gan-lightning list
    """
    from gan_lightning.claims import bound_in_short
    from gan_lightning.experiment_files import experiment_names, read_yaml
    from gan_lightning.tables import text_table

    rows = [("experiment", "paper", "data", "claim")]
    for name, path in experiment_names().items():
        content = read_yaml(path)
        claims = content.get("claims") or []
        rows.append(
            (
                name,
                str(content.get("paper") or "ours"),
                str((content.get("data") or {}).get("name", "")),
                "; ".join(bound_in_short(claim) for claim in claims) or "-",
            )
        )
    click.echo(text_table(rows))


@click.command()
@click.argument("experiment", metavar="EXP")
@overrides_argument
@for_people
def show(experiment: str, overrides: Sequence[str]) -> None:
    """Print EXP with every key resolved: what a run of it would use.

    \b
    Example:
      gan-lightning show infogan_mnist model.continuous_codes=3
    """
    from gan_lightning.config import load_config, to_yaml
    from gan_lightning.experiment_files import experiment_path, read_yaml

    with quick_imports():
        config = load_config(read_yaml(experiment_path(experiment)), list(overrides))
    click.echo(to_yaml(config), nl=False)
