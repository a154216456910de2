"""A pool of images that were generated earlier, from which a discriminator learns too."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.distributed.collectives import all_gather, own_part

__all__ = ["ImagePool"]


class ImagePool(nn.Module):
    """Mix generated images with earlier ones, so that a discriminator does not forget these.

    While the pool fills, images pass through and are kept. From then on half of them, at random,
    are kept in the place of earlier ones, which are returned in their stead. The pool is one of the
    global minibatch, equal in all processes.

    Args:
        size: number of images, at least those of a global minibatch; 0 passes all images through.
        shape: of an image.

    Source: Shrivastava et al. 2017 (arXiv:1612.07828), section 2.3; Zhu et al. 2017
        (arXiv:1703.10593), section 4.
    Deviations: the images of a minibatch are exchanged with different ones of the pool, where the
        authors' code treats one image after the other; so the minibatch must fit into the pool.
    """

    images: Tensor

    def __init__(self, size: int, shape: Sequence[int]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(size, *shape))

    @torch.no_grad()
    def forward(self, images: Tensor, rng: torch.Generator, round_number: int) -> Tensor:
        """Exchange images with those of the pool.

        Args:
            images: generated images of this process, (N, C, H, W), without graph.
            rng: random number generator in the same state in all processes.
            round_number: number of rounds of training before this one, each of which filled in a
                minibatch.

        Returns:
            Images of this process, of which some were generated earlier, (N, C, H, W).
        """
        if not self.size:
            return images
        generated = all_gather(images).to(self.images.dtype)
        count = len(generated)
        filled = round_number * count
        if filled + count <= self.size:
            self.images[filled : filled + count] = generated
            return images
        filled = self.size // count * count
        device = images.device
        places = torch.randperm(filled, generator=rng, device=device)[:count]
        kept = torch.rand(count, generator=rng, device=device) < 0.5
        kept = kept.view(-1, *[1] * (images.ndim - 1))
        earlier = self.images[places]
        self.images[places] = torch.where(kept, generated, earlier)
        return own_part(torch.where(kept, earlier, generated)).to(images.dtype)
