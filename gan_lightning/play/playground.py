"""Generate the pictures for a setting of the controls; independent of the web page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor

from gan_lightning.callbacks.figures import Array, to_uint8
from gan_lightning.callbacks.scatter import axis_limit
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.gans import GAN
from gan_lightning.gans.directions import latent_std, principal_directions
from gan_lightning.play.attribute_directions import attribute_directions
from gan_lightning.play.controls import Choice, Slider, make_controls
from gan_lightning.play.latents import interpolate
from gan_lightning.play.scatter import ScatterPlot
from gan_lightning.types import Condition

__all__ = ["MOVES_LATENT", "Pictures", "Playground"]

SMALL_SIZE = 64
"""Images up to this height and width are generated fast enough for long rows."""

MAX_ALTERNATIVES = 12
"""A choice with more options has no row of alternatives."""

SEEDS = 2**32

MOVES_LATENT = ("latent", "value", "strength")
"""Parts of the controls that move the latent along a direction."""

Codes = dict[str, Tensor]
"""Fields of `Condition` without the latent, with one row or as many rows as latents.

`attributes`, the numbers of their values, stand for `labels` where these number combinations.
"""


@dataclass(frozen=True)
class Pictures:
    """Pictures for one setting of the controls, each uint8 (H, W, C).

    Args:
        main: the selected sample: one image, or one for each domain; for points, one scatter plot
            of everything.
        alternatives: the selected sample with each option of the first choice; empty without one.
        other_latents: other latents with the same class and codes.
        interpolation: from this sample to the other sample in equal steps.
    """

    main: list[Array]
    alternatives: list[Array]
    other_latents: list[Array]
    interpolation: list[Array]


class Playground:
    """A generator with controls.

    Args:
        gan: that generates images or 2-D points from a latent.
        data: that it was trained on.
        directions: number of directions of latent space to find.

    Attributes:
        controls: whose values `generate` takes, in this order.
        choice: the first categorical control, or None.
        domains: names of the classes that are shown together; empty for most GANs.
        has_codes: whether there are controls for a class or codes.
        has_directions: whether there are controls for directions of latent space.
        prior: of the latent, `normal`, `uniform` or `unit_uniform`.
        is_image: whether images are generated rather than points.
    """

    def __init__(self, gan: GAN, data: BaseDataModule, directions: int) -> None:
        self._gan = gan
        self.prior = gan.config.latent_prior
        self._directions = principal_directions(gan, directions)
        towards = attribute_directions(gan, data)
        self._towards = [*towards.values()]
        self.controls = make_controls(gan, data, len(self._directions), [*towards])
        self.choice = next(
            (c for c in self.controls if isinstance(c, Choice) and c.part not in MOVES_LATENT), None
        )
        self.domains = data.class_names if gan.couples_classes else ()
        self.is_image = data.spec.is_image
        self.has_codes = any(control.part not in MOVES_LATENT for control in self.controls)
        self.has_directions = any(control.part in MOVES_LATENT for control in self.controls)
        self._scatter = None if self.is_image else _scatter_plot(gan, data)
        if self._scatter is not None:
            self._num_others, self._num_steps = 500, 33
        else:
            is_small = max(data.spec.shape) <= SMALL_SIZE
            self._num_others, self._num_steps = (7, 9) if is_small else (3, 5)
        # sampling changes torch's global random state and the training mode of modules
        self._lock = Lock()

    def generate(
        self, sample: int, other: int, fraction: float, values: Sequence[float]
    ) -> Pictures:
        """Generate the pictures for a setting of the controls.

        Args:
            sample: seed of the latent, in [0, 2^32).
            other: seed of the latent at the end of the interpolation, in [0, 2^32).
            fraction: position on the interpolation, in [0, 1].
            values: of the controls: a slider's number, a choice's index.

        Raises:
            ValueError: a value is out of range.
        """
        self._check(sample, other, fraction, values)
        start, end, other_latents = self._latents(sample, other, values)
        steps = torch.linspace(0, 1, self._num_steps)
        fractions = torch.cat([torch.tensor([fraction]), steps]).to(start)
        path = interpolate(start, end, fractions, self.prior)
        current, interpolation = path[:1], path[1:]
        codes = self._codes(values)
        groups = [(current, codes)]
        groups += [
            (current, self._with_option(codes, option)) for option in range(self._num_alternatives)
        ]
        groups += [(other_latents, codes), (interpolation, codes)]
        return self._generate_groups(groups)

    def _generate_groups(self, groups: list[tuple[Tensor, Codes]]) -> Pictures:
        """Generate all groups of latents (N, D) and codes in one batch.

        The groups are the current sample, its alternatives, other latents, and the interpolation.
        """
        conditions = [self._expand(latents, codes) for latents, codes in groups]
        batch = {name: torch.cat([part[name] for part in conditions]) for name in conditions[0]}
        with self._lock:
            data = self._gan.sample(len(batch["latent"]), Condition(**batch), seed=0).data
        samples = data.split([len(part["latent"]) for part in conditions])
        current, alternatives, other_latents = samples[0], samples[1:-2], samples[-2]
        interpolation = samples[-1]
        if self._scatter is not None:
            path = interpolation[:: len(current)]
            return Pictures([self._scatter.draw(other_latents, path, current)], [], [], [])
        return Pictures(
            list(to_uint8(current)),
            [image for images in alternatives for image in to_uint8(images)],
            list(to_uint8(other_latents)),
            list(to_uint8(interpolation)),
        )

    def _expand(self, latents: Tensor, codes: Codes) -> Codes:
        """Repeat the codes for each latent; for a coupled GAN, repeat both for each domain."""
        count = len(latents)
        parts = {
            "latent": latents,
            **{name: part.expand(count, *part.shape[1:]) for name, part in codes.items()},
        }
        if "attributes" in parts:
            parts["labels"] = self._gan.data.combination_of(parts.pop("attributes"))
        if not self.domains:
            return parts
        domains = len(self.domains)
        repeated = {name: part.repeat_interleave(domains, 0) for name, part in parts.items()}
        return {**repeated, "labels": torch.arange(domains, device=latents.device).repeat(count)}

    def _latents(
        self, sample: int, other: int, values: Sequence[float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the start and end of the interpolation, (D,), and other latents, (N, D).

        The start is moved along the directions by the values of their controls.
        """
        start, end = (self._sample_prior(seed, 1)[0] for seed in (sample, other))
        std = latent_std(self.prior)
        moves = {"value": 0.0, "strength": 0.0}
        for control, value in zip(self.controls, values, strict=True):
            if control.part == "latent":
                start = start + value * std * self._directions[control.index]
            elif control.part in moves:
                moves[control.part] = value
        if chosen := int(moves["value"]):
            start = start + moves["strength"] * std * self._towards[chosen - 1]
        others = self._sample_prior(derived_seed(sample, "others"), self._num_others)
        return start, end, others

    def _sample_prior(self, seed: int, count: int) -> Tensor:
        """Sample latents (count, D); the first latent of a seed depends on the count."""
        rng = torch.Generator(self._gan.device).manual_seed(seed)
        latents = self._gan.prior(count, rng).latent
        assert latents is not None
        return latents

    def _codes(self, values: Sequence[float]) -> Codes:
        """Return the class and codes that the controls select, with one row."""
        device = self._gan.device
        parts: dict[str, list[float]] = {}
        for control, value in zip(self.controls, values, strict=True):
            if control.part not in MOVES_LATENT:
                parts.setdefault(control.part, []).append(value)
        codes = {name: torch.tensor([row], device=device) for name, row in parts.items()}
        for name in {"categorical", "attributes"} & codes.keys():
            codes[name] = codes[name].long()
        if "labels" in codes:
            codes["labels"] = codes["labels"].long()[:, 0]
        return codes

    @property
    def _num_alternatives(self) -> int:
        """Number of options of the first choice; 0 if they are not shown."""
        count = len(self.choice.options) if self.choice is not None and self.is_image else 0
        return count if count <= MAX_ALTERNATIVES else 0

    def _with_option(self, codes: Codes, option: int) -> Codes:
        """Return the codes with another option of the first choice."""
        assert self.choice is not None
        changed = codes[self.choice.part].clone()
        (changed if changed.ndim == 1 else changed[:, self.choice.index]).fill_(option)
        return {**codes, self.choice.part: changed}

    def _check(self, sample: int, other: int, fraction: float, values: Sequence[float]) -> None:
        """Check the ranges of all values, which the page's HTTP interface does not."""
        for name, seed in (("sample", sample), ("other sample", other)):
            if not 0 <= seed < SEEDS:
                raise ValueError(f"{name} is {seed}; it must be in 0 to {SEEDS - 1}")
        if not 0 <= fraction <= 1:
            raise ValueError(f"the interpolation is {fraction}; it must be in 0 to 1")
        for control, value in zip(self.controls, values, strict=True):
            if isinstance(control, Slider):
                low, high = -control.limit, control.limit
            else:
                low, high = 0, len(control.options) - 1
            if not low <= value <= high:
                raise ValueError(f"{control.label} is {value}; it must be in {low:g} to {high:g}")


def _scatter_plot(gan: GAN, data: BaseDataModule) -> ScatterPlot:
    """Return a plot of the real points, or with the axes of generated ones where none are known."""
    real = data.test_data().data
    return ScatterPlot(real, axis_limit(real if len(real) else gan.sample(500, seed=0).data))
