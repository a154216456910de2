"""DINOv2 and CLIP as feature extractors, by timm and a file of weights that the user has."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan_lightning.errors import UserError

__all__ = ["TRANSFORMERS", "Resized", "vision_transformer"]

SIZE = 224


class Transformer(NamedTuple):
    """A family of vision transformers in timm.

    Attributes:
        models: (width, patch size) of the weights -> timm's name of the model.
        mean: of the channels that the network expects, for pixels in [0, 1].
        deviation: of the same.
        download: where timm's weights are.
    """

    models: dict[tuple[int, int], str]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    download: str


TRANSFORMERS = {
    "dinov2": Transformer(
        {
            (384, 14): "vit_small_patch14_dinov2",
            (768, 14): "vit_base_patch14_dinov2",
            (1024, 14): "vit_large_patch14_dinov2",
            (1536, 14): "vit_giant_patch14_dinov2",
        },
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        "huggingface.co/timm/vit_large_patch14_dinov2.lvd142m (model.safetensors)",
    ),
    "clip": Transformer(
        {
            (768, 32): "vit_base_patch32_clip_224",
            (768, 16): "vit_base_patch16_clip_224",
            (1024, 14): "vit_large_patch14_clip_224",
        },
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
        "huggingface.co/timm/vit_large_patch14_clip_224.openai (model.safetensors)",
    ),
}


class Resized(nn.Module):
    """A network of colour images of 224 pixels, for images of any size.

    Args:
        network: maps normalised images (N, 3, 224, 224) to features (N, D).
        family: mean and deviation of its channels.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, family: Transformer) -> None:
        super().__init__()
        self.network = network
        for name, values in (("mean", family.mean), ("deviation", family.deviation)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to features (N, D)."""
        images = (images.expand(-1, 3, -1, -1) + 1) / 2
        if images.shape[-2:] != (SIZE, SIZE):
            images = interpolate(images, (SIZE, SIZE), mode="bicubic", antialias=True).clamp(0, 1)
        features: Tensor = self.network((images - self.mean) / self.deviation)
        return features


def vision_transformer(name: str, path: Path | None) -> tuple[Resized, str]:
    """Load a vision transformer; nothing is downloaded or unpickled.

    Args:
        name: `dinov2` or `clip`.
        path: timm's file of the weights, `.safetensors`, or a state_dict saved by torch.

    Returns:
        The network, and the SHA-256 of the file.

    Raises:
        UserError: timm or the file is missing, or the weights belong to another network.
    """
    family = TRANSFORMERS[name]
    if find_spec("timm") is None:
        raise UserError(
            f"--extractor {name} needs timm, which is not installed; run `pip install timm`, and "
            f"pass weights by --weights FILE, from {family.download}"
        )
    if path is None:
        raise UserError(
            f"--extractor {name} needs --weights FILE; download it from {family.download}"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read --weights {path}: {error.strerror}") from error
    weights = _weights(path, content)
    embedding = weights.get("patch_embed.proj.weight")
    key = None if embedding is None else (embedding.shape[0], embedding.shape[-1])
    if key not in family.models:
        raise UserError(
            f"--weights {path} are not timm's weights of {name}; download {family.download}"
        )
    timm = import_module("timm")
    network: nn.Module = timm.create_model(
        family.models[key], pretrained=False, num_classes=0, img_size=SIZE
    )
    try:
        convert = import_module("timm.models.vision_transformer").checkpoint_filter_fn
        network.load_state_dict(convert(weights, network))
    except (ImportError, AttributeError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"--weights {path} do not fit timm's {family.models[key]}: {reason}") from (
            error
        )
    network.eval().requires_grad_(False)
    return Resized(network, family).eval(), sha256(content).hexdigest()


def _weights(path: Path, content: bytes) -> Mapping[str, Tensor]:
    """Read tensors by name, without unpickling."""
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(content)
        weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return weights
    except (SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise UserError(f"--weights {path} is no file of weights; download it again") from error
    except Exception as error:  # UnpicklingError of a file that holds more than tensors
        raise UserError(f"--weights {path} holds more than tensors; convert it") from error
