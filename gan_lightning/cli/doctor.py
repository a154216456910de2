"""`doctor`: what this machine has of what gan-lightning needs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from gan_lightning.cli.errors import handle_errors
from gan_lightning.utils.imports import gc_paused_imports

__all__ = ["doctor"]

SICK = 1
"""Exit code where something is red."""

COLOURS = {"ok": "green", "note": "yellow", "red": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For a bug report.")
@handle_errors
def doctor(as_json: bool) -> None:
    """Look at this machine: versions, devices, precision, data, weights, W&B, disk.

    Each line is ok, a note of what only some commands need, or red; what is not ok says what to do.
    Nothing is sent and no server is asked. The exit code is 1 where a line is red.

    \b
    Examples:
      gan-lightning doctor
      gan-lightning doctor --json > doctor.json
    """
    from gan_lightning.cli.machine_checks import OK, RED, examined

    findings = []
    with gc_paused_imports():
        for finding in examined():
            findings.append(finding)
            if not as_json:
                state = click.style(f"{finding.state:<4}", fg=COLOURS[finding.state])
                click.echo(f"{state}  {finding.what:<10}  {finding.says}")
                if finding.state != OK and finding.fix:
                    click.echo(f"{'':<16}  -> {finding.fix}")
    red = sum(finding.state == RED for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        click.echo("all that is needed is here" if not red else f"{red} red: mend these first")
    sys.exit(SICK if red else 0)
