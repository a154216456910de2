"""The generator of a GAN as a module with named input tensors, which can be exported."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.gans import GAN
from gan_lightning.gans.controls import Choice
from gan_lightning.networks.pix2pix import DropoutNoise
from gan_lightning.types import Condition

__all__ = ["GeneratorFunction"]


class InputSpec(NamedTuple):
    """Description of an input of the generator.

    Args:
        description: dtype, meaning and range.
        torch_code: expression that samples it with PyTorch, with `{}` for the shape.
        numpy_code: expression that samples it with NumPy's `rng`, with `{}` for the shape.
    """

    description: str
    torch_code: str
    numpy_code: str


class GeneratorFunction(nn.Module):
    """Maps named input tensors to generated data.

    One-hot encoding of labels, the order of codes and the scale of images are part of the module.
    The generator has its averaged weights if the GAN keeps an exponential moving average. Nothing
    in the module is random: a network whose noise is dropout takes that noise as an input.

    Args:
        gan: whose generator is taken; it is modified and must not be used afterwards.

    Attributes:
        generator: the network.
        inputs: names of the input tensors, in order, with their shapes without the batch dimension.
        is_image: whether images are generated rather than points.
    """

    def __init__(self, gan: GAN) -> None:
        super().__init__()
        self.is_image = gan.data.is_image
        self.generator = gan.inference_network().to(memory_format=torch.contiguous_format)
        gan.generator, gan.ema = self.generator, None
        if gan.data.source_shape is not None:
            gan.examples = torch.zeros(1, *gan.data.source_shape)
        gan.eval().requires_grad_(False)
        # Bound methods, not the GAN itself: a submodule would add the discriminator to the export.
        self._generate, self._prior = gan.generate, gan.prior
        self._noise_queue = NoiseQueue()
        self._noise_sizes = self._replace_dropout(self._noise_queue)
        self._specs = _input_specs(gan)
        sampled = self.sample_inputs(1, seed=0)
        self.inputs = {name: tuple(tensor.shape[1:]) for name, tensor in sampled.items()}

    def forward(
        self,
        latent: Tensor | None = None,
        labels: Tensor | None = None,
        categorical: Tensor | None = None,
        continuous: Tensor | None = None,
        source: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Generate data from the inputs that `inputs` names, each (N, *its shape).

        Args:
            latent: noise.
            labels: classes, int64.
            categorical: categorical codes, int64.
            continuous: continuous codes.
            source: images to translate, in [0, 1].
            noise: uniform numbers in [0, 1) for dropout.

        Returns:
            float32 (N, *shape): images in [0, 1], or points.
        """
        if noise is not None:
            self._noise_queue.tensors = list(noise.split(self._noise_sizes, 1))
        if source is not None:
            source = source * 2 - 1
        data = self._generate(Condition(latent, labels, categorical, continuous, source))
        return (data + 1) / 2 if self.is_image else data

    @torch.no_grad()
    def sample_inputs(self, count: int, seed: int) -> dict[str, Tensor]:
        """Sample inputs from the prior; source images are uniform noise in [0, 1]."""
        with isolated_randomness(seed):
            parts = self._prior(count).parts()
            if "source" in parts:
                parts["source"] = torch.rand_like(parts["source"].expand(count, -1, -1, -1))
            if self._noise_sizes:
                parts["noise"] = torch.rand(count, sum(self._noise_sizes))
        return {name: part for name, part in parts.items() if part.numel()}

    def describe_input(self, name: str) -> str:
        """Return the dtype, meaning and range of an input."""
        return self._specs[name].description

    def sampling_code(self, name: str, count: int) -> tuple[str, str]:
        """Return Python expressions that sample an input with PyTorch and with NumPy."""
        spec, shape = self._specs[name], (count, *self.inputs[name])
        return spec.torch_code.format(shape), spec.numpy_code.format(shape)

    def _replace_dropout(self, queue: NoiseQueue) -> list[int]:
        """Replace dropout noise by layers that read it from the queue.

        Returns:
            The number of elements per sample of each layer, in the order of the forward pass.
        """
        layers = [layer for layer in self.generator.modules() if isinstance(layer, DropoutNoise)]
        if not any(layer.p for layer in layers):
            return []
        sizes: list[int] = []
        hooks = [
            layer.register_forward_hook(lambda _, inputs, maps: sizes.append(maps[0].numel()))
            for layer in layers
        ]
        with torch.no_grad(), isolated_randomness(0):
            self._generate(self._prior(1))
        for hook in hooks:
            hook.remove()
        for parent in list(self.generator.modules()):
            for name, layer in parent.named_children():
                if isinstance(layer, DropoutNoise):
                    setattr(parent, name, QueuedDropout(layer.p, queue))
        return sizes


class NoiseQueue:
    """Noise of the dropout layers that have not run yet, each (N, elements) in [0, 1).

    A class of its own, because torch.export restores lists that are attributes of a module.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []


class QueuedDropout(nn.Module):
    """Dropout that reads its random numbers from a queue.

    Args:
        p: probability that an element is set to 0, in [0, 1).
        queue: of the noise of all dropout layers, in the order of the forward pass.
    """

    def __init__(self, p: float, queue: NoiseQueue) -> None:
        super().__init__()
        self.p = p
        self._queue = queue

    def forward(self, maps: Tensor) -> Tensor:
        """Set the elements of maps (N, C, H, W) whose noise is below p to 0, and scale the rest."""
        kept = self._queue.tensors.pop(0).reshape(maps.shape) >= self.p
        return maps * kept.to(maps.dtype) / (1 - self.p)


def _input_specs(gan: GAN) -> dict[str, InputSpec]:
    """Describe every input that a generator can have."""
    uniform = InputSpec(
        "float32, uniform on [-1, 1]", "torch.rand{} * 2 - 1", "rng.uniform(-1, 1, {})"
    )
    normal = InputSpec("float32, standard normal", "torch.randn{}", "rng.standard_normal({})")
    unit_interval = ("torch.rand{}", "rng.random({})")
    priors = {
        "uniform": uniform,
        "unit_uniform": InputSpec("float32, uniform on [0, 1)", *unit_interval),
        "normal": normal,
    }
    classes = gan.data.classes or 0
    sizes = [
        len(control.options)
        for control in gan.controls()
        if isinstance(control, Choice) and control.part == "categorical"
    ]
    ranges = ", ".join(f"column {column} in [0, {size})" for column, size in enumerate(sizes))
    smallest = min(sizes, default=0)
    return {
        "latent": priors[gan.config.latent_prior],
        "labels": InputSpec(f"int64 in [0, {classes})", *_integer_code(classes)),
        "categorical": InputSpec(f"int64, {ranges}", *_integer_code(smallest)),
        "continuous": uniform,
        "source": InputSpec("float32, images to translate, in [0, 1]", *unit_interval),
        "noise": InputSpec("float32, uniform on [0, 1), for dropout", *unit_interval),
    }


def _integer_code(below: int) -> tuple[str, str]:
    return f"torch.randint({below}, {{}})", f"rng.integers({below}, size={{}})"
