"""A script of PyTorch-GAN, run as it is, on the embedded digits."""

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
from reading import unpack_digits
from torchvision import datasets

from peers import PEERS, script_of

__all__ = ["Ended", "run_script", "train"]


def run_script(
    path: Path, arguments: Sequence[str], before_batch: Callable[[dict[str, Any], int], None]
) -> dict[str, Any]:
    """Run a training script in an empty folder until `before_batch` raises Ended.

    Nothing of it is changed: its data set finds the files that it would download, what it prints
    goes nowhere, and its DataLoader says when a batch is due.

    Args:
        path: of the script.
        arguments: of its command line.
        before_batch: called with the script's variables and the number of batches so far.

    Returns:
        The script's variables.
    """
    variables: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    batches = 0

    class Counted(torch.utils.data.DataLoader[Any]):
        def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names its own iterator
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
        stack.enter_context(patch.object(torch.utils.data, "DataLoader", Counted))
        stack.enter_context(patch.object(sys, "argv", [str(path), *arguments]))
        stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        before = Path.cwd()
        stack.callback(os.chdir, before)
        code = compile(path.read_text(), str(path), "exec")
        os.chdir(folder)
        with suppress(Ended):
            exec(code, variables)  # a checkout that the user named: as `python PATH` would
    return variables


def train(checkout: Path, name: str, tick: Callable[[None, int], None]) -> None:
    """Train by a script of a checkout, as `loops.py` trains by ours.

    Args:
        checkout: of PyTorch-GAN.
        name: of the script.
        tick: called before each generator update with the number of those made; ends it by raising.
    """
    peer = PEERS[name]

    def before_batch(variables: dict[str, Any], batches: int) -> None:
        if batches % peer.minibatches == 0:
            tick(None, batches // peer.minibatches)

    run_script(script_of(checkout, name), ["--batch_size", str(peer.batch)], before_batch)


class Ended(Exception):  # noqa: N818 - it ends a script, nothing went wrong
    """Raised by `before_batch` to end a script."""
