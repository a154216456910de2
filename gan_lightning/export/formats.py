"""File formats of exported generators: write a file, read it back, and show how to use it."""

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
from gan_lightning.config.sections import selected_class
from gan_lightning.core.packed_weights import pack, unpack
from gan_lightning.data.described import as_data_spec
from gan_lightning.errors import UserError
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.types import DataSpec
from gan_lightning.utils.optional import require

__all__ = ["FORMATS", "Format", "Weights", "load_generator", "rebuild_metadata"]

Generate = Callable[[Mapping[str, Tensor]], Tensor]
"""Maps named inputs to generated data."""

TRACE_BATCH_SIZE = 4
"""Batch size of the example inputs for tracing; the exported graph accepts any batch size."""


class Format(ABC):
    """A file format.

    Attributes:
        file: name of the file.
        library: Hugging Face's identifier of the library that reads the file.
    """

    file: ClassVar[str]
    library: ClassVar[str]

    def check_requirements(self) -> None:  # noqa: B027 - most formats need PyTorch only
        """Raise a UserError if a required package is not installed."""

    @abstractmethod
    def write(self, function: GeneratorFunction, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write a generator and JSON-serialisable metadata."""

    @abstractmethod
    def read(self, path: Path) -> Generate:
        """Read the generator back."""

    @abstractmethod
    def usage_code(self, function: GeneratorFunction, count: int) -> str:
        """Return Python code that loads the file and generates `count` samples named `data`."""


class TorchProgram(Format):
    """A program of torch.export, which runs with PyTorch and without this package."""

    file = "generator.pt2"
    library = "pytorch"

    def write(self, function: GeneratorFunction, path: Path, metadata: Mapping[str, Any]) -> None:
        """Trace the generator and write the program, with the metadata as about.json."""
        torch.export.save(_trace(function), path, extra_files={"about.json": json.dumps(metadata)})

    def read(self, path: Path) -> Generate:
        """Load the program with PyTorch."""
        program = torch.export.load(path).module()
        return lambda inputs: program(**inputs)

    def usage_code(self, function: GeneratorFunction, count: int) -> str:
        """Return code that imports PyTorch only."""
        return (
            "import torch\n\n"
            f'generator = torch.export.load("{self.file}").module()\n'
            f"data = generator(\n{_arguments(function, count, numpy=False)})"
        )


class Onnx(Format):
    """An ONNX graph with a dynamic batch size, for any ONNX runtime."""

    file = "generator.onnx"
    library = "onnx"

    def check_requirements(self) -> None:
        """Raise a UserError if onnx, onnxscript or onnxruntime is not installed."""
        require("export")

    def write(self, function: GeneratorFunction, path: Path, metadata: Mapping[str, Any]) -> None:
        """Trace the generator, convert it to ONNX, and write it as one file."""
        graph = torch.onnx.export(_trace(function), dynamo=True, verbose=False)
        assert graph is not None
        for name, value in metadata.items():
            graph.model.metadata_props[name] = json.dumps(value)
        for output, name in zip(graph.model.graph.outputs, ("data",), strict=True):
            output.name = name
        graph.save(path, external_data=False)

    def read(self, path: Path) -> Generate:
        """Load the graph with ONNX Runtime on the CPU."""
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = {graph_input.name for graph_input in session.get_inputs()}

        def generate(inputs: Mapping[str, Tensor]) -> Tensor:
            arrays = {name: tensor.numpy() for name, tensor in inputs.items() if name in names}
            return torch.from_numpy(session.run(["data"], arrays)[0])

        return generate

    def usage_code(self, function: GeneratorFunction, count: int) -> str:
        """Return code that imports NumPy and ONNX Runtime only."""
        return (
            "import numpy as np\nimport onnxruntime\n\nrng = np.random.default_rng(0)\n"
            f'session = onnxruntime.InferenceSession("{self.file}")\n'
            f"inputs = dict(\n{_arguments(function, count, numpy=True)})\n"
            'data = session.run(["data"], inputs)[0]'
        )


class Weights(Format):
    """Weights, with the config that rebuilds the network as metadata.

    The folder is a saved model, which loads as a run does.

    Args:
        precision: of the weights in the file, one of `PRECISIONS`.
    """

    file = "generator.safetensors"
    library = "gan-lightning"

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision

    def write(self, function: GeneratorFunction, path: Path, metadata: Mapping[str, Any]) -> None:
        """Write the tensors and the metadata."""
        tensors = pack(function.generator.state_dict(), self.precision)
        text = {name: json.dumps(value) for name, value in metadata.items()}
        path.write_bytes(save(tensors, text))

    def read(self, path: Path) -> Generate:
        """Rebuild the generator from the file."""
        generator = load_generator(path)
        return lambda inputs: generator(**inputs)

    def usage_code(self, function: GeneratorFunction, count: int) -> str:
        """Return code that imports gan_lightning, which defines the networks."""
        return (
            "import gan_lightning\n\n"
            f'samples = gan_lightning.sample(".", {count})  # of this folder, from the prior\n\n'
            "# or with inputs of your own\n"
            "import torch\nfrom gan_lightning.export import load_generator\n\n"
            f'generator = load_generator("{self.file}")\n'
            f"data = generator(\n{_arguments(function, count, numpy=False)})"
        )


FORMATS: dict[str, Format] = {"safetensors": Weights(), "torch": TorchProgram(), "onnx": Onnx()}


def rebuild_metadata(config: RunConfig, spec: DataSpec) -> dict[str, Any]:
    """Return the metadata from which `load_generator` rebuilds the network."""
    plain = as_plain(config)
    sections = {name: plain[name] for name in ("model", "network", "data")}
    return {"config": sections, "data_spec": asdict(spec)}


def load_generator(path: str | Path) -> GeneratorFunction:
    """Load a generator from a safetensors file that `gan-lightning export` wrote.

    Returns:
        The generator in evaluation mode, as a module with named input tensors.

    Raises:
        UserError: the file does not exist, or was not written by `gan-lightning export`.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        config, spec = load_config(metadata["config"]), as_data_spec(metadata["data_spec"])
        model = {**as_plain(config)["model"], "ema_decay": None}
        config = load_config({**metadata["config"], "model": model})
        networks = selected_class("network", config.network)(config.network)
        gan = selected_class("model", config.model)(config.model, networks, spec)
        gan.generator.load_state_dict(unpack(tensors))
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"cannot read {path}: {error}; pass a file that `gan-lightning export RUN --format "
            f"safetensors` wrote"
        ) from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{path} was not written by `gan-lightning export RUN --format safetensors` "
            f"({type(error).__name__}); export the run again"
        ) from error
    return GeneratorFunction(gan)


def _trace(function: GeneratorFunction) -> torch.export.ExportedProgram:
    """Trace a generator with a dynamic batch size."""
    inputs = function.sample_inputs(TRACE_BATCH_SIZE, seed=0)
    batch = torch.export.Dim("batch")
    shapes = {name: {0: batch} for name in inputs}
    return torch.export.export(function, (), inputs, dynamic_shapes=shapes, strict=False)


def _arguments(function: GeneratorFunction, count: int, numpy: bool) -> str:
    """Return Python code for keyword arguments that are sampled with NumPy or PyTorch."""
    lines = []
    for name in function.inputs:
        value = function.sampling_code(name, count)[numpy]
        dtype = "int64" if function.describe_input(name).startswith("int64") else "float32"
        lines.append(f"    {name}={value}" + (f".astype(np.{dtype})" if numpy else "") + ",\n")
    return "".join(lines)
