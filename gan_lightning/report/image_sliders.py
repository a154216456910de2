"""Pictures of runs, as many and as large as a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_lightning.report.run_data import RunSummary

__all__ = ["Film", "Shot", "films", "spread_evenly"]

MOST_SHOTS = 24
PICTURE_BYTES = 3_500_000
"""Of all pictures of a report; in a page they take a third more."""

WIDEST = 1600
QUALITY = 82


@dataclass(frozen=True)
class Kind:
    """What pictures of a kind show: a title, and a sentence."""

    title: str
    says: str


KINDS = {
    "samples": Kind("Samples", "What the generator makes of the same latents."),
    "traversal": Kind("Traversals", "One code runs along each row, all else fixed."),
    "scatter": Kind("Points", "Generated points over real ones, of the same latents."),
    "pairs": Kind("Pairs", "What the same latents become in each domain, side by side."),
    "translations": Kind("Translations", "Sources, their translations, and the targets."),
    "portrait": Kind("Phase portrait", "The way of both players, over the forces on them."),
    "weights": Kind("Critic's weights", "How the weights of the critic are distributed."),
    "attacked": Kind("Attacked digits", "Digits, changes, and what the classifier says."),
}


@dataclass(frozen=True)
class Shot:
    """A picture in a page.

    Args:
        update: at which it was drawn.
        content: WebP.
        width, height: in pixels.
    """

    update: int
    content: bytes
    width: int
    height: int

    @property
    def address(self) -> str:
        """The picture as a data URI."""
        return f"data:image/webp;base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True)
class Film:
    """Pictures of one kind, of several runs.

    Args:
        kind: as their files are called.
        shots: by the place of the run; those of a run are in order, and not empty.
    """

    kind: str
    shots: dict[int, list[Shot]]

    @property
    def about(self) -> Kind:
        """Title, and what is to be seen."""
        return KINDS.get(self.kind, Kind(self.kind.replace("_", " ").capitalize(), ""))

    @property
    def updates(self) -> list[int]:
        """Updates at which any run has a picture."""
        return sorted({shot.update for shots in self.shots.values() for shot in shots})


def films(runs: Sequence[RunSummary], without: dict[int, set[str]]) -> list[Film]:
    """Take the pictures of all runs, so many of each kind that a page can hold them.

    Args:
        runs: in order.
        without: by the place of the run: kinds that are shown otherwise.
    """
    most = MOST_SHOTS
    taken: dict[str, Film] = {}
    for place, run in enumerate(runs):
        for kind, drawn in run.folder.pictures().items():
            shots = [
                shot for update, path in spread_evenly(drawn, most) if (shot := _shot(update, path))
            ]
            if shots and kind not in without.get(place, set()):
                taken.setdefault(kind, Film(kind, {})).shots[place] = shots
    while most > 1 and _size(taken.values()) > PICTURE_BYTES:
        most = (most + 1) // 2
        for film in taken.values():
            for place, shots in film.shots.items():
                film.shots[place] = [shots[-1]] if most == 1 else shots[(len(shots) - 1) % 2 :: 2]
    order = [*KINDS, *sorted(taken.keys() - KINDS.keys())]
    return [taken[kind] for kind in order if kind in taken]


def _size(films: Iterable[Film]) -> int:
    shots = (shot for film in films for part in film.shots.values() for shot in part)
    return sum(len(shot.content) for shot in shots)


def spread_evenly(drawn: dict[int, Path], most: int) -> list[tuple[int, Path]]:
    """Choose at most so many files, evenly, the last among them."""
    items = list(drawn.items())
    if len(items) <= most:
        return items
    places = np.linspace(0, len(items) - 1, most).round().astype(int)
    return [items[place] for place in places]


def _shot(update: int, path: Path) -> Shot | None:
    """Read a picture; None for one that cannot be read."""
    try:
        with Image.open(path) as file:
            picture = file.convert("RGB")
    except (OSError, SyntaxError, ValueError):  # what Pillow says of damaged files
        return None
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)))
    content = io.BytesIO()
    picture.save(content, "webp", quality=QUALITY)
    return Shot(update, content.getvalue(), *picture.size)
