"""Command `diagnose`: say what state runs are in, and what to change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gan_lightning.cli.arguments import complete_runs
from gan_lightning.cli.errors import handle_errors
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from gan_lightning.diagnosis import Diagnosis
    from gan_lightning.runs.directory import RunDirectory

__all__ = ["diagnose"]

ALSO_FROM = 0.15
"""Probability from which on another state is named too."""


@click.command()
@click.argument("runs", metavar="[RUN…]", nargs=-1, shell_complete=complete_runs)
@click.option(
    "--losses",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Diagnose a file of both players' losses, of any program, instead of a run.",
)
@click.option(
    "--objective",
    help="Losses in the file, as values of model.objective, or wasserstein; without it their "
    "levels mean nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the diagnoses as JSON.")
@handle_errors
def diagnose(
    runs: Sequence[str], losses: Path | None, objective: str | None, as_json: bool
) -> None:
    """Say what state runs are in, with the evidence, and what to change.

    A run may still be training. The states are healthy and still improving, converged,
    under-trained, mode collapse, a discriminator that has won or is too weak, oscillating,
    memorising, and diverged. How often the answer is right is measured: docs/diagnosis.md.

    \b
    Examples:
      gan-lightning diagnose gan_grid
      gan-lightning diagnose runs/gan_ring/2026-11-23_10-00-00 unrolled_ring
      gan-lightning diagnose --losses losses.csv --objective non_saturating
    """
    if (losses is None) == (not runs):
        raise UserError("diagnose needs RUNs, or --losses FILE.csv")
    if objective is not None and losses is None:
        raise UserError("--objective is for --losses FILE.csv; a run has it in its config")
    from gan_lightning.diagnosis import diagnose as diagnosis_of
    from gan_lightning.diagnosis import signals_of_losses, signals_of_run
    from gan_lightning.runs.models import find_trained

    found: dict[str, tuple[Diagnosis, RunDirectory | None]] = {}
    if losses is not None:
        found[str(losses)] = diagnosis_of(signals_of_losses(losses, objective)), None
    for run in map(find_trained, runs):
        signals = signals_of_run(run)
        if any(name.startswith("loss/classifier/") for name in signals.names):
            raise UserError(f"run {str(run.path)!r} trained a classifier; choose a run of a GAN")
        found[str(run.path)] = diagnosis_of(signals), run
    if as_json:
        content = {name: _as_json(result) for name, (result, _) in found.items()}
        click.echo(json.dumps(content, indent=2))
        return
    for number, (name, (result, directory)) in enumerate(found.items()):
        lines = [*_describe(name, result), *(_commands(directory, result) if directory else ())]
        click.echo("\n" * bool(number) + "\n".join(lines))


def _as_json(result: Diagnosis) -> dict[str, object]:
    return {
        "state": result.state,
        "is_clear": result.is_clear,
        "probabilities": {name: round(value, 3) for name, value in result.probabilities.items()},
        "evidence": result.evidence,
        "missing": result.missing,
    }


def _describe(name: str, result: Diagnosis) -> Iterator[str]:
    """Yield the lines that say what state a run is in."""
    from gan_lightning.diagnosis import STATES

    if result.about is None:
        yield f"{name}: {result.verdict}; {'; '.join(result.missing)}"
        return
    yield f"{name}: {result.verdict}"
    if result.is_clear:
        yield f"  {result.about.meaning}"
    others = [
        f"{STATES[state].title} ({probability:.0%})"
        for state, probability in result.probabilities.items()
        if state != result.state and probability >= ALSO_FROM
    ]
    yield from (f"  - {each}" for each in result.evidence)
    if others:
        yield f"  it may also be: {', '.join(others)}"
    if result.missing:
        yield f"  it would be surer with more signals: {'; '.join(result.missing)}"


def _commands(run: RunDirectory, result: Diagnosis) -> Iterator[str]:
    """Yield what to change in a run, as commands that it accepts."""
    from gan_lightning.config.load import load_config
    from gan_lightning.training.advice import accepted_remedies
    from gan_lightning.training.build import build
    from gan_lightning.utils.commands import command_line

    if not result.is_clear:
        return
    config = load_config(run.raw_config())
    try:
        _, data = build(config)
    except UserError as error:
        yield f"  what to change is not known, because the run could not be trained here: {error}"
        return
    accepted = accepted_remedies(config, data, result.state or "")
    if accepted:
        yield "  what to change, in the order of what has helped most often:"
    for number, (reason, overrides) in enumerate(accepted, 1):
        yield f"  {number}. {reason}"
        words = ("gan-lightning", "train", run.config_file, *overrides)
        yield f"     {command_line(*words)}"
