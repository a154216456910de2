"""Train decided claims again, at seeds that nobody has used, and count how many verdicts agree.

    .venv/bin/python benchmarks/rerun_claims.py --claims 20 --seeds 1000-1004 --jobs 2

draws claims at random among those of docs/results that hold or fail, whose runs take a few minutes
and depend on the seed. It verifies their experiments, and the ones that these are compared with,
and writes docs/reruns.md. Finished runs are reused, so that an interrupted call can be repeated.

A rerun meets a claim where the mean over its seeds, or each seed where the claim says so, satisfies
the bound; a claim that compares two experiments is judged by the new means of both. A verdict
agrees where the rerun meets a claim that holds, or misses a claim that fails.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from gan_lightning.cli.arguments import Seeds
from gan_lightning.config.claim import Claim
from gan_lightning.results.aggregate import format_mean_sd, mean
from gan_lightning.results.claims import ClaimRow, check_run
from gan_lightning.results.judging import judge_claims
from gan_lightning.results.outdated import hold_against_today
from gan_lightning.results.records import Results, read_all_results, results_folder
from gan_lightning.utils.files import atomic_write
from gan_lightning.utils.hardware import format_machine
from gan_lightning.utils.tables import markdown_table

__all__ = ["Drawn", "draw", "meets", "rerun_page"]

PAGE = Path(__file__).parents[1] / "docs" / "reruns.md"


@dataclass(frozen=True)
class Drawn:
    """A decided claim, as it was judged before the rerun."""

    results: Results
    claim: Claim
    row: ClaimRow

    @property
    def experiments(self) -> list[str]:
        """The experiment of the claim, after the one that it is compared with."""
        other = self.claim.above or self.claim.below
        return [*([other] if other else []), self.results.name]


def draw(
    known: Sequence[Results], count: int, minutes: float, seed: int
) -> tuple[list[Drawn], int]:
    """Draw decided claims at random, without replacement.

    Args:
        known: all stored results.
        count: claims to draw; all where there are fewer.
        minutes: longest mean time of a run of their experiments.
        seed: of the draw.

    Returns:
        The drawn claims in the order of `known`, and how many there were to draw from.
    """
    decided = [
        Drawn(results, claim, row)
        for results in known
        if results.name == results.experiment
        and any(len(set(results.values(metric))) > 1 for metric in results.measures)
        and fmean(run.minutes for run in results.runs) <= minutes
        for claim, row in zip(results.claims, judge_claims(results, known), strict=True)
        if row.verdict.holds is not None and not row.same_as
    ]
    chosen = random.Random(seed).sample(range(len(decided)), min(count, len(decided)))
    return [decided[index] for index in sorted(chosen)], len(decided)


def meets(claim: Claim, results: Results, known: Sequence[Results]) -> bool:
    """Tell whether the values of a rerun satisfy a claim, without asking how surely.

    Args:
        claim: a claim of the experiment.
        results: its rerun.
        known: reruns, among them that of the experiment that the claim is compared with.
    """
    other = claim.above or claim.below
    reference: float | str = ""
    if other:
        reference = mean(next(r for r in known if r.name == other).values(claim.metric))
    columns = [results.values(claim.metric)]
    columns.append(results.values(claim.floor.metric) if claim.floor else columns[0])
    seeds = list(zip(*columns, strict=True))
    if claim.aggregate == "mean":
        seeds = [(mean(columns[0]), mean(columns[1]))]
    met = [bool(check_run(claim, value, reference, floor).holds) for value, floor in seeds]
    return any(met) if claim.aggregate == "any" else all(met)


def rerun_page(
    drawn: Sequence[Drawn], candidates: int, minutes: float, reruns: Sequence[Results]
) -> str:
    """Return the Markdown page about a rerun.

    Args:
        drawn: claims from `draw`.
        candidates: how many there were to draw from.
        minutes: longest mean time of their runs.
        reruns: results of their experiments at new seeds, and of those that they are compared with.
    """
    rows = [["experiment", "claim", "verdict", "p", "measured before", "rerun", "rerun alone", ""]]
    agreed = 0
    for each in drawn:
        rerun = next(results for results in reruns if results.name == each.results.name)
        agrees = meets(each.claim, rerun, reruns) == each.row.verdict.holds
        agreed += agrees
        alone = judge_claims(rerun, reruns)[each.results.claims.index(each.claim)].verdict
        probability = each.row.verdict.probability
        rows.append(
            [
                each.results.name,
                f"`{each.row.bound}`",
                _word(each.row.verdict.holds),
                "-" if probability is None else f"{probability:.3f}",
                format_mean_sd(each.results.judged_values(each.claim.metric)),
                format_mean_sd(rerun.values(each.claim.metric)),
                _word(alone.holds),
                "agrees" if agrees else "**disagrees**",
            ]
        )
    seeds = ", ".join(str(run.seed) for run in reruns[0].runs)
    machines = sorted({format_machine(run.machine) for each in reruns for run in each.runs})
    return f"""# Reruns

Generated by `benchmarks/rerun_claims.py`, which says how claims are drawn and judged.

{len(drawn)} claims were drawn at random from the {candidates} that hold or fail, whose runs take at
most {minutes:g} minutes and depend on the seed, and were trained again with the seeds {seeds},
which no result on [the page of all claims](results.md) has used.
**{agreed} of {len(drawn)} verdicts agree.** *Rerun alone* is the verdict that the new seeds give by
themselves: an undecided one does not contradict a decided one, since a claim may need more seeds.
({"; ".join(machines)})

{markdown_table(rows)}"""


def _word(holds: bool | None) -> str:
    return "undecided" if holds is None else "holds" if holds else "fails"


def _verify(experiment: str, seeds: str, folder: Path) -> None:
    """Verify an experiment in a process of its own, on one thread."""
    arguments = [experiment, "--seeds", seeds]
    arguments += ["--runs", str(folder / "runs"), "--output", str(folder / "results")]
    command = [sys.executable, "-m", "gan_lightning", "verify", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(f"{experiment}: exit code {done.returncode}", flush=True)
    if done.returncode not in (0, 1):  # 1 where a claim fails
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")


def main() -> None:
    """Draw, verify, judge, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--claims", type=int, default=20, help="claims to draw; default 20")
    parser.add_argument("--minutes", type=float, default=5, help="longest run; default 5")
    parser.add_argument("--seeds", default="1000-1004", help="unused seeds; default 1000-1004")
    parser.add_argument("--draw", type=int, default=0, help="seed of the draw; default 0")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time; default 1")
    parser.add_argument("--folder", type=Path, default=Path("runs/reruns"))
    parser.add_argument("--list", action="store_true", help="only print the drawn claims")
    options = parser.parse_args()
    known = hold_against_today(read_all_results(results_folder()))
    drawn, candidates = draw(known, options.claims, options.minutes, options.draw)
    names = list(dict.fromkeys(name for each in drawn for name in each.experiments))
    for each in drawn:
        print(each.results.name, each.row.bound, each.row.verdict.text, sep=": ")
    wanted = set(Seeds().convert(options.seeds, None, None))
    used = {run.seed for each in known if each.name in names for run in each.runs} & wanted
    if used:
        parser.error(f"--seeds has {min(used)}, which stored results have used; choose others")
    if options.list:
        return
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda name: _verify(name, options.seeds, options.folder), names))
    reruns = read_all_results(options.folder / "results")
    wanted_reruns = [results for results in reruns if results.name in names]
    atomic_write(PAGE, rerun_page(drawn, candidates, options.minutes, wanted_reruns))
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
