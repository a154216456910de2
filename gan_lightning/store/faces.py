"""Cartoon faces with known attributes, drawn from the parts of the package python-avatars."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from gan_lightning.assets.loader import read_attribution
from gan_lightning.store.catalog import Catalog
from gan_lightning.store.layout import TEST, TRAINING
from gan_lightning.store.svg import encode_png, package_versions, render_svg
from gan_lightning.utils.optional import require

__all__ = ["ATTRIBUTES", "SHA256", "FaceDrawings", "draw_attributes", "faces"]

SEED = 26
"""Seed of the attributes of all faces."""

IMAGES = 20_000, 2_000
"""Faces for training and for tests."""

ATTRIBUTES: dict[str, dict[str, str]] = {
    "hair": {
        "short": "SHORT_FLAT",
        "waved": "SHORT_WAVED",
        "bun": "BUN",
        "bald on top": "SIDES",
        "spiky": "SHORT_DREADS_2",
        "curly": "CURLY",
        "straight": "STRAIGHT_1",
        "dreads": "DREADS",
    },
    "eyes": {
        "open": "DEFAULT",
        "closed": "CLOSED",
        "laughing": "HAPPY",
        "sideways": "SIDE",
        "wide": "SURPRISED",
        "crosses": "X_DIZZY",
        "hearts": "HEART",
    },
    "eyebrows": {
        "arched": "DEFAULT_NATURAL",
        "raised": "RAISED_EXCITED_NATURAL",
        "flat": "FLAT_NATURAL",
        "angry": "ANGRY_NATURAL",
        "sad": "SAD_CONCERNED_NATURAL",
    },
    "mouth": {
        "smile": "SMILE",
        "closed smile": "TWINKLE",
        "straight": "SERIOUS",
        "sad": "SAD",
        "teeth": "GRIMACE",
        "tongue": "TONGUE",
        "scream": "SCREAM_OPEN",
    },
    "facial_hair": {
        "none": "NONE",
        "moustache": "MOUSTACHE_FANCY",
        "beard": "BEARD_LIGHT",
        "full beard": "BEARD_MAGESTIC",
    },
    "accessory": {"none": "NONE", "glasses": "ROUND", "eyepatch": "EYEPATCH"},
    "clothes": {
        "hoodie": "HOODIE",
        "collar": "COLLAR_SWEATER",
        "overall": "OVERALL",
        "crew neck": "SHIRT_CREW_NECK",
        "V-neck": "SHIRT_V_NECK",
    },
    "skin": {
        "pale": "#FFDBB4",
        "light": "#EDB98A",
        "tan": "#D08B5B",
        "brown": "#AE5D29",
        "dark": "#614335",
    },
    "hair_colour": {
        "black": "#2C1B18",
        "brown": "#724133",
        "auburn": "#A55728",
        "golden": "#D6B370",
        "platinum": "#ECDCBF",
        "red": "#C93305",
        "pink": "#F59797",
    },
    "clothes_colour": {
        "black": "#262E33",
        "blue": "#5199E4",
        "green": "#A7FFC4",
        "yellow": "#FFFFB1",
        "pink": "#FF488E",
        "red": "#FF5C5C",
        "white": "#FFFFFF",
    },
    "background": {"sky": "#65C9FF", "lilac": "#C9B6F2", "grey": "#B8BEC4", "ivory": "#F7F3E3"},
}
"""Attribute -> name of each value -> part of python-avatars, or colour.

The parts are of the original library Avataaars. Left out are those that hide another attribute
(hats, fringes, sunglasses), that are hidden by one (a wink, by an eyepatch), that have a colour of
their own, and that resemble another one at 64 pixels.
"""

NONE_SHARE = 0.5
"""Share of the faces without facial hair, and of those without accessory; all other values of an
attribute are equally likely."""

VIEW_BOX = "12 20 240 240"
"""The part of a drawing of 264x280 units that is seen."""

ROOT = re.compile(r'width="264px" height="280px" viewBox="0 0 264 280"')

PACKAGES = "python-avatars", "resvg-py"

SHA256 = {
    32: "4e7bb4e398a5b3726c21959d73a38c42135ea8370defd0c013a726d50d45cdcb",
    64: "85c9f4b23bc02ab7c3f82ac82e61336403ce985e64d21c0685d1f05de777e8b3",
}
"""Size in pixels -> SHA-256 of the store, with python-avatars 1.4.1 and resvg-py 0.5.0.

