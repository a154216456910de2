"""The claims of an experiment: a paper's statements about metrics, with their bounds."""

from __future__ import annotations

from dataclasses import dataclass

from gan_lightning.utils.settings import REQUIRED, setting

__all__ = ["CLAIM_BOUNDS", "Claim", "Floor"]

CLAIM_BOUNDS = ("at_least", "at_most", "above", "below")
FLOOR_BOUNDS = ("at_least", "at_most")

PAPER_KEYS = {"paper_sd": "paper_value", "better": "paper_value", "paper_runs": "paper_sd"}
"""Keys of a claim that need another one."""


@dataclass
class Floor:
    """A second bound of a claim, which an untrained or broken run does not satisfy."""

    metric: str = setting(REQUIRED, "Key of an evaluated metric, of the claim or another.")
    at_least: float | None = setting(None, "Smallest value that satisfies the floor.")
    at_most: float | None = setting(None, "Largest value that satisfies the floor.")

    def validate(self) -> None:
        """Check that exactly one bound is set.

        Raises:
            ValueError: naming the metric and the fix.
        """
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(
                f"the floor on {self.metric!r} needs exactly one of {', '.join(FLOOR_BOUNDS)}"
            )


@dataclass
class Claim:
    """A statement of a paper about a metric, with the one bound that the metric must satisfy."""

    metric: str = setting(REQUIRED, "Key of an evaluated metric.")
    at_least: float | None = setting(None, "Smallest value that satisfies the claim.")
    at_most: float | None = setting(None, "Largest value that satisfies the claim.")
    above: str | None = setting(
        None, "Experiment whose mean over seeds, under the same budget, must be exceeded."
    )
    below: str | None = setting(
        None, "Experiment whose mean over seeds, under the same budget, must not be reached."
    )
    floor: Floor | None = setting(
        None,
        "Bound that must hold too, for a claim that a method fails, which a broken run satisfies.",
    )
    aggregate: str = setting(
        "mean",
        "What must satisfy the bound: the mean over seeds, all seeds, or any seed.",
        choices=("mean", "all", "any"),
    )
    statement: str = setting("", "The claim as one sentence.")
    paper: str = setting("", "The paper's number as printed, for example `6.3 ± 0.5`.")
    source: str = setting("", "Section, table or figure of the paper.")
    paper_value: float | None = setting(
        None,
        "The paper's number in the unit of the metric, which the measured mean is held against.",
    )
    paper_sd: float | None = setting(
        None, "Standard deviation that the paper gives with `paper_value`.", minimum=0
    )
    paper_runs: int | None = setting(
        None, "Runs of which `paper_value` is the mean, where `paper_sd` is over runs.", minimum=1
    )
    better: str | None = setting(
        None,
        "Side of `paper_value` on which a mean counts as better; null is that of the bound.",
        choices=("higher", "lower"),
    )

    def validate(self) -> None:
        """Check that exactly one bound is set, that the other keys fit, and that texts are lines.

        Raises:
            ValueError: naming the metric and the fix.
        """
        if sum(getattr(self, bound) is not None for bound in CLAIM_BOUNDS) != 1:
            raise ValueError(
                f"the claim on {self.metric!r} needs exactly one of {', '.join(CLAIM_BOUNDS)}"
            )
        if (self.above or self.below) and self.aggregate != "mean":
            raise ValueError(
                f"the claim on {self.metric!r} compares experiments, by the ranks of all seeds; "
                f"leave out aggregate"
            )
        for key, needed in PAPER_KEYS.items():
            if getattr(self, key) is not None and getattr(self, needed) is None:
                raise ValueError(
                    f"{key} of the claim on {self.metric!r} needs {needed}, which is not set"
                )
        for key in ("statement", "paper", "source"):
            if "\n" in getattr(self, key).strip():
                raise ValueError(f"{key} of the claim on {self.metric!r} must be a single line")
