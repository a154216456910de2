"""Command `doctor`: check this machine for what gan-lightning needs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from gan_lightning.cli.errors import handle_errors
from gan_lightning.cli.next_step import suggest
from gan_lightning.utils.imports import fast_imports

__all__ = ["doctor"]

EXIT_FAILED = 1
"""Exit code where a check has failed."""

COLOURS = {"ok": "green", "note": "yellow", "red": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a bug report.")
@handle_errors
def doctor(as_json: bool) -> None:
    """Check versions, devices, precision, data, weights, W&B and disk of this machine.

    A line is `ok`, a `note` about something that only some commands need, or `red`; a note and a
    red line name the fix. Nothing is sent and no server is contacted. The exit code is 1 where a
    line is red.

    \b
    Examples:
      gan-lightning doctor
      gan-lightning doctor --json > doctor.json
    """
    from gan_lightning.cli.machine_checks import OK, RED, run_checks

    findings = []
    with fast_imports():
        for finding in run_checks():
            findings.append(finding)
            if not as_json:
                state = click.style(f"{finding.state:<4}", fg=COLOURS[finding.state])
                click.echo(f"{state}  {finding.check:<10}  {finding.message}")
                if finding.state != OK and finding.fix:
                    click.echo(f"{'':<16}  -> {finding.fix}")
    failed = sum(finding.state == RED for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        click.echo(
            f"{failed} red: fix these first" if failed else "nothing that is needed is missing"
        )
        suggest("doctor" if failed else "demo")
    sys.exit(EXIT_FAILED if failed else 0)
