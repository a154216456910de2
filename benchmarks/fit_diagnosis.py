"""Fit the trees of the diagnosis to one half of the corpus, and judge them on the other.

    pip install scikit-learn
    python benchmarks/fit_diagnosis.py

writes gan_lightning/diagnosis/forest.json, and prints the confusion matrix on the half of the
configurations that the trees have not seen, and the worst mistakes: with all signals, without those
of the game, which are off by default, and with the losses alone. `--judge` leaves the file as it
is. Each run is seen three times in fitting, with all, some and few signals, so that the trees know
what they can say without the others. It takes a minute on a CPU core.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from importlib import import_module
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

from diagnosis.halves import is_held_out
from diagnosis.records import read_records
from diagnosis.signals import signals_of_record
from diagnosis.states import STATES
from diagnosis_corpus import CORPUS

import gan_lightning.diagnosis
from gan_lightning.callbacks.live_diagnosis import ALARM, QUIET
from gan_lightning.diagnosis.diagnose import diagnose
from gan_lightning.diagnosis.features import features
from gan_lightning.diagnosis.forest import MISSING

__all__ = ["main"]

FILE = Path(gan_lightning.diagnosis.__file__).parent / "forest.json"
HEALTHY = ("improving", "converged")
GAME = ("game/",)
SAMPLES = (
    *("game/", "divergence/", "modes/", "classes/", "wasserstein/", "fd_", "samples/"),
    *("precision/", "recall/", "density/", "coverage/", "digit_score", "critic/"),
)
SIGNALS: dict[str, tuple[str, ...]] = {
    "all signals": (),
    "without game.enabled": GAME,
    "losses alone": SAMPLES,
}
"""Name -> beginnings of the names of signals that are left out."""

TREES = 80
LEAF = 3
SHARE = 0.3
"""Trees, runs in a leaf, and share of the features that a node chooses from."""


def main() -> None:
    """Fit, write and judge."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--judge", action="store_true", help="only judge the present trees")
    arguments = parser.parse_args()
    records = read_records(CORPUS)
    if not arguments.judge:
        fit([each for each in records if not is_held_out(each["configuration"])])
    held_out = [each for each in records if is_held_out(each["configuration"])]
    for name, without in SIGNALS.items():
        judge(name, held_out, without)
    agreement(records)


def fit(records: list[dict[str, Any]]) -> None:
    """Fit the trees, and write them."""
    forest = import_module("sklearn.ensemble").ExtraTreesClassifier
    known = [each for each in records if each["truth"]["diverged_at"] is None]
    rows = [
        (features(signals_of_record(each, without)), each["state"])
        for without in SIGNALS.values()
        for each in known
    ]
    names = sorted({name for found, _ in rows for name in found})
    table = [[max(MISSING, found.get(name, MISSING)) for name in names] for found, _ in rows]
    model = forest(
        TREES,
        min_samples_leaf=LEAF,
        max_features=SHARE,
        class_weight="balanced",
        random_state=0,
    )
    model.fit(table, [state for _, state in rows])
    trees = [nodes(each.tree_) for each in model.estimators_]
    content = {"states": list(model.classes_), "features": names, "trees": trees}
    FILE.write_text(json.dumps(content, separators=(",", ":")) + "\n")
    print(f"wrote {FILE}: {sum(map(len, trees))} nodes, {FILE.stat().st_size / 1000:.0f} kB")


def nodes(tree: Any) -> list[list[Any]]:
    """Return the nodes of a tree of scikit-learn as `Forest` reads them."""
    result: list[list[Any]] = []
    for index in range(tree.node_count):
        left = int(tree.children_left[index])
        if left < 0:
            votes = tree.value[index][0]
            result.append([round(100 * float(vote) / votes.sum()) for vote in votes])
        else:
            threshold = float(f"{tree.threshold[index]:.4g}")
            right = int(tree.children_right[index])
            result.append([int(tree.feature[index]), threshold, left, right])
    return result


def judge(name: str, records: list[dict[str, Any]], without: tuple[str, ...]) -> None:
    """Print how often the diagnosis is right, and what it takes for what."""
    found = [(each, diagnose(signals_of_record(each, without))) for each in records]
    pairs = Counter((each["state"], result.state) for each, result in found)
    totals = Counter(each["state"] for each in records)
    recalls = [pairs[state, state] / totals[state] for state in STATES if totals[state]]
    print(f"\n## {name}: {len(records)} runs, balanced accuracy {fmean(recalls):.3f}")
    for state in STATES:
        cells = " ".join(f"{pairs[state, named]:4}" for named in STATES)
        print(f"{state:<24}{cells}  {pairs[state, state] / max(1, totals[state]):.2f}")
    alarms = {
        kind: [
            result.probability_of_sickness >= ALARM
            for each, result in found
            if each["state"] in states
        ]
        for kind, states in (
            ("healthy", HEALTHY),
            ("sick", tuple(state for state in STATES if state not in (*HEALTHY, *QUIET))),
        )
    }
    for kind, raised in alarms.items():
        print(f"alarms: {sum(raised)} of {len(raised)} {kind} runs, {fmean(raised):.3f}")
    for low in (0.0, 0.4, 0.6, 0.8):
        right = [
            each["state"] == result.state
            for each, result in found
            if low <= result.probability < (low + 0.2 if low else 0.4) + (low == 0.8)
        ]
        if right:
            print(f"sure from {low:.0%} on: {fmean(right):.2f} of {len(right)} are right")
    wrong = [(result.probability, each, result) for each, result in found]
    wrong = [row for row in wrong if row[1]["state"] != row[2].state]
    for probability, each, result in sorted(wrong, key=lambda row: -row[0])[:6]:
        states = f"{each['state']}, called {result.state}"
        print(f"  {each['configuration']}: {states} with {probability:.2f}")


def agreement(records: list[dict[str, Any]]) -> None:
    """Print how often two seeds of one configuration end in the same state."""
    states: dict[str, list[str]] = defaultdict(list)
    for record in records:
        states[record["configuration"]].append(record["state"])
    same = [a == b for each in states.values() for a, b in combinations(each, 2)]
    print(f"\ntwo seeds of one configuration: {fmean(same):.2f} of {len(same)} pairs agree")


if __name__ == "__main__":
    main()
