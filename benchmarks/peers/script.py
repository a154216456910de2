"""Run a script of PyTorch-GAN unchanged, on the embedded digits."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from data_sources import unpack_digits
from torchvision import datasets

from peers import PEERS, script_path

__all__ = ["Ended", "run_script", "train"]


def run_script(
    path: Path, arguments: Sequence[str], before_batch: Callable[[dict[str, Any], int], None]
) -> dict[str, Any]:
    """Run a training script in an empty directory until `before_batch` raises Ended.

    The script itself is unchanged. torchvision's MNIST is patched to find the files that the script
    would download, the DataLoader to call `before_batch`, and standard output is discarded.

    Args:
        path: of the script.
        arguments: of its command line.
        before_batch: called before each batch with the script's global variables and the number of
            batches so far.

    Returns:
        The script's global variables.
    """
    variables: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    batches = 0

    class CountingLoader(torch.utils.data.DataLoader[Any]):
        def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch has a narrower type
            nonlocal batches
            for batch in super().__iter__():
                before_batch(variables, batches)
                batches += 1
                yield batch

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()), "a", "b")
        folder.mkdir(parents=True)
        unpack_digits(folder)

        def digits(root: str, train: bool, download: bool, transform: Any) -> Any:
            return datasets_mnist(folder, train=train, transform=transform)

        datasets_mnist = datasets.MNIST
        stack.enter_context(patch.object(datasets, "MNIST", digits))
        stack.enter_context(patch.object(torch.utils.data, "DataLoader", CountingLoader))
        stack.enter_context(patch.object(sys, "argv", [str(path), *arguments]))
        stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        before = Path.cwd()
        stack.callback(os.chdir, before)
        code = compile(path.read_text(), str(path), "exec")
        os.chdir(folder)
        with suppress(Ended):
            exec(code, variables)  # the user named the checkout; the same as `python PATH`
    return variables


def train(checkout: Path, name: str, tick: Callable[[None, int], None]) -> None:
    """Train with a script of a checkout, with the interface of the loops in `loops.py`.

    Args:
        checkout: of PyTorch-GAN.
        name: of the script.
        tick: called before each generator update with None and the number of updates so far; raises
            to end the script.
    """
    peer = PEERS[name]

    def before_batch(variables: dict[str, Any], batches: int) -> None:
        if batches % peer.minibatches == 0:
            tick(None, batches // peer.minibatches)

    run_script(script_path(checkout, name), ["--batch_size", str(peer.batch)], before_batch)


class Ended(Exception):  # noqa: N818 - it ends a script and is no error
    """Raised by `before_batch` to end a script."""
