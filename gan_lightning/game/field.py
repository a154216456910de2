"""The vector field of a game: the gradients of both players' losses in their own weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.autograd import grad

from gan_lightning.core.compile import eager_mode
from gan_lightning.core.seeding import derived_seed, isolated_randomness
from gan_lightning.data import BaseDataModule
from gan_lightning.data.base import to_float_nchw
from gan_lightning.gans import GAN
from gan_lightning.gans.contract import LossTerms
from gan_lightning.gans.parameters import trained_parameters
from gan_lightning.types import Batch, Condition, Sample

__all__ = [
    "GradientField",
    "draw_inputs",
    "field_minibatch",
    "held_out_minibatch",
    "initial_point",
    "probe",
    "weights_of_players",
]

DIFFERENCE = 1e-9
"""Length of a finite difference, relative to that of the weights, in float64.

A longer one would cross kinks of rectifiers, which add eigenvalues of some hundred: 1e-7 does in
networks of 50,000 weights, 1e-8 to 1e-10 give the same eigenvalues there.
"""


def field_minibatch(data: BaseDataModule, count: int, seed: int, device: torch.device) -> Batch:
    """Return a minibatch of training data that is a function of the seed.

    Args:
        data: dataset of the run; images are neither mirrored nor cropped.
        count: number of samples; all training data where there are fewer.
        seed: of the choice.
        device: of the result.

    Returns:
        Data (N, *shape), float32, with their labels, sources and labelled subset, where there are.
    """
    stored, labels, source = data.used_data()
    rows = _random_rows(len(stored), count, seed)
    batch = Batch(
        to_float_nchw(stored[rows].to(device)),
        None if labels is None else labels[rows].to(device),
        None if source is None else to_float_nchw(source[rows].to(device)),
    )
    return _with_labelled(batch, data, seed)


def held_out_minibatch(data: BaseDataModule, count: int, seed: int, device: torch.device) -> Batch:
    """Return a minibatch of test data that is a function of the seed, as `field_minibatch` does."""
    test = data.test_data()
    rows = _random_rows(len(test.data), count, seed)
    data_rows, labels, source = (
        None if part is None else part[rows].to(device)
        for part in (test.data, test.labels, test.source)
    )
    assert data_rows is not None
    return _with_labelled(Batch(data_rows, labels, source), data, seed)


def _with_labelled(batch: Batch, data: BaseDataModule, seed: int) -> Batch:
    """Return the batch as a model sees it where only a labelled subset has labels."""
    labelled = data.labelled_data()
    if labelled is None:
        return batch
    device = batch.data.device
    rows = _random_rows(len(labelled[1]), len(batch.data), seed)
    part = Batch(to_float_nchw(labelled[0][rows].to(device)), labelled[1][rows].to(device))
    return batch._replace(labels=None, labelled=part)


def _random_rows(total: int, count: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(derived_seed(seed, "game"))
    return torch.randperm(total, generator=rng)[:count].sort().values


@contextmanager
def probe(gan: GAN, dtype: torch.dtype) -> Iterator[None]:
    """Let a GAN be changed inside the block, in a type of its own, then restore it bit for bit.

    Restored are weights, buffers and random states. Its networks compute eagerly inside the block.

    Args:
        gan: in training or not.
        dtype: of the weights inside the block, at least as precise as the present one.
    """
    before = gan.dtype
    assert isinstance(before, torch.dtype)
    values = [tensor.detach().clone() for tensor in _tensors(gan)]
    gan.to(dtype)
    try:
        with isolated_randomness(derived_seed(gan.seed, "game", gan.updates)), eager_mode():
            yield
    finally:
        gan.to(before)
        with torch.no_grad():
            for tensor, value in zip(_tensors(gan), values, strict=True):
                tensor.copy_(value)


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


class GradientField:
    """The vector field v = (grad_D L_D, grad_G L_G) of a GAN on one minibatch.

    Both losses are those of training, with regularisers, at the same weights, latents and other
    random numbers. Gradient descent of both players at once follows -v. A point is a vector of all
    trained weights, the discriminator's before the generator's, float64. Use it inside `probe`.

    Derivatives of the field are central differences, so that a loss needs no second derivative, and
    a term that training detaches from the other player counts as it acts.

    Args:
        gan: the model, in float64, see `probe`.
        real: minibatch, (N, *shape).
        seed: of the latents and of the random numbers of layers and losses.

    Attributes:
        condition: inputs of the generator, N samples.
        start: the weights at which the field was built, (W,).
        sizes: number of the discriminator's weights and of the generator's.
    """

    def __init__(self, gan: GAN, real: Batch, seed: int) -> None:
        self._gan, self._seed = gan, seed
        self._real = _to_dtype(real, gan)
        self._players = discriminator, generator = weights_of_players(gan)
        self._weights = [*discriminator, *generator]
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in gan.buffers()]
        self.condition = draw_inputs(gan, self._real, seed)
        self.start = _flat(self._weights)
        self.sizes = sum(w.numel() for w in discriminator), sum(w.numel() for w in generator)

    def __call__(self, point: Tensor | None = None) -> Tensor:
        """Move to a point, (W,), by default `start`, and return the field there, (W,)."""
        self.move_to(self.start if point is None else point)
        gan, real = self._gan, self._real
        with isolated_randomness(self._seed), torch.enable_grad():
            fake = Sample(gan.generate(self.condition), self.condition)
            seen, fake = gan.preprocess_for_discriminator(real, fake)
            terms = gan.discriminator_terms(seen, fake.detach()), gan.generator_loss(seen, fake)
            parts = [_gradient(*part) for part in zip(terms, self._players, strict=True)]
        return torch.cat(parts)

    @torch.no_grad()
    def move_to(self, point: Tensor) -> None:
        """Set the weights to a point, and the buffers to their values at the start."""
        for weights, values in zip(self._weights, self._split(point), strict=True):
            weights.copy_(values.view_as(weights))
        for buffer, value in self._buffers:
            buffer.copy_(value)

    def point(self) -> Tensor:
        """Return the present weights, (W,)."""
        return _flat(self._weights)

    def set_gradients(self, vector: Tensor | None) -> None:
        """Set the gradients for an optimizer, from a vector (W,); None clears them."""
        parts = (None,) * len(self._weights) if vector is None else self._split(vector)
        for weights, part in zip(self._weights, parts, strict=True):
            weights.grad = None if part is None else part.view_as(weights)

    def derivative(self, direction: Tensor, point: Tensor | None = None) -> Tensor:
        """Return the product of the field's Jacobian and a direction, both (W,)."""
        point = self.start if point is None else point
        length = direction.norm()
        if length == 0:
            return torch.zeros_like(direction)
        step = DIFFERENCE * (1 + point.norm()) / length
        difference = self(point + step * direction) - self(point - step * direction)
        return difference.div(2 * step)

    def _split(self, point: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = point.split([weights.numel() for weights in self._weights])
        return parts


def weights_of_players(gan: GAN) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """List the weights that the discriminator trains, and those that only the generator trains."""
    discriminator = trained_parameters(gan.discriminator_players())
    own = {*discriminator}
    generator = trained_parameters(gan.generator_players())
    return discriminator, [weights for weights in generator if weights not in own]


def initial_point(gan: GAN) -> Tensor:
    """Return the weights that the seed of a GAN gives it at the start of training, (W,)."""
    discriminator, generator = weights_of_players(type(gan)(**gan.hparams))
    return _flat([*discriminator, *generator])


def draw_inputs(gan: GAN, real: Batch, seed: int) -> Condition:
    """Return inputs of the generator: labels and sources of a minibatch, the rest from the prior.

    Args:
        gan: inside `probe`.
        real: the minibatch, (N, *shape).
        seed: of the prior.

    Returns:
        Inputs of N samples, in the type of the GAN.
    """
    fields = gan.condition_fields()
    given = {name: part for name, part in real.condition.parts().items() if name in fields}
    if given.keys() == {*fields}:
        return Condition(**given)
    rng = torch.Generator(gan.device).manual_seed(derived_seed(seed, "game prior"))
    drawn = gan.prior(len(real.data), rng).updated(Condition(**given))
    return Condition(
        **{
            name: part.to(gan.dtype) if part.is_floating_point() else part
            for name, part in drawn.parts().items()
        }
    )


def _to_dtype(batch: Batch, gan: GAN) -> Batch:
    assert isinstance(gan.dtype, torch.dtype)
    source = None if batch.source is None else batch.source.to(gan.dtype)
    labelled = None if batch.labelled is None else _to_dtype(batch.labelled, gan)
    return batch._replace(data=batch.data.to(gan.dtype), source=source, labelled=labelled)


def _gradient(terms: LossTerms, weights: list[nn.Parameter]) -> Tensor:
    """Return the gradient of summed loss terms in some weights; 0 where they have no effect."""
    loss = reduce(add, terms.values())
    found: tuple[Tensor | None, ...] = (
        grad(loss, weights, allow_unused=True) if loss.requires_grad else (None,) * len(weights)
    )
    pairs = zip(weights, found, strict=True)
    return _flat([torch.zeros_like(weight) if part is None else part for weight, part in pairs])


def _flat(tensors: list[Tensor] | list[nn.Parameter]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])
