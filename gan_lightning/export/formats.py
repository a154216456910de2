"""The files that a generator is exported to: each is written, and read back as a user would."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gan_lightning.config.load import load_config
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.errors import UserError
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.gans import GANS
from gan_lightning.networks import NETWORKS
from gan_lightning.types import DataSpec
from gan_lightning.utils.optional import require

__all__ = ["FORMATS", "Format", "load_generator"]

Generate = Callable[[Mapping[str, Tensor]], Tensor]
"""Named inputs to data."""

TRACED = 4
"""Data of the minibatch by which a graph is traced; it takes any number."""


class Format(ABC):
    """A kind of file.

    Attributes:
        file: its name.
        library: of Hugging Face's names, that reads it.
    """

    file: ClassVar[str]
    library: ClassVar[str]

    def check(self) -> None:  # noqa: B027 - what PyTorch itself writes needs nothing more
        """Raise a UserError where a package that it needs is missing."""

    @abstractmethod
    def write(self, function: GeneratorFunction, path: Path, about: Mapping[str, Any]) -> None:
        """Write a generator with plain values that say what it is."""

    @abstractmethod
    def read(self, path: Path) -> Generate:
        """Read the file back."""

    @abstractmethod
    def loading(self, function: GeneratorFunction, count: int) -> str:
        """Write the lines of Python that load it and generate `count` data, `data`."""


class TorchProgram(Format):
    """A program of torch.export: runs wherever PyTorch is, and needs no code of ours."""

    file = "generator.pt2"
    library = "pytorch"

    def write(self, function: GeneratorFunction, path: Path, about: Mapping[str, Any]) -> None:
        """Trace the generator, and write it."""
        torch.export.save(_traced(function), path, extra_files={"about.json": json.dumps(about)})

    def read(self, path: Path) -> Generate:
        """Load the program."""
        program = torch.export.load(path).module()
        return lambda inputs: program(**inputs)

    def loading(self, function: GeneratorFunction, count: int) -> str:
        """Need PyTorch alone."""
        return (
            "import torch\n\n"
            f'generator = torch.export.load("{self.file}").module()\n'
            f"data = generator(\n{_arguments(function, count, numpy=False)})"
        )


class Onnx(Format):
    """An ONNX graph with a dynamic batch: runs in any ONNX runtime."""

    file = "generator.onnx"
    library = "onnx"

    def check(self) -> None:
        """Raise a UserError where onnx, onnxscript or onnxruntime is missing."""
        require("export")

    def write(self, function: GeneratorFunction, path: Path, about: Mapping[str, Any]) -> None:
        """Trace the generator, translate it to ONNX, and write one file."""
        graph = torch.onnx.export(_traced(function), dynamo=True, verbose=False)
        assert graph is not None
        for name, value in about.items():
            graph.model.metadata_props[name] = json.dumps(value)
        for output, name in zip(graph.model.graph.outputs, ("data",), strict=True):
            output.name = name
        graph.save(path, external_data=False)

    def read(self, path: Path) -> Generate:
        """Open the file in ONNX Runtime, on the processor."""
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        wanted = {part.name for part in session.get_inputs()}

        def generate(inputs: Mapping[str, Tensor]) -> Tensor:
            arrays = {name: part.numpy() for name, part in inputs.items() if name in wanted}
            return torch.from_numpy(session.run(["data"], arrays)[0])

        return generate

    def loading(self, function: GeneratorFunction, count: int) -> str:
        """Need NumPy and ONNX Runtime."""
        return (
            "import numpy as np\nimport onnxruntime\n\nrng = np.random.default_rng(0)\n"
            f'session = onnxruntime.InferenceSession("{self.file}")\n'
            f"inputs = dict(\n{_arguments(function, count, numpy=True)})\n"
            'data = session.run(["data"], inputs)[0]'
        )


class Weights(Format):
    """Weights alone, with what rebuilds the network around them."""

    file = "generator.safetensors"
    library = "gan-lightning"

    def write(self, function: GeneratorFunction, path: Path, about: Mapping[str, Any]) -> None:
        """Write the tensors, and the plain values as metadata."""
        tensors = {
            name: value.contiguous() for name, value in function.generator.state_dict().items()
        }
        path.write_bytes(save(tensors, {name: json.dumps(value) for name, value in about.items()}))

    def read(self, path: Path) -> Generate:
        """Rebuild the network from the file alone."""
        generator = load_generator(path)
        return lambda inputs: generator(**inputs)

    def loading(self, function: GeneratorFunction, count: int) -> str:
        """Need gan_lightning, which knows the networks."""
        return (
            "import torch\nfrom gan_lightning.export import load_generator\n\n"
            f'generator = load_generator("{self.file}")\n'
            f"data = generator(\n{_arguments(function, count, numpy=False)})"
        )


FORMATS: dict[str, Format] = {"safetensors": Weights(), "torch": TorchProgram(), "onnx": Onnx()}


def rebuilding(config: RunConfig, spec: DataSpec) -> dict[str, Any]:
    """Return the plain values that `load_generator` rebuilds a generator by."""
    plain = as_plain(config)
    sections = {name: plain[name] for name in ("model", "network", "data")}
    return {"config": sections, "data_spec": asdict(spec)}


def load_generator(path: str | Path) -> GeneratorFunction:
    """Rebuild a generator of a safetensors file that `export` has written.

    Returns:
        A function of named tensors, in evaluation mode.

    Raises:
        UserError: there is no such file, or it is another one.
    """
    try:
        with safe_open(path, "pt") as file:
            about = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        config, spec = load_config(about["config"]), _spec(about["data_spec"])
        model = {**as_plain(config)["model"], "ema_decay": None}
        config = load_config({**about["config"], "model": model})
        networks = NETWORKS[config.network.name](config.network)
        gan = GANS[config.model.name](config.model, networks, spec)
        gan.generator.load_state_dict(tensors)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {path}: {error}; give a file that `export` wrote") from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{path} is no generator that `gan-lightning export RUN --format safetensors` wrote "
            f"({type(error).__name__}); export the run again"
        ) from error
    return GeneratorFunction(gan)


def _spec(plain: Mapping[str, Any]) -> DataSpec:
    tuples = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
    return DataSpec(**{**plain, **tuples})


def _traced(function: GeneratorFunction) -> torch.export.ExportedProgram:
    """Trace a generator for minibatches of any number of data."""
    inputs = function.draw(TRACED, seed=0)
    batch = torch.export.Dim("batch")
    shapes = {name: {0: batch} for name in inputs}
    return torch.export.export(function, (), inputs, dynamic_shapes=shapes, strict=False)


def _arguments(function: GeneratorFunction, count: int, numpy: bool) -> str:
    lines = []
    for name in function.inputs:
        drawn = function.drawn_by(name, count)[numpy]
        kind = "float32" if "int" not in function.meaning(name).split()[0] else "int64"
        lines.append(f"    {name}={drawn}" + (f".astype(np.{kind})" if numpy else "") + ",\n")
    return "".join(lines)
