"""Mistyped command lines, more of them than the test suite tries."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

from soaking.reliability import Part


def fuzzing(cases: int, folder: Path) -> Part:
    """Run mistyped command lines; those that are valid by chance train a small experiment."""
    # imported here: it reads all experiments, which no other part needs
    from fuzzing import command_lines, outcome_of
    from hypothesis import HealthCheck, given, settings

    part = Part(
        "Mistyped command lines",
        "Each must end with one line and exit code 2, or be valid; CPU time of each.",
    )
    seconds: dict[str, list[float]] = {"accepted": [], "refused": []}
    os.chdir(folder)

    @given(words=command_lines())
    @settings(
        max_examples=cases,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def run(words: list[str]) -> None:
        outcome, took = outcome_of(words)
        seconds[outcome].append(took)

    try:
        run()
    except Exception as error:  # any exception is a finding
        part.failures.append(f"{type(error).__name__}: {str(error)[:500]}")
    for outcome, took in seconds.items():
        if took:
            part.measurements[outcome] = (
                f"{len(took)}; median {median(took):.3f} s, at most {max(took):.2f} s"
            )
    if seconds["refused"] and median(seconds["refused"]) > 1:
        part.failures.append("finding a mistake takes more than a second")
    return part
