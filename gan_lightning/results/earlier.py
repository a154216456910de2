"""Trials that show whether the results of an earlier revision are those of today's code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from gan_lightning.errors import UserError
from gan_lightning.results.records import Results
from gan_lightning.utils.files import atomic_write

__all__ = ["Trial", "Trials", "describe_trials", "differs", "read_trials", "write_trials"]

FILE = "earlier_results.json"

Trials = dict[tuple[str, str], "Trial"]
"""Experiment and revision of its results -> the trial."""


@dataclass(frozen=True)
class Trial:
    """A few updates of an experiment with the code of an earlier revision and with a later one.

    Attributes:
        compared_with: the later revision.
        updates: generator updates.
        equal: whether all weights were equal in all bits; None where the earlier code did not
            train the experiment.
    """

    compared_with: str
    updates: int
    equal: bool | None


def read_trials(folder: Path) -> Trials:
    """Read the trials of the results in a folder from the file beside it; none without a file.

    Raises:
        UserError: the file is damaged.
    """
    path = folder.resolve().with_name(FILE)
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            (experiment, revision): Trial(**trial)
            for experiment, revisions in content.items()
            for revision, trial in revisions.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({error}); make it by `python benchmarks/earlier_results.py`"
        ) from error


def differs(results: Results, trials: Trials) -> bool:
    """Return whether a trial has shown that a judged run is not that of today's code."""
    return any(trial.equal is False for trial in _trials_of(results, trials).values())


def describe_trials(results: Results, trials: Trials) -> list[str]:
    """Say for each earlier revision of the judged runs what its trial has shown."""
    return [
        f"{trial.updates} updates with the code of revision {revision[:8]} and with "
        f"{trial.compared_with[:8]} gave {'equal' if trial.equal else 'different'} weights."
        for revision, trial in _trials_of(results, trials).items()
        if trial.equal is not None
    ]


def _trials_of(results: Results, trials: Trials) -> dict[str, Trial]:
    """Return the trials of the revisions of the judged runs."""
    revisions = dict.fromkeys(str(run.versions.get("revision")) for run in results.judged_runs)
    keys = [(results.experiment, revision) for revision in revisions]
    return {key[1]: trials[key] for key in keys if key in trials}


def write_trials(folder: Path, trials: Trials) -> None:
    """Write the trials of the results in a folder to a file beside it."""
    content: dict[str, dict[str, object]] = {}
    for (experiment, revision), trial in sorted(trials.items()):
        content.setdefault(experiment, {})[revision] = asdict(trial)
    atomic_write(folder.resolve().with_name(FILE), json.dumps(content, indent=2) + "\n")
