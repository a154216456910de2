"""Export of generators: safetensors weights, a torch.export program, or ONNX."""

from __future__ import annotations

from gan_lightning.export.exporting import TOLERANCE, export_run
from gan_lightning.export.formats import FORMATS, load_generator
from gan_lightning.export.function import GeneratorFunction

__all__ = ["FORMATS", "TOLERANCE", "GeneratorFunction", "export_run", "load_generator"]
