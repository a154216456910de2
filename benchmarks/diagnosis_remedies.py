"""Retrain sick runs of the corpus with the remedies of their states, and count what is mended.

    python benchmarks/diagnosis_remedies.py --half fitting --every
    python benchmarks/diagnosis_remedies.py --half held_out --runs 40

The first line tries every remedy, by which their order was chosen; the second the first remedy of
each diagnosed state, on the half of the corpus that no choice was made on. A run is mended if it is
no more sick, though it may need more updates, and its excess is at most half of what it was, or
below 0.25 (digits: 0.6). Each run takes 5 to 30 seconds.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from diagnosis.configurations import Configuration
from diagnosis.halves import is_held_out
from diagnosis.quantities import tail_excess, truth_from
from diagnosis.records import read_records
from diagnosis.signals import signals_of_record
from diagnosis.states import FAR, state_of
from diagnosis.training import BASE, train_run
from diagnosis_corpus import CORPUS

from gan_lightning.config.load import load_config
from gan_lightning.config.schema import as_plain
from gan_lightning.diagnosis import diagnose, remedies_for
from gan_lightning.errors import UserError

__all__ = ["main"]

SICK = (
    "diverged",
    "discriminator_won",
    "discriminator_too_weak",
    "mode_collapse",
    "oscillating",
    "under_trained",
    "memorising",
)


def main() -> None:
    """Parse the command line, retrain, and print a table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--half", choices=("fitting", "held_out"), required=True)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--skip", type=int, default=0, help="runs of the half that are left out")
    parser.add_argument("--every", action="store_true", help="try every remedy of the true state")
    parser.add_argument("--output", type=Path, help="file to which a line of JSON a run is added")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    counts: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for record in chosen(arguments.half == "held_out", arguments.skip, arguments.runs):
        state = record["state"]
        config = as_plain(load_config(BASE, record["overrides"]))
        config["trainer"]["max_updates"] = record["updates"]
        named = state if arguments.every else str(diagnose(signals_of_record(record)).state)
        remedies = [each for each in remedies_for(named, config) if accepts(config, each[1])]
        for reason, overrides in remedies if arguments.every else remedies[:1]:
            result = retrain(record, overrides)
            counts[state, reason].append(result["mended"])
            line = {"configuration": record["configuration"], "state": state, "named": named}
            print(line, reason, result, flush=True)
            if arguments.output:
                with arguments.output.open("a") as file:
                    file.write(json.dumps({**line, "reason": reason, **result}) + "\n")
        if not remedies:
            counts[state, f"no remedy ({named})"].append(False)
    for (state, reason), mended in counts.items():
        print(f"{state:<24} {sum(mended):3} of {len(mended):3}  {reason}")
    every = [mended for each in counts.values() for mended in each]
    print(f"mended: {sum(every)} of {len(every)}")


def accepts(config: dict[str, Any], overrides: list[str]) -> bool:
    """Tell whether a run accepts overrides, as the command `diagnose` does."""
    try:
        load_config(config, overrides)
    except (UserError, ValueError):
        return False
    return True


def chosen(held_out: bool, skip: int, count: int) -> list[dict[str, Any]]:
    """Return sick runs of one half, the states in turn, one of each configuration."""
    of_state: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seen = set()
    for record in read_records(CORPUS):
        name = record["configuration"]
        if is_held_out(name) == held_out and record["state"] in SICK and name not in seen:
            seen.add(name)
            of_state[record["state"]].append(record)
    turns = max(map(len, of_state.values()))
    rows = [
        of_state[state][turn]
        for turn in range(turns)
        for state in SICK
        if turn < len(of_state[state])
    ]
    return rows[skip : skip + count]


def retrain(record: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Train a run of the corpus again with more overrides, and say what became of it."""
    updates = record["updates"]
    remaining = []
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "trainer.max_updates":
            updates = int(value)
        else:
            remaining.append(override)
    again = Configuration("again", (*record["overrides"], *remaining), updates)
    found = truth_from(train_run(again, record["seed"] + 100_000)["truth"])
    state = state_of(found)
    before = truth_from(record["truth"])
    excess = tail_excess(found) if found.points else 99.0
    was = tail_excess(before) if before.points else 99.0
    good = excess <= max(was / 2, FAR[found.shows_digits])
    still_short = state == "under_trained" and record["state"] != "under_trained"
    mended = (state in ("improving", "converged") or still_short) and good
    return {"then": state, "was": round(was, 2), "excess": round(excess, 2), "mended": mended}


if __name__ == "__main__":
    main()
