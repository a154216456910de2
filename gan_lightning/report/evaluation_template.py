"""Page of an evaluation of images as one self-contained HTML file that loads nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from PIL import Image
from torch import Tensor

from gan_lightning.report.templates import read_asset, template_environment

__all__ = ["MeasureRow", "Picture", "Section", "render_evaluation"]

SHOWN_SIZE = 64
"""Least height and width of a picture on the page, in pixels."""


@dataclass(frozen=True)
class MeasureRow:
    """A row of the table of measures; all cells are text.

    Attributes:
        name: of the measure.
        value: with its digits.
        interval: lower and upper end.
        counts: samples, reference images and resamples.
        better: which values are better.
        sees: what it reacts to.
    """

    name: str
    value: str
    interval: str
    counts: str
    better: str
    sees: str


@dataclass(frozen=True)
class Picture:
    """An image and its caption.

    Attributes:
        image: uint8 (H, W, C).
        caption: text below it; empty for none.
        is_first: whether it begins a new row.
    """

    image: Tensor
    caption: str = ""
    is_first: bool = False

    @property
    def source(self) -> str:
        """PNG file as an address that contains it."""
        pixels = self.image.squeeze(-1).numpy()
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "png")
        return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"

    @property
    def size(self) -> int:
        """Height and width on the page: a whole multiple of those of the image."""
        side = int(self.image.shape[0])
        return side * max(1, -(-SHOWN_SIZE // side))


@dataclass(frozen=True)
class Section:
    """A section of pictures.

    Attributes:
        name: its anchor.
        title: its heading.
        text: how the pictures were chosen.
        pictures: in rows that are as long as the page is wide, or begin where `is_first` is set.
    """

    name: str
    title: str
    text: str
    pictures: Sequence[Picture]

    @property
    def rows(self) -> list[list[Picture]]:
        """The pictures by row."""
        rows: list[list[Picture]] = []
        for picture in self.pictures:
            if picture.is_first or not rows:
                rows.append([])
            rows[-1].append(picture)
        return rows


def render_evaluation(
    title: str,
    facts: Sequence[str],
    caution: str,
    rows: Sequence[MeasureRow],
    sections: Sequence[Section],
) -> str:
    """Return the HTML text of the page.

    Args:
        title: what was compared with what.
        facts: lines about the samples, the reference, the resize and the extractor.
        caution: what must not be compared.
        rows: the table of measures.
        sections: pictures.
    """
    return (
        template_environment()
        .get_template("evaluation.html.j2")
        .render(
            title=title,
            facts=[fact.partition(": ")[::2] for fact in facts],
            caution=caution,
            rows=rows,
            sections=sections,
            style=Markup(read_asset("page.css")),
        )
    )
