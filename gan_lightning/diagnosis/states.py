"""The states of a run that a diagnosis tells apart."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STATES", "State"]


@dataclass(frozen=True)
class State:
    """A state of a run.

    Args:
        title: what one calls it.
        meaning: what it means, as a sentence.
        evidence: features that show it, the most telling first.
        sick: whether something should be changed.
    """

    title: str
    meaning: str
    evidence: tuple[str, ...]
    sick: bool = True


STATES: dict[str, State] = {
    "improving": State(
        "healthy and still improving",
        "More updates would improve the samples.",
        ("distance/fall_of_thirds", "distance/tail_to_real", "coverage", "auc"),
        sick=False,
    ),
    "converged": State(
        "converged",
        "More updates would not improve the samples; a larger network or other data might.",
        ("distance/fall_of_thirds", "distance/tail_to_real", "coverage", "auc"),
        sick=False,
    ),
    "under_trained": State(
        "under-trained",
        "The samples are still far from the data, and they improve: the run is too short.",
        ("distance/fall_of_thirds", "distance/tail_to_real", "precision"),
    ),
    "mode_collapse": State(
        "mode collapse",
        "The samples miss a part of the data, and more updates would not bring it.",
        ("coverage", "recall", "evenness", "duplicates", "distance/tail_to_real"),
    ),
    "discriminator_won": State(
        "the discriminator has won",
        "It separates samples from data, and the generator learns nothing from it any more.",
        (
            "auc",
            "discriminator_loss/level",
            "divergence",
            "distance/fall_of_thirds",
            "generator_gradient/to_largest",
        ),
    ),
    "discriminator_too_weak": State(
        "the discriminator is too weak",
        "The samples are far from the data, and the discriminator does not see it.",
        ("auc", "discriminator_loss/level", "distance/tail_to_real", "precision"),
    ),
    "oscillating": State(
        "oscillating",
        "The samples move from place to place, and neither player settles.",
        ("distance/noise", "auc_deviation", "discriminator_loss/deviation", "generator_cosine"),
    ),
    "memorising": State(
        "memorising",
        "The players know the training data by heart: the samples are near-copies of them, or the "
        "discriminator tells training data from other real data.",
        ("auc/gap", "precision", "distance/tail_to_real"),
    ),
    "diverged": State(
        "diverged",
        "Losses or weights are not finite, the samples have left the data, or no player moves.",
        ("distance/tail_to_real", "discriminator_loss/largest", "precision"),
    ),
}
"""Name -> state."""