That of 128 pixels has not been tracked yet.
"""

Attributes = np.ndarray[Any, np.dtype[np.uint8]]


def draw_attributes(count: int, seed: int = SEED) -> Attributes:
    """Draw the attributes of faces, independently of each other, such that no two faces are equal.

    Returns:
        Number of the value of each attribute, uint8 (count, 11), in the order of `ATTRIBUTES`.
    """
    rng = np.random.RandomState(seed)  # whose numbers no version of NumPy changes
    columns = []
    for values in ATTRIBUTES.values():
        shares = np.ones(len(values))
        if "none" in values:
            shares[0] = NONE_SHARE / (1 - NONE_SHARE) * (len(values) - 1)
        # a few more than needed, of which the first of equal ones stay
        columns.append(rng.choice(len(values), count + count // 8 + 8, p=shares / shares.sum()))
    drawn = np.stack(columns, 1).astype(np.uint8)
    _, first = np.unique(drawn, axis=0, return_index=True)
    return drawn[np.sort(first)[:count]]


class FaceDrawings:
    """Source of face images: each is rendered when it is read.

    Args:
        attributes: of all faces, from `draw_attributes`.
        size: height and width of the images in pixels.
    """

    path = Path("python-avatars")

    def __init__(self, attributes: Attributes, size: int) -> None:
        self.attributes, self.size = attributes, size

    def names(self) -> list[str]:
        """List the numbers of the faces."""
        return [f"face {number:05d}" for number in range(len(self.attributes))]

    def stamp(self, name: str) -> str:
        """Return the versions of the packages."""
        return package_versions(*PACKAGES)

    def read(self, name: str) -> bytes:
        """Draw the face of this name and return a PNG file."""
        numbers = self.attributes[int(name.split()[1])]
        chosen = {
            key: tuple(values.values())[number]
            for (key, values), number in zip(ATTRIBUTES.items(), numbers, strict=True)
        }
        return encode_png(render_svg(_svg(chosen), self.size, chosen["background"]))


def _svg(chosen: dict[str, str]) -> str:
    """Return the drawing of a face, attribute -> part or colour, without background."""
    import python_avatars as parts

    avatar = parts.Avatar(
        style=parts.AvatarStyle.TRANSPARENT,
        top=parts.HairType[chosen["hair"]],
        eyes=parts.EyeType[chosen["eyes"]],
        eyebrows=parts.EyebrowType[chosen["eyebrows"]],
        nose=parts.NoseType.DEFAULT,
        mouth=parts.MouthType[chosen["mouth"]],
        facial_hair=parts.FacialHairType[chosen["facial_hair"]],
        accessory=parts.AccessoryType[chosen["accessory"]],
        clothing=parts.ClothingType[chosen["clothes"]],
        skin_color=chosen["skin"],
        hair_color=chosen["hair_colour"],
        facial_hair_color=chosen["hair_colour"],
        clothing_color=chosen["clothes_colour"],
    )
    svg, replaced = ROOT.subn(f'viewBox="{VIEW_BOX}"', avatar.render(), count=1)
    assert replaced, "a drawing of python-avatars has other dimensions"
    return svg


def faces(size: int, training: int = IMAGES[0], test: int = IMAGES[1]) -> Catalog:
    """Catalog cartoon faces and their eleven attributes.

    Args:
        size: height and width of the images in pixels.
        training: number of faces for training.
        test: number of faces for tests, none of which is a training face.

    Raises:
        UserError: python-avatars or resvg-py is not installed.

    Source: the drawings are Avataaars by Pablo Stanley (https://avataaars.com).
    """
    require("drawings")
    attributes = draw_attributes(training + test)
    source = FaceDrawings(attributes, size)
    return Catalog(
        sources=[(source, source.names())],
        splits=np.repeat(np.array([TRAINING, TEST], np.uint8), [training, test]),
        attributes=attributes,
        attribute_names=list(ATTRIBUTES),
        attribute_values=[list(values) for values in ATTRIBUTES.values()],
        attribution=read_attribution("faces"),
    )
