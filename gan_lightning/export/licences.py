"""What data a generator has learnt from, and on what terms they are shared."""

from __future__ import annotations

from typing import NamedTuple

from gan_lightning.data import BaseDataModule, ImageStoreDataModule

__all__ = ["DataCard", "data_card"]


class DataCard(NamedTuple):
    """A data set in words.

    Args:
        name: as people know it.
        terms: its licence, in a sentence.
        licence: for what was trained on it, of Hugging Face's identifiers.
        hub: its name on Hugging Face; empty where it has none.
    """

    name: str
    terms: str
    licence: str
    hub: str = ""


DIGITS = (
    "LeCun, Cortes and Burges share MNIST under the Creative Commons Attribution-ShareAlike 3.0 "
    "licence (https://creativecommons.org/licenses/by-sa/3.0/)"
)
OURS = "points that gan-lightning draws itself; there is nothing to license"
YOURS = "pictures of whoever trained this model, who must say on what terms they are shared"

CARDS: dict[str, DataCard] = {
    "mnist": DataCard("MNIST", DIGITS, "cc-by-sa-3.0", "ylecun/mnist"),
    "stacked_mnist": DataCard(
        "stacked MNIST, three digits as the colours of an image", DIGITS, "cc-by-sa-3.0"
    ),
    "mnist_domains": DataCard("MNIST in two forms", DIGITS, "cc-by-sa-3.0"),
    "mnist_pairs": DataCard("MNIST and what is made of it", DIGITS, "cc-by-sa-3.0"),
    "celeba": DataCard(
        "CelebA (Liu, Luo, Wang, Tang 2015)",
        "for non-commercial research only, by its agreement "
        "(https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)",
        "other",
    ),
    "lsun": DataCard(
        "LSUN (Yu et al. 2015)",
        "published for research without a licence; its pictures belong to their owners "
        "(https://www.yf.io/p/lsun)",
        "other",
    ),
    "folder": DataCard("a folder of pictures", YOURS, "other"),
    "pairs": DataCard("a folder of pairs of pictures", YOURS, "other"),
}

USPS = "; its second domain is USPS, which LIBSVM distributes without a licence"


def data_card(name: str, data: BaseDataModule) -> DataCard:
    """Describe a data set of `DATASETS`."""
    if name not in CARDS and not isinstance(data, ImageStoreDataModule):
        return DataCard(f"`{name}`", OURS, "mit")
    card = CARDS[name]
    if getattr(data.config, "second", "") == "usps":
        return card._replace(terms=card.terms + USPS, licence="other")
    return card
