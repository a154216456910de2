"""Where what a person draws becomes a translation; knows no web page."""

from __future__ import annotations

from threading import Lock

import torch

from gan_lightning.callbacks.figures import Array, to_uint8
from gan_lightning.data import BaseDataModule, DigitPairs
from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.mnist.translations import edges
from gan_lightning.gans import Pix2Pix
from gan_lightning.types import Batch, Condition

__all__ = ["Translator"]

EXAMPLES = 10


class Translator:
    """A generator of images from images, whose source can be drawn.

    Args:
        gan: that translates.
        data: that it was trained on.

    Attributes:
        examples: sources of the test data, uint8 (H, W, C), one of each class where there are few.
        finds_edges: whether a drawing can be of strokes, whose edges are the source.
    """

    def __init__(self, gan: Pix2Pix, data: BaseDataModule) -> None:
        self._gan = gan
        assert data.spec.source_shape is not None
        channels, height, width = data.spec.source_shape
        self.shape = (height, width, channels)
        test = data.test_data()
        assert test.source is not None
        self.examples = list(to_uint8(test.source[_examples(test)]))
        self.finds_edges = isinstance(data, DigitPairs)
        self._lock = Lock()  # the generator's noise takes torch's one random state

    def translate(self, drawn: Array, noise: int = 0, strokes: bool = False) -> tuple[Array, Array]:
        """Translate a drawing.

        Args:
            drawn: uint8 (H, W, C), as the data hold their sources.
            noise: seed of the generator's dropout.
            strokes: take the drawing's edges first, as they were taken of the training digits.

        Returns:
            The source and its translation, uint8 (H, W, C).

        Raises:
            ValueError: the drawing is no source.
        """
        if drawn.shape != self.shape:
            raise ValueError(f"the drawing is {drawn.shape}; it must be {self.shape}")
        if not 0 <= noise < 2**32:
            raise ValueError(f"noise is {noise}; it must lie in 0 to {2**32 - 1}")
        held = torch.from_numpy(drawn.copy())[None]
        if strokes and self.finds_edges:
            held = edges(held)
        source = to_float_nchw(held).to(self._gan.device)
        with self._lock:
            made = self._gan.sample(1, Condition(source=source), seed=noise).data
        seen: Array = held[0].numpy()
        return seen, to_uint8(made)[0]


def _examples(test: Batch) -> list[int]:
    """Choose a datum of each class, or the first ones where there are none or many."""
    if test.labels is None:
        return list(range(min(EXAMPLES, len(test.data))))
    classes = test.labels.unique()[:EXAMPLES].tolist()
    return [int((test.labels == label).nonzero()[0]) for label in classes]
