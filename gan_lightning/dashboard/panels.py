"""Which figures and pictures share a panel: the table that workspace and report are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ALERTS", "CLAIMS", "SECTIONS", "Panel", "Section", "all_panels", "panel_of"]

CLAIMS = "claims"
ALERTS = "alerts"
"""Tables that `gan_lightning.loggers.WandbRun` logs, as those of the same names there."""


@dataclass(frozen=True)
class Panel:
    """A plot of figures, a browser of pictures, or a table.

    Args:
        title: above it.
        keys: of figures that runs log under these very names.
        families: regular expressions, each of keys whose ends come from a run's config.
        pictures: keys of pictures; such a panel has nothing else.
        table: key of a table; such a panel has nothing else.
        log_y: whether the y-axis is logarithmic.
    """

    title: str
    keys: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    table: str = ""
    log_y: bool = False

    @property
    def pattern(self) -> str:
        """One regular expression for all of its figures, where it has families; else nothing."""
        if not self.families:
            return ""
        return f"^({'|'.join([*map(re.escape, self.keys), *self.families])})$"

    def shows(self, key: str) -> bool:
        """Tell whether something logged under a key is to be seen here."""
        there = key in self.keys + self.pictures or key == self.table
        return there or any(re.fullmatch(family, key) for family in self.families)


@dataclass(frozen=True)
class Section:
    """Panels under one heading, so many beside each other."""

    name: str
    panels: tuple[Panel, ...]
    columns: int = 3


SECTIONS: tuple[Section, ...] = (
    Section(
        "The game",
        (
            Panel("Losses of both players", families=(r"loss/(discriminator|generator)/.+",)),
            Panel("Losses of a classifier", families=(r"loss/classifier/.+",)),
            Panel("Real data seen", keys=("images_seen",)),
        ),
    ),
    Section(
        "How good the samples are",
        (
            Panel("Fréchet distance of digits", keys=("fd_digits",), log_y=True),
            Panel("FID and KID", families=(r"(fid|kid)/.+",), log_y=True),
            Panel("Distance of points, exact", keys=("wasserstein/exact",), log_y=True),
            Panel("Digit scores", keys=("digit_score", "modified_digit_score")),
            Panel("Inception score", families=(r"inception_score/.+",)),
            Panel("Precision and recall", families=(r"(precision|recall|density|coverage)/.+",)),
            Panel("Likelihood under a Parzen window", families=(r"parzen/.+",)),
            Panel("Nearest neighbours", families=(r"nearest_neighbour/.+",)),
            Panel("Translations and their targets", keys=("translation/l1", "translation/ssim")),
        ),
    ),
    Section(
        "What the generator forgets",
        (
            Panel("Modes covered", keys=("modes/covered",)),
            Panel("Samples on modes", keys=("modes/high_quality",)),
            Panel("Classes covered", keys=("classes/covered",)),
            Panel("How uneven", keys=("modes/kl", "modes/reverse_kl", "classes/kl")),
            Panel("Near-copies", keys=("samples/duplicates",)),
            Panel("How much alike", families=(r"ms_ssim/.+",)),
        ),
    ),
    Section(
        "Pictures",
        (
            Panel("Samples and traversals", pictures=("samples", "traversal")),
            Panel("Points", pictures=("scatter",)),
            Panel("Phase portrait", pictures=("portrait",)),
            Panel("Weights of the critic", pictures=("weights",)),
            Panel("Pairs and translations", pictures=("pairs", "translations")),
            Panel("Attacked digits", pictures=("attacked",)),
        ),
        columns=2,
    ),
    Section(
        "What the discriminator says",
        (
            Panel("Its estimate of the divergence", families=(r"divergence/.+",)),
            Panel("Critic", keys=("critic/rank_correlation", "critic/weights_at_bound")),
            Panel("Distance from the equilibrium", families=(r"equilibrium/.+",)),
        ),
    ),
    Section(
        "Codes, labels, domains",
        (
            Panel("Code as a classifier", families=(r"code\d*/accuracy",)),
            Panel("Information in the codes", families=(r"code\d*/mutual_information",)),
            Panel("What continuous codes do", families=(r"code\d*/(slant|width).*",)),
            Panel("Classes asked for", keys=("class/accuracy",)),
            Panel("Classifier on test data", families=(r"classifier/.+",)),
            Panel("Accuracy under attack", families=(r"robust/.+",)),
            Panel("Pairs that agree", families=(r"pairs/.+",)),
            Panel("A domain without labels", keys=("adaptation/accuracy",)),
        ),
    ),
    Section(
        "Claims and alerts",
        (Panel("Claims of the papers", table=CLAIMS), Panel("Alerts", table=ALERTS)),
        columns=1,
    ),
)
"""In the order of the workspace."""


def all_panels() -> list[Panel]:
    """List the panels of all sections."""
    return [panel for section in SECTIONS for panel in section.panels]


def panel_of(key: str, among: Iterable[Panel] = ()) -> Panel | None:
    """Find the panel that shows what is logged under a key, or None."""
    return next((panel for panel in among or all_panels() if panel.shows(key)), None)
