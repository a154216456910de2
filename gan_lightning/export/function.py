"""A GAN's generator as a function of named tensors, which stands without the project."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.gans import GAN, InfoGAN
from gan_lightning.networks.pix2pix import DropoutNoise
from gan_lightning.types import Condition

__all__ = ["GeneratorFunction"]


class GeneratorFunction(nn.Module):
    """Maps what a generator is given to data as a person keeps them.

    One-hot labels, the order of the codes and the scale of the images are inside. So is the running
    average of the weights where the run kept one. Nothing in it is random: a network whose noise is
    dropout takes that noise as an input.

    Args:
        gan: that is given up to the function: its generator is changed.

    Attributes:
        generator: the network.
        inputs: names of the tensors it takes, in order, each with its shape after N.
    """

    def __init__(self, gan: GAN) -> None:
        super().__init__()
        self.is_image = gan.data.is_image
        self.generator = gan.inference_network().to(memory_format=torch.contiguous_format)
        gan.generator, gan.ema = self.generator, None
        if gan.data.source_shape is not None:
            gan.examples = torch.zeros(1, *gan.data.source_shape)
        gan.eval().requires_grad_(False)
        # methods, not the module: what is exported holds no discriminator
        self._generate, self._prior = gan.generate, gan.prior
        self._given = Given()
        self._units = self._take_noise_from(self._given)
        self._ranges = _ranges(gan)
        parts = self.draw(1, seed=0)
        self.inputs = {name: tuple(part.shape[1:]) for name, part in parts.items()}

    def forward(
        self,
        latent: Tensor | None = None,
        labels: Tensor | None = None,
        categorical: Tensor | None = None,
        continuous: Tensor | None = None,
        source: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Generate data from those that `inputs` names, each (N, *its shape); `source` in [0, 1].

        Returns:
            float32 (N, *shape): images in [0, 1], points as they are.
        """
        if noise is not None:
            self._given.parts = list(noise.split(self._units, 1))
        if source is not None:
            source = source * 2 - 1
        data = self._generate(Condition(latent, labels, categorical, continuous, source))
        return (data + 1) / 2 if self.is_image else data

    @torch.no_grad()
    def draw(self, count: int, seed: int) -> dict[str, Tensor]:
        """Draw inputs from the prior; sources, of which there is none, are noise in [0, 1]."""
        with isolated_randomness(seed):
            parts = self._prior(count).parts()
            if "source" in parts:
                parts["source"] = torch.rand_like(parts["source"].expand(count, -1, -1, -1))
            if self._units:
                parts["noise"] = torch.rand(count, sum(self._units))
        return {name: part for name, part in parts.items() if part.numel()}

    def meaning(self, name: str) -> str:
        """Say what an input holds, and its range."""
        return self._ranges[name][0]

    def drawn_by(self, name: str, count: int) -> tuple[str, str]:
        """Write the expressions of PyTorch and of NumPy that draw an input."""
        _, torchs, numpys = self._ranges[name]
        shape = (count, *self.inputs[name])
        return torchs.format(shape), numpys.format(shape)

    def _take_noise_from(self, given: Given) -> list[int]:
        """Let dropout that is noise read it from `given`; return the units of each such layer."""
        noisy = [part for part in self.generator.modules() if isinstance(part, DropoutNoise)]
        if not any(part.p for part in noisy):
            return []
        units: list[int] = []
        hooks = [
            part.register_forward_hook(lambda layer, args, maps: units.append(maps[0].numel()))
            for part in noisy
        ]
        with torch.no_grad(), isolated_randomness(0):
            self._generate(self._prior(1))
        for hook in hooks:
            hook.remove()
        for parent in list(self.generator.modules()):
            for name, part in parent.named_children():
                if isinstance(part, DropoutNoise):
                    setattr(parent, name, GivenNoise(part.p, given))
        return units


class Given:
    """Noise of the layers still to come, each (N, units) in [0, 1).

    Not a list of the module's, which tracing would put back by another one.
    """

    def __init__(self) -> None:
        self.parts: list[Tensor] = []


class GivenNoise(nn.Module):
    """Dropout whose noise is given.

    Args:
        silenced: share of units set to 0, in [0, 1).
        given: what each layer takes its noise from.
    """

    def __init__(self, silenced: float, given: Given) -> None:
        super().__init__()
        self.silenced = silenced
        self._given = given

    def forward(self, maps: Tensor) -> Tensor:
        """Silence the units of maps (N, C, H, W) whose noise is below `silenced`; scale others."""
        loud = self._given.parts.pop(0).reshape(maps.shape) >= self.silenced
        return maps * loud.to(maps.dtype) / (1 - self.silenced)


def _ranges(gan: GAN) -> dict[str, tuple[str, str, str]]:
    """For each input that there may be: its meaning, and how PyTorch and NumPy draw it."""
    uniform = ("float32, uniform on [-1, 1]", "torch.rand{} * 2 - 1", "rng.uniform(-1, 1, {})")
    normal = ("float32, standard normal", "torch.randn{}", "rng.standard_normal({})")
    unit = ("torch.rand{}", "rng.random({})")
    classes = gan.data.classes or 0
    sizes = list(gan.config.categorical_codes) if isinstance(gan, InfoGAN) else []
    each = ", ".join(f"column {column} in [0, {size})" for column, size in enumerate(sizes))
    fewest = min(sizes, default=0)
    return {
        "latent": uniform if gan.config.latent_prior == "uniform" else normal,
        "labels": (f"int64 in [0, {classes})", *_integers(classes)),
        "categorical": (f"int64, {each}", *_integers(fewest)),
        "continuous": uniform,
        "source": ("float32, images in [0, 1] to be translated", *unit),
        "noise": ("float32, uniform on [0, 1): one number a unit of dropout", *unit),
    }


def _integers(below: int) -> tuple[str, str]:
    return f"torch.randint({below}, {{}})", f"rng.integers({below}, size={{}})"
