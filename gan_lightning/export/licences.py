"""Names and licences of datasets, for the model card."""

from __future__ import annotations

from typing import NamedTuple

from gan_lightning.data import BaseDataModule

__all__ = ["DataCard", "data_card"]


class DataCard(NamedTuple):
    """Description of a dataset.

    Args:
        name: common name.
        terms: its licence, in a clause that follows the name and a colon.
        licence: of models trained on it, Hugging Face's identifier.
        hub: identifier of the dataset on Hugging Face; empty for none.
    """

    name: str
    terms: str
    licence: str
    hub: str = ""


DIGITS = (
    "LeCun, Cortes and Burges share MNIST under the Creative Commons Attribution-ShareAlike 3.0 "
    "licence (https://creativecommons.org/licenses/by-sa/3.0/)"
)
SYNTHETIC = "points that gan-lightning generates; no licence is needed"
USER_IMAGES = "images of whoever trained this model and has to state their licence"

CARDS: dict[str, DataCard] = {
    "mnist": DataCard("MNIST", DIGITS, "cc-by-sa-3.0", "ylecun/mnist"),
    "stacked_mnist": DataCard(
        "stacked MNIST, three digits as the channels of an image", DIGITS, "cc-by-sa-3.0"
    ),
    "mnist_domains": DataCard("MNIST in two domains", DIGITS, "cc-by-sa-3.0"),
    "mnist_pairs": DataCard("MNIST paired with images derived from it", DIGITS, "cc-by-sa-3.0"),
    "fashion_mnist": DataCard(
        "Fashion-MNIST (Xiao, Rasul, Vollgraf 2017)",
        "Zalando SE shares it under the MIT licence "
        "(https://github.com/zalandoresearch/fashion-mnist)",
        "mit",
        "zalando-datasets/fashion_mnist",
    ),
    "cifar10": DataCard(
        "CIFAR-10 (Krizhevsky 2009)",
        "published without a licence; the photographs belong to their owners "
        "(https://www.cs.toronto.edu/~kriz/cifar.html)",
        "other",
        "uoft-cs/cifar10",
    ),
    "celeba": DataCard(
        "CelebA (Liu, Luo, Wang, Tang 2015)",
        "for non-commercial research only, according to its agreement "
        "(https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)",
        "other",
    ),
    "lsun": DataCard(
        "LSUN (Yu et al. 2015)",
        "published for research without a licence; the images belong to their owners "
        "(https://www.yf.io/p/lsun)",
        "other",
    ),
    "faces": DataCard(
        "cartoon faces drawn from Avataaars by Pablo Stanley",
        "the drawings are free for personal and commercial use (https://avataaars.com)",
        "other",
    ),
    "openmoji": DataCard(
        "OpenMoji, line art and coloured emojis",
        "all emojis designed by OpenMoji, the open-source emoji and icon project, licence CC BY-SA "
        "4.0 (https://openmoji.org)",
        "cc-by-sa-4.0",
    ),
    "folder": DataCard("a folder of images", USER_IMAGES, "other"),
    "pairs": DataCard("a folder of image pairs", USER_IMAGES, "other"),
}

USPS = "; its second domain is USPS, which LIBSVM distributes without a licence"


def data_card(name: str, data: BaseDataModule) -> DataCard:
    """Return the description of a dataset of `DATASETS`."""
    if name not in CARDS:
        terms = USER_IMAGES if data.belongs_to_user else SYNTHETIC
        title = getattr(data.config, "title", "") or name
        return DataCard(f"`{title}`", terms, "other" if data.belongs_to_user else "mit")
    card = CARDS[name]
    if getattr(data.config, "second", "") == "usps":
        return card._replace(terms=card.terms + USPS, licence="other")
    return card
