"""Open a map-style dataset: from an object, or from an import path and arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, Subset, TensorDataset

from gan_lightning.errors import UserError, is_out_of_memory, nearest_first, storage_error

__all__ = ["MapStyleDataset", "OpenDataset", "construct", "open_dataset", "raised_by", "where"]


PACKAGE = Path(__file__).parents[1]


class MapStyleDataset(Protocol):
    """A dataset with numbered items, such as a torch `Dataset` or a `datasets.Dataset`."""

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    def __getitem__(self, row: int, /) -> Any:
        """Return an image, (image, label), or a mapping with both."""
        ...


@dataclass(frozen=True)
class OpenDataset:
    """A map-style dataset with at least one item.

    Args:
        dataset: the dataset.
        name: its import path or class, and its file, for messages.
        class_names: name of each class; empty where the dataset does not tell.
        listed_labels: label of every item, int64 (M,), where the dataset has a list of them.
    """

    dataset: MapStyleDataset
    name: str
    class_names: tuple[str, ...] = ()
    listed_labels: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.dataset)


def open_dataset(dataset: Any, name: str = "") -> OpenDataset:
    """Check that an object is a map-style dataset, and read the names of its classes.

    Args:
        dataset: the object.
        name: how messages call it; by default its class and file.

    Raises:
        UserError: it has no items by number, no length, or no item.
    """
    name = name or where(type(dataset))
    check_map_style(type(dataset), name)
    try:
        count = len(dataset)
    except Exception as error:  # a dataset of the user may raise anything
        raise UserError(f"len() of {name} {raised_by(error)}; correct its __len__") from error
    if count == 0:
        raise UserError(f"{name} is empty; it must have at least one image: check its arguments")
    names = _class_names(dataset)
    return OpenDataset(dataset, name, names, _listed_labels(dataset))


def check_map_style(kind: type[Any], name: str) -> None:
    """Check that a class has items by number and a length.

    Raises:
        UserError: it is an iterable dataset, or no dataset.
    """
    if issubclass(kind, IterableDataset) or (
        hasattr(kind, "__iter__") and not hasattr(kind, "__getitem__")
    ):
        raise UserError(
            f"{name} is an iterable dataset, without numbered items; an exact resume needs a "
            f"map-style Dataset with __len__ and __getitem__: read its items into a list or into "
            f"files"
        )
    if not hasattr(kind, "__getitem__"):
        raise UserError(
            f"{name} is no Dataset: it has no __getitem__; give a subclass of "
            f"torch.utils.data.Dataset, for example torchvision.datasets:CIFAR10"
        )
    if not hasattr(kind, "__len__"):
        raise UserError(f"{name} has no length; add __len__, which returns the number of its items")


def construct(
    factory: Callable[..., Any], arguments: Mapping[str, Any], key: str, name: str
) -> Any:
    """Call a class or function with arguments of the config.

    Args:
        factory: class of a dataset, or a function that returns one.
        arguments: keyword arguments.
        key: config key of the arguments, for messages.
        name: how messages call the factory.

    Raises:
        UserError: the arguments do not fit its parameters, or it raises.
    """
    parameters: Mapping[str, inspect.Parameter] = {}
    with suppress(TypeError, ValueError):  # written in C, without a signature
        parameters = inspect.signature(factory).parameters
        _check_arguments(parameters, arguments, key, name)
    try:
        return factory(**arguments)
    except UserError:
        raise
    except Exception as error:  # a dataset of the user may raise anything
        if is_out_of_memory(error) or storage_error(error) is not None:
            raise
        fix = f"correct {key}"
        if "download" in parameters and not arguments.get("download"):
            fix += f", or set {key}.download=true to allow a download"
        raise UserError(f"{name} {raised_by(error)}; {fix}") from error


def _check_arguments(
    parameters: Mapping[str, inspect.Parameter], arguments: Mapping[str, Any], key: str, name: str
) -> None:
    kinds = {parameter.kind for parameter in parameters.values()}
    by_name = {
        parameter.name: parameter
        for parameter in parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    for argument in arguments:
        if argument not in by_name and inspect.Parameter.VAR_KEYWORD not in kinds:
            valid = nearest_first(argument, by_name) or "none"
            raise UserError(f"{key}.{argument} is no argument of {name}; valid are {valid}")
    missing = [
        parameter.name
        for parameter in by_name.values()
        if parameter.default is parameter.empty and parameter.name not in arguments
    ]
    if missing:
        raise UserError(
            f"{name} needs {', '.join(missing)}; set {key}.{missing[0]}=…, its arguments are "
            f"{', '.join(by_name)}"
        )


def where(owner: Any, path: str = "") -> str:
    """Name a class or function by its import path and file: `shapes:Squares (shapes.py)`.

    Args:
        owner: the class or function.
        path: its import path; by default that of its definition.
    """
    module = getattr(owner, "__module__", "") or ""
    name = getattr(owner, "__qualname__", type(owner).__qualname__)
    path = path or (name if module in ("", "builtins", "__main__") else f"{module}:{name}")
    try:
        file = inspect.getsourcefile(owner)
    except (TypeError, OSError):
        file = None
    return f"{path} ({_shown(file)})" if file and _is_of_user(file) else path


def raised_by(error: BaseException) -> str:
    """Describe an exception in a line: its class, first line of the message, and place."""
    message = " ".join(str(error).split()) or "no message"
    shown = message if len(message) <= 200 else f"{message[:199]}…"
    frames = [frame for frame in extract_tb(error.__traceback__) if _is_of_user(frame.filename)]
    place = "".join(f", {_shown(frame.filename)} line {frame.lineno}" for frame in frames[-1:])
    return f"raised {type(error).__name__} ({shown}{place})"


def _is_of_user(file: str) -> bool:
    """Tell whether a source file belongs neither to this package nor to an installed one."""
    return "site-packages" not in file and not Path(file).is_relative_to(PACKAGE)


def _shown(file: str) -> str:
    """Return a path relative to the current folder if it is inside."""
    path, folder = Path(file), Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _class_names(dataset: Any) -> tuple[str, ...]:
    """Return `dataset.classes`, as torchvision's datasets have it, or nothing."""
    if isinstance(dataset, Subset):
        return _class_names(dataset.dataset)
    names = getattr(dataset, "classes", None)
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return ()


def _listed_labels(dataset: Any) -> Tensor | None:
    """Return `dataset.targets` or `dataset.labels`, as torchvision's datasets have them."""
    if isinstance(dataset, Subset):
        labels = _listed_labels(dataset.dataset)
        return None if labels is None else labels[torch.as_tensor(list(dataset.indices))]
    if isinstance(dataset, TensorDataset):
        return _integers(dataset.tensors[1], len(dataset)) if len(dataset.tensors) > 1 else None
    if getattr(dataset, "target_transform", None) is not None:
        return None
    for attribute in ("targets", "labels"):
        labels = _integers(getattr(dataset, attribute, None), len(dataset))
        if labels is not None:
            return labels
    return None


def _integers(values: Any, count: int) -> Tensor | None:
    """Return values as int64 (M,) if they are M integers, else None."""
    if not isinstance(values, list | tuple | np.ndarray | Tensor) or len(values) != count:
        return None
    try:
        numbers = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        return None
    is_list = numbers.ndim == 1 and not numbers.is_floating_point() and numbers.dtype != torch.bool
    return numbers.long() if is_list else None
