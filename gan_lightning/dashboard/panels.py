"""Panels of the dashboard: which logged metrics and pictures are shown together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ALERTS", "CLAIMS", "SECTIONS", "Panel", "Section", "all_panels", "panel_of"]

CLAIMS = "claims"
ALERTS = "alerts"
"""Keys of the tables that `gan_lightning.loggers.WandbRun` logs."""


@dataclass(frozen=True)
class Panel:
    """A plot of metrics or losses, a browser of pictures, or a table.

    Attributes:
        title: title of the panel.
        keys: exact keys of metrics and losses.
        families: regular expressions of keys whose last parts depend on the config of a run.
        pictures: keys of pictures; a panel with pictures has nothing else.
        table: key of a table; a panel with a table has nothing else.
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
        """Regular expression of all keys and families; empty for a panel without families."""
        if not self.families:
            return ""
        return f"^({'|'.join([*map(re.escape, self.keys), *self.families])})$"

    def shows(self, key: str) -> bool:
        """Return whether the panel shows what is logged under a key."""
        if key in self.keys + self.pictures or key == self.table:
            return True
        return any(re.fullmatch(family, key) for family in self.families)


@dataclass(frozen=True)
class Section:
    """Panels under one heading, in a number of columns."""

    name: str
    panels: tuple[Panel, ...]
    columns: int = 3


SECTIONS: tuple[Section, ...] = (
    Section(
        "Training",
        (
            Panel("Losses of both players", families=(r"loss/(discriminator|generator)/.+",)),
            Panel("Losses of a classifier", families=(r"loss/classifier/.+",)),
            Panel("Real samples seen", keys=("images_seen",)),
            Panel("Probability of augmentation", keys=("augmentation/probability",)),
            Panel("Balance of BEGAN", families=(r"balance/.+",)),
        ),
    ),
    Section(
        "Sample quality",
        (
            Panel("Fréchet distance of digits", keys=("fd_digits", "fd_digits/real"), log_y=True),
            Panel(
                "Fréchet distance of clothes", keys=("fd_clothes", "fd_clothes/real"), log_y=True
            ),
            Panel("Fréchet distance of faces", keys=("fd_faces",), log_y=True),
            Panel("FID and KID", families=(r"(fid|kid)/.+",), log_y=True),
            Panel("Fréchet distance without Inception", families=(r"fd/.+",), log_y=True),
            Panel("Sliced Wasserstein distance", families=(r"sliced_wasserstein.*",), log_y=True),
            Panel(
                "Wasserstein distance of points",
                keys=("wasserstein/exact", "wasserstein/exact/real"),
                log_y=True,
            ),
            Panel("Digit scores", keys=("digit_score", "modified_digit_score")),
            Panel("Clothes scores", keys=("clothes_score", "modified_clothes_score")),
            Panel("Inception score", families=(r"inception_score/.+",)),
            Panel("Precision and recall", families=(r"(precision|recall|density|coverage)/.+",)),
            Panel("Likelihood under a Parzen window", families=(r"parzen/.+",)),
            Panel("Nearest neighbours", families=(r"nearest_neighbour/.+",)),
            Panel("Translations against targets", keys=("translation/l1", "translation/ssim")),
            Panel("Colours of translations", families=(r"translation/colour_retrieval.*",)),
        ),
    ),
    Section(
        "Mode coverage",
        (
            Panel("Modes covered", keys=("modes/covered",)),
            Panel("High-quality samples", keys=("modes/high_quality",)),
            Panel("Classes covered", keys=("classes/covered",)),
            Panel("Uneven coverage", keys=("modes/kl", "modes/reverse_kl", "classes/kl")),
            Panel("Uneven attributes of faces", keys=("attribute/kl",)),
            Panel("Error of reconstructed data", keys=("reconstruction/error",), log_y=True),
            Panel("Near-duplicates", keys=("samples/duplicates",)),
            Panel("Similarity of samples (MS-SSIM)", families=(r"ms_ssim/.+",)),
        ),
    ),
    Section(
        "Pictures",
        (
            Panel("Samples and traversals", pictures=("samples", "traversal")),
            Panel("Points", pictures=("scatter",)),
            Panel("Phase portrait", pictures=("portrait",)),
            Panel("Spectrum and path angle", pictures=("game",)),
            Panel("Critic's weights", pictures=("weights",)),
            Panel("Pairs and translations", pictures=("pairs", "translations")),
            Panel("Attacked digits", pictures=("attacked",)),
        ),
        columns=2,
    ),
    Section(
        "Discriminator and critic",
        (
            Panel("Estimated divergence", families=(r"divergence/.+",)),
            Panel(
                "Critic",
                keys=(
                    "critic/rank_correlation",
                    "critic/descent_correlation",
                    "critic/weights_at_bound",
                ),
            ),
            Panel("Classifier on the discriminator's features", families=(r"features/.+",)),
            Panel("Distance from the equilibrium", families=(r"equilibrium/.+",)),
        ),
    ),
    Section(
        "Game between the players",
        (
            Panel("Real above generated samples", families=(r"game/discriminator_auc/.+",)),
            Panel("Norms of the gradients", families=(r"game/gradient_norm/.+",), log_y=True),
            Panel("Cosine of successive steps", families=(r"game/step_cosine/.+",)),
            Panel(
                "Eigenvalues of the Jacobian",
                keys=("game/eigenvalue_real", "game/eigenvalue_imaginary"),
            ),
            Panel("Share of rotation", keys=("game/rotation", "game/path_cosine")),
            Panel("Duality gap", keys=("game/duality_gap",), families=(r"game/gain/.+",)),
        ),
    ),
    Section(
        "Codes, labels and domains",
        (
            Panel("Code as a classifier", families=(r"code\d*/accuracy",)),
            Panel("Mutual information of the codes", families=(r"code\d*/mutual_information",)),
            Panel("Effect of continuous codes", families=(r"code\d*/(slant|width).*",)),
            Panel(
                "Information of codes on attributes",
                keys=("code/mutual_information_gap",),
                families=(r"code/information/.+",),
            ),
            Panel("Information of each code on attributes", families=(r"code\d+/information/.+",)),
            Panel(
                "Accuracy of requested attributes",
                keys=("attribute/least_accuracy",),
                families=(r"attribute/[^/]+/accuracy",),
            ),
            Panel(
                "Accuracy of requested values of attributes",
                families=(r"attribute/[^/]+/[^/]+/accuracy",),
            ),
            Panel("Vector arithmetic of latents", families=(r"arithmetic/.+",)),
            Panel("Accuracy of requested classes", families=(r"class/accuracy.*",)),
            Panel("Classifier on test data", families=(r"classifier/.+",)),
            Panel("Accuracy under attack", families=(r"robust/.+",)),
            Panel("Agreement of pairs", families=(r"pairs/.+",)),
            Panel("Accuracy on a domain without labels", keys=("adaptation/accuracy",)),
        ),
    ),
    Section(
        "Claims and alerts",
        (Panel("Claims of the papers", table=CLAIMS), Panel("Alerts", table=ALERTS)),
        columns=1,
    ),
)
"""All sections, in the order of the workspace."""


def all_panels() -> list[Panel]:
    """Return the panels of all sections."""
    return [panel for section in SECTIONS for panel in section.panels]


def panel_of(key: str, among: Iterable[Panel] = ()) -> Panel | None:
    """Return the first panel that shows a key; None where there is none.

    Args:
        key: key of a metric, loss, picture or table.
        among: panels to search; empty for all panels.
    """
    return next((panel for panel in among or all_panels() if panel.shows(key)), None)
