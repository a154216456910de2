"""Translate drawings with an image-to-image GAN; independent of the web page."""

from __future__ import annotations

from threading import Lock

import torch

from gan_lightning.callbacks.figures import Array, to_uint8
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw
from gan_lightning.data.mnist.translations import edges
from gan_lightning.gans import GAN
from gan_lightning.types import Batch, Condition

__all__ = ["Translator"]

EXAMPLES = 10


class Translator:
    """Translate source images, drawn or of the test data.

    Args:
        gan: image-to-image GAN.
        data: that it was trained on.

    Attributes:
        shape: (H, W, C) of a source image.
        examples: source images of the test data, uint8 (H, W, C); one of each class if the data
            have classes.
        supports_strokes: whether the edges of a drawing can be taken as its source image.
    """

    def __init__(self, gan: GAN, data: BaseDataModule) -> None:
        self._gan = gan
        assert data.spec.source_shape is not None
        channels, height, width = data.spec.source_shape
        self.shape = (height, width, channels)
        test = data.test_data()
        assert test.source is not None
        self.examples = list(to_uint8(test.source[_example_rows(test)]))
        self.supports_strokes = data.sources_are_edges
        self._lock = Lock()  # dropout noise comes from torch's global random state

    def translate(
        self, drawing: Array, seed: int = 0, strokes: bool = False
    ) -> tuple[Array, Array]:
        """Translate a drawing.

        Args:
            drawing: uint8 (H, W, C).
            seed: of the generator's dropout, in [0, 2^32).
            strokes: take the edges of the drawing as the source image, as the training data do with
                digits.

        Returns:
            The source image and the generated image, uint8 (H, W, C).

        Raises:
            ValueError: the drawing has another shape, or the seed is out of range.
        """
        if drawing.shape != self.shape:
            raise ValueError(f"the drawing has shape {drawing.shape}; it must be {self.shape}")
        if not 0 <= seed < 2**32:
            raise ValueError(f"the dropout seed is {seed}; it must be in 0 to {2**32 - 1}")
        images = torch.from_numpy(drawing.copy())[None]
        if strokes and self.supports_strokes:
            images = edges(images)
        source = to_float_nchw(images).to(self._gan.device)
        with self._lock:
            generated = self._gan.sample(1, Condition(source=source), seed=seed).data
        source_image: Array = images[0].numpy()
        return source_image, to_uint8(generated)[0]


def _example_rows(test: Batch) -> list[int]:
    """Choose one sample of each class, or the first samples if there are no classes."""
    if test.labels is None:
        return list(range(min(EXAMPLES, len(test.data))))
    classes = test.labels.unique()[:EXAMPLES].tolist()
    return [int((test.labels == label).nonzero()[0]) for label in classes]
