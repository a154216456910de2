"""Command lines that a person could have mistyped, more of them than the suite tries."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

from soaking.reliability import Part


def fuzzing(cases: int, folder: Path) -> Part:
    """Give mistyped command lines, and train what is accepted of the small worlds."""
    # imported here: it reads all experiments, which no other part needs
    from fuzzing import command_lines, outcome_of
    from hypothesis import HealthCheck, given, settings

    part = Part(
        "mistyped command lines",
        "one line and exit code 2, or accepted; seconds of the processor each",
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
    def each(words: list[str]) -> None:
        said, took = outcome_of(words)
        seconds[said].append(took)

    try:
        each()
    except Exception as error:  # whatever it is, it is what the soak looks for
        part.failures.append(f"{type(error).__name__}: {str(error)[:500]}")
    for said, took in seconds.items():
        if took:
            part.figures[said] = (
                f"{len(took)}; median {median(took):.3f} s, at most {max(took):.2f} s"
            )
    if seconds["refused"] and median(seconds["refused"]) > 1:
        part.failures.append("a mistake takes more than a second to be found")
    return part
