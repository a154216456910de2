"""Check that stored results of earlier revisions are those of today's code.

Each experiment is trained for a few updates with the code of the revision that its results name,
and with today's, on this machine; the weights must be equal in all bits. What is found is written
to docs/earlier_results.json, and results whose bits differ decide no claim.

    python benchmarks/earlier_results.py [EXPERIMENT ...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from gan_lightning.results.earlier import Trial, read_trials, write_trials
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.records import Results, results_folder
from gan_lightning.runs.environment import git_revision

CHECKOUT = Path(__file__).parents[1]
UPDATES = 20
TIMEOUT = 900
SHORT = (
    f"trainer.max_updates={UPDATES}",
    "evaluation.every_n_updates=0",
    "evaluation.samples=100",
    "checkpoints.every_n_updates=10",
    "pictures.every_n_updates=0",
    "log.wandb=disabled",
)


def main(arguments: Sequence[str]) -> None:
    """Compare the named experiments, or all that have results, and store what is found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("experiment", nargs="*", help="by default all that have results")
    names = parser.parse_args(arguments).experiment
    today = git_revision()
    if today is None or today.endswith("-dirty"):
        sys.exit("the package differs from its commit; commit it first, so that it has a name")
    known = [r for r in read_known_results(results_folder()) if not names or r.experiment in names]
    for experiment, revision in _pairs(known):
        if revision == today:
            continue
        equal = _equal(experiment, revision)
        print(f"{experiment} of {revision[:8]}: {_text(equal)}", flush=True)
        trials = read_trials(results_folder())
        trials[experiment, revision] = Trial(today, UPDATES, equal)
        write_trials(results_folder(), trials)


def _pairs(known: Sequence[Results]) -> list[tuple[str, str]]:
    """List experiments with the committed revisions of their results; variations are left out."""
    return sorted(
        {
            (results.experiment, str(run.versions["revision"]))
            for results in known
            if not results.is_outdated and results.name == results.experiment
            for run in results.runs
            if run.versions.get("revision") and not run.is_dirty
        }
    )


def _text(equal: bool | None) -> str:
    return {True: "equal", False: "different", None: "that code does not train it"}[equal]


def _equal(experiment: str, revision: str) -> bool | None:
    """Train with both trees; None where one of them fails."""
    with _tree(revision) as earlier, tempfile.TemporaryDirectory() as folder:
        weights = []
        for number, tree in enumerate((earlier, CHECKOUT)):
            output = Path(folder, str(number))
            words = ["train", experiment, *SHORT, "--output", str(output)]
            done = subprocess.run(
                [sys.executable, "-m", "gan_lightning", *words],
                cwd=tree,
                env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
            )
            files = sorted(output.glob("checkpoints/*.ckpt"))
            if done.returncode not in (0, 1) or not files:  # 1: a claim of so short a run fails
                print(done.stderr[-500:], file=sys.stderr)
                return None
            weights.append(torch.load(files[-1], weights_only=True)["state_dict"])
    first, second = weights
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


@contextmanager
def _tree(revision: str) -> Iterator[Path]:
    """Check a revision out into a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        git = ["git", "-C", str(CHECKOUT), "worktree"]
        subprocess.run(
            [*git, "add", "--detach", str(tree), revision], check=True, capture_output=True
        )
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True, capture_output=True)


if __name__ == "__main__":
    main(sys.argv[1:])
