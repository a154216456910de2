"""Diagnose a run: its state, how sure that is, and the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from gan_lightning.diagnosis.evidence import describe
from gan_lightning.diagnosis.features import features
from gan_lightning.diagnosis.forest import shipped_forest
from gan_lightning.diagnosis.signals import Signals
from gan_lightning.diagnosis.states import STATES, State

__all__ = ["Diagnosis", "diagnose"]

GAP = "auc/gap"
"""Feature by which memorising shows: the discriminator knows training data from test data."""

MANY = 5_000
"""Training data that a short run does not learn by heart."""

CLEAR = 0.4
"""Probability of a state below which there is no clear one."""

EQUILIBRIUM = "equilibrium/distance"
ARRIVED = 0.01
"""Distance from a known equilibrium, over the first one, at which the players have arrived."""
MOVED = 1.25
"""Factor by which that distance changes between thirds of a run that does not circle."""

LEAST_EVALUATIONS = 5
LEAST_ROWS = {True: 6, False: 20}
"""Rows of losses without which a run has no course to judge, with enough evaluations and without.
"""


@dataclass(frozen=True)
class Diagnosis:
    """What state a run is in.

    Args:
        state: one of `STATES`; None where too little is logged to say.
        probabilities: probability of each state, the largest first; empty where there is none.
        evidence: sentences about what was logged.
        missing: what would make it surer, as sentences.
    """

    state: str | None
    probabilities: Mapping[str, float]
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def probability(self) -> float:
        """Probability of the state, 0 where there is none."""
        return self.probabilities.get(self.state or "", 0.0)

    @property
    def verdict(self) -> str:
        """The state and how sure it is, in words."""
        if self.about is None:
            return "too early to say"
        if self.probability < CLEAR:
            return f"not clear, perhaps {self.about.title} ({self.probability:.0%})"
        return f"{self.about.title}, {self.probability:.0%} sure"

    @property
    def is_clear(self) -> bool:
        """Whether one state is clearly the most likely one."""
        return self.probability >= CLEAR

    @property
    def about(self) -> State | None:
        """What the state means."""
        return None if self.state is None else STATES[self.state]

    @property
    def probability_of_sickness(self) -> float:
        """Probability that the run is in a state in which something should be changed."""
        return sum(p for state, p in self.probabilities.items() if STATES[state].sick)


def diagnose(signals: Signals) -> Diagnosis:
    """Say what state a run is in.

    The probabilities are the votes of trees that were fitted to runs of points and of digits whose
    states are known; docs/diagnosis.md says how often they are right.

    Args:
        signals: what the run has logged.
    """
    if signals.diverged or signals.has_invalid_loss:
        return Diagnosis("diverged", {"diverged": 1.0}, ("a loss or a weight is not finite",))
    if signals.series(EQUILIBRIUM):
        return _of_known_equilibrium(signals)
    losses = len(signals.loss("discriminator").values)
    evaluations = len(signals.distance()[1].values)
    needed = LEAST_ROWS[evaluations >= LEAST_EVALUATIONS]
    if losses < needed:
        return Diagnosis(None, {}, (), (_too_early(losses, evaluations),))
    found = features(signals)
    votes = _possible(shipped_forest().vote(found), found, signals.training_data)
    ranked = dict(sorted(votes.items(), key=lambda pair: -pair[1]))
    state = next(iter(ranked))
    return Diagnosis(state, ranked, tuple(describe(STATES[state].evidence, found)), _missing(found))


def _of_known_equilibrium(signals: Signals) -> Diagnosis:
    """Say what state a game is in whose equilibrium is known, such as the Dirac GAN."""
    distance, end = signals.series(EQUILIBRIUM), signals.end
    thirds = [distance.between(end * k / 3, end * (k + 1) / 3) for k in range(3)]
    if not all(thirds):
        return Diagnosis(None, {}, (), (f"{EQUILIBRIUM} is needed in each third of the run",))
    first, before, now = map(fmean, thirds)
    if now <= ARRIVED * max(first, distance.values[0]):
        state = "converged"
    elif now >= MOVED * before:
        state = "diverged"
    elif now <= before / MOVED:
        state = "improving"
    else:
        state = "oscillating"
    where = f"the players are {now:.2g} from the equilibrium in the last third"
    evidence = f"{where}, and {before:.2g} in the second"
    return Diagnosis(state, {state: 1.0}, (evidence,))


def _too_early(losses: int, evaluations: int) -> str:
    return (
        f"the discriminator's loss is logged {losses} times and the distance of "
        f"samples to data {evaluations} times; {LEAST_ROWS[True]} and {LEAST_EVALUATIONS} are "
        f"needed, or {LEAST_ROWS[False]} losses"
    )


def _possible(
    votes: Mapping[str, float], found: Mapping[str, float], training_data: int | None
) -> Mapping[str, float]:
    """Exclude memorising of many training data, unless a measure compares them with test data.

    The runs to which the trees were fitted memorised 200 training data at most.
    """
    if GAP in found or training_data is None or training_data < MANY:
        return votes
    others = {state: vote for state, vote in votes.items() if state != "memorising"}
    total = sum(others.values())
    return {state: vote / total for state, vote in others.items()} if total else votes


def _missing(found: Mapping[str, float]) -> tuple[str, ...]:
    missing = []
    if "distance/slope" not in found:
        missing.append("no distance of samples to data is logged in the second half")
    if GAP not in found:
        missing.append(
            "how well the discriminator ranks training and test data is not logged, which shows "
            "memorising (game.enabled=true game.every_n_updates=N does)"
        )
    return tuple(missing)
