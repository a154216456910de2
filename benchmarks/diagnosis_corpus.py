"""Train the corpus of runs whose state is known, on which a diagnosis can be judged.

    python benchmarks/diagnosis_corpus.py --resume

appends a line for each run to benchmarks/diagnosis/corpus.jsonl.gz, and skips those that it has; it
can be stopped at any moment. A part of the corpus is a fair sample of it, since the plans take
turns. `--limit 40 --output FILE` trains the first 40 runs only. `--summary` prints how many runs
and configurations there are of each state; `--relabel` computes all states anew from the measures
in the file, after a definition in diagnosis/states.py has changed.

The runs take some hours on a CPU core, each 5 to 30 seconds.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from diagnosis.configurations import planned_runs
from diagnosis.quantities import truth_from
from diagnosis.records import append_record, read_records, write_records
from diagnosis.states import STATES, state_of
from diagnosis.training import train_run

__all__ = ["main"]

CORPUS = Path(__file__).parent / "diagnosis" / "corpus.jsonl.gz"


def main() -> None:
    """Parse the command line, and train, relabel or summarise."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--limit", type=int, help="runs of the list, from its beginning")
    parser.add_argument("--output", type=Path, default=CORPUS)
    parser.add_argument("--resume", action="store_true", help="keep the runs of an existing file")
    parser.add_argument("--relabel", action="store_true", help="compute the states anew")
    parser.add_argument("--summary", action="store_true", help="count the states")
    arguments = parser.parse_args()
    if arguments.relabel:
        relabel(arguments.output)
    if arguments.relabel or arguments.summary:
        print(summary(arguments.output))
        return
    if arguments.output.exists() and not arguments.resume:
        parser.error(f"{arguments.output} exists; add --resume, or name another file")
    train(arguments.output, arguments.limit)


def train(output: Path, limit: int | None) -> None:
    """Train the first runs of the list that a file does not have, and append them to it.

    Runs of a configuration that has changed since are left out of the file.
    """
    torch.set_num_threads(1)
    planned = planned_runs()
    current = {(each.name, seed): [*each.overrides, each.updates] for each, seed in planned}
    records = [
        record
        for record in read_records(output)
        if current.get(run_of(record)) == [*record["overrides"], record["updates"]]
    ]
    write_records(output, records)
    done = set(map(run_of, records))
    for number, (configuration, seed) in enumerate(planned[:limit], 1):
        if (configuration.name, seed) in done:
            continue
        start = time.perf_counter()
        record = train_run(configuration, seed)
        append_record(output, record)
        seconds = time.perf_counter() - start
        print(f"{number:3} {configuration.name} {seed}: {record['state']}, {seconds:.1f} s")


def run_of(record: dict[str, Any]) -> tuple[str, int]:
    """Return the configuration and the seed of a record."""
    return record["configuration"], record["seed"]


def relabel(output: Path) -> None:
    """Compute the states of all runs anew from their measures, and compress the file as one."""
    records = read_records(output)
    for record in records:
        record["state"] = state_of(truth_from(record["truth"]))
    write_records(output, records)


def summary(output: Path) -> str:
    """Return the number of runs and configurations of each state, one state a line."""
    found: dict[str, list[str]] = defaultdict(list)
    for record in read_records(output):
        found[record["state"]].append(record["configuration"])
    lines = [f"{'state':<24} runs  configurations"]
    for state in STATES:
        lines.append(f"{state:<24} {len(found[state]):4}  {len({*found[state]}):4}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
