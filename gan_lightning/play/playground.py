"""Where a person's controls become pictures; knows no web page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor

from gan_lightning.callbacks.figures import Array, to_uint8
from gan_lightning.core.seeding import derived_seed
from gan_lightning.data import BaseDataModule
from gan_lightning.gans import GAN, CoupledGAN
from gan_lightning.play.controls import Choice, Slider, controls_of
from gan_lightning.play.latents import interpolated, latent_deviation, principal_directions
from gan_lightning.play.scatter import PointCloud
from gan_lightning.types import Condition

__all__ = ["Playground", "Shown"]

SMALL = 64
"""Side in pixels of pictures of which many can be made in a tenth of a second."""

MOST_ALTERNATIVES = 12
"""Names of a choice, at most, that are shown beside each other."""

SEEDS = 2**32

Codes = dict[str, Tensor]
"""Parts of a `Condition` beside the latent, of one row or of as many as there are latents."""


@dataclass(frozen=True)
class Shown:
    """Pictures of one setting of the controls, each uint8 (H, W, C).

    Args:
        picture: what was asked for: one, or one a domain, or of points one with all that follows.
        alternatives: the same with every name of the first choice; none where there is no choice.
        others: the same class and codes with other latents.
        between: from this sample to the other one, in even steps.
    """

    picture: list[Array]
    alternatives: list[Array]
    others: list[Array]
    between: list[Array]


class Playground:
    """A generator of noise whose controls can be moved.

    Args:
        gan: that makes images or points of noise.
        data: that it was trained on.
        directions: of latent space to look for.

    Attributes:
        controls: what `show` takes values of, in this order.
        choice: the first of them that picks a name, or None.
        domains: names of what each latent is shown in; empty unless the GAN is coupled.
        has_codes: whether some of the controls are a class or codes.
        has_directions: whether some of the controls are directions of latent space.
        prior: of the latent, normal or uniform.
        is_image: whether pictures are generated, or points that one picture shows.
    """

    def __init__(self, gan: GAN, data: BaseDataModule, directions: int) -> None:
        self._gan = gan
        self.prior = gan.config.latent_prior
        self._directions = principal_directions(gan, directions)
        self.controls = controls_of(gan, data.class_names, len(self._directions))
        self.choice = next((c for c in self.controls if isinstance(c, Choice)), None)
        self.domains = data.class_names if isinstance(gan, CoupledGAN) else ()
        self.is_image = data.spec.is_image
        self.has_codes = any(control.part != "latent" for control in self.controls)
        self.has_directions = len(self._directions) > 0
        self._cloud = None if self.is_image else PointCloud(data.test_data().data)
        if self._cloud is not None:
            self._others, self._steps = 500, 33
        else:
            self._others, self._steps = (7, 9) if max(data.spec.shape) <= SMALL else (3, 5)
        self._lock = Lock()  # sampling seeds torch's one random state, and sets modes

    def show(self, sample: int, other: int, at: float, values: Sequence[float]) -> Shown:
        """Generate what the controls say.

        Args:
            sample: seed of the latent.
            other: seed of the latent at the other end of the way.
            at: how far on the way, in [0, 1].
            values: of the controls: a slider's number, a choice's index.

        Raises:
            ValueError: a value is out of range.
        """
        self._check(sample, other, at, values)
        start, end, others = self._latents(sample, other, values)
        places = torch.cat([torch.tensor([at]), torch.linspace(0, 1, self._steps)]).to(start)
        way = interpolated(start, end, places, self.prior)
        here, between = way[:1], way[1:]
        codes = self._codes(values)
        alternatives = [self._with_choice(codes, name) for name in range(self._alternatives)]
        groups = [(here, codes), *((here, other) for other in alternatives)]
        return self._pictures([*groups, (others, codes), (between, codes)])

    def _pictures(self, groups: list[tuple[Tensor, Codes]]) -> Shown:
        """Generate from latents (N, D) and the codes of each group, all at once."""
        parts = [self._complete(latents, codes) for latents, codes in groups]
        together = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        count = len(together["latent"])
        with self._lock:
            data = self._gan.sample(count, Condition(**together), seed=0).data
        made = data.split([len(part["latent"]) for part in parts])
        here, alternatives, others, between = made[0], made[1:-2], made[-2], made[-1]
        if self._cloud is not None:
            picture = self._cloud.draw(others, between[:: len(here)], here)
            return Shown([picture], [], [], [])
        return Shown(
            list(to_uint8(here)),
            [picture for images in alternatives for picture in to_uint8(images)],
            list(to_uint8(others)),
            list(to_uint8(between)),
        )

    def _complete(self, latents: Tensor, codes: Codes) -> Codes:
        """Give each latent the codes, and of a coupled GAN show it in every domain."""
        count = len(latents)
        parts = {
            "latent": latents,
            **{name: part.expand(count, *part.shape[1:]) for name, part in codes.items()},
        }
        if not self.domains:
            return parts
        domains = len(self.domains)
        repeated = {name: part.repeat_interleave(domains, 0) for name, part in parts.items()}
        return {**repeated, "labels": torch.arange(domains, device=latents.device).repeat(count)}

    def _latents(
        self, sample: int, other: int, values: Sequence[float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the two ends of the way, (D,), the first one moved, and latents of other samples."""
        start, end = (self._drawn(seed, 1)[0] for seed in (sample, other))
        deviation = latent_deviation(self.prior)
        for control, value in zip(self.controls, values, strict=True):
            if isinstance(control, Slider) and control.part == "latent":
                start = start + value * deviation * self._directions[control.index]
        others = self._drawn(derived_seed(sample, "others"), self._others)
        return start, end, others

    def _drawn(self, seed: int, count: int) -> Tensor:
        """Draw latents (count, D); the first ones of a seed depend on their count."""
        rng = torch.Generator(self._gan.device).manual_seed(seed)
        latents = self._gan.prior(count, rng).latent
        assert latents is not None
        return latents

    def _codes(self, values: Sequence[float]) -> Codes:
        """Return the class and codes that the controls say, of one row."""
        device = self._gan.device
        parts: dict[str, list[float]] = {}
        for control, value in zip(self.controls, values, strict=True):
            if control.part != "latent":
                parts.setdefault(control.part, []).append(value)
        codes = {name: torch.tensor([row], device=device) for name, row in parts.items()}
        if "categorical" in codes:
            codes["categorical"] = codes["categorical"].long()
        if "labels" in codes:
            codes["labels"] = codes["labels"].long()[:, 0]
        return codes

    @property
    def _alternatives(self) -> int:
        """Names of the first choice, where all of them are shown."""
        count = len(self.choice.names) if self.choice is not None and self.is_image else 0
        return count if count <= MOST_ALTERNATIVES else 0

    def _with_choice(self, codes: Codes, name: int) -> Codes:
        assert self.choice is not None
        changed = codes[self.choice.part].clone()
        (changed if changed.ndim == 1 else changed[:, self.choice.index]).fill_(name)
        return {**codes, self.choice.part: changed}

    def _check(self, sample: int, other: int, at: float, values: Sequence[float]) -> None:
        """Refuse what no control can say, as a program that calls the page's address may."""
        for name, seed in (("sample", sample), ("other sample", other)):
            if not 0 <= seed < SEEDS:
                raise ValueError(f"{name} is {seed}; it must lie in 0 to {SEEDS - 1}")
        if not 0 <= at <= 1:
            raise ValueError(f"the place between is {at}; it must lie in 0 to 1")
        for control, value in zip(self.controls, values, strict=True):
            if isinstance(control, Slider):
                low, high = -control.reach, control.reach
            else:
                low, high = 0, len(control.names) - 1
            if not low <= value <= high:
                raise ValueError(f"{control.label} is {value}; it must lie in {low:g} to {high:g}")
