"""What this machine has of what gan-lightning needs, and what to do about the rest."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from gan_lightning.errors import UserError
from gan_lightning.utils.optional import EXTRAS, install_command, missing_modules

__all__ = ["CHECKS", "NOTE", "OK", "RED", "Finding", "examined"]

OK, NOTE, RED = "ok", "note", "red"

OLDEST_PYTHON = (3, 11)
LEAST_FREE = 2 * 2**30
"""Bytes: a run's checkpoints take tens of megabytes, a store of CelebA 2.5 GB."""


@dataclass(frozen=True)
class Finding:
    """A line of the doctor's.

    Args:
        what: was looked at.
        state: ok; note, of what some commands need; or red.
        says: what was found.
        fix: what to do; empty where nothing is to be done.
    """

    what: str
    state: str
    says: str
    fix: str = ""


def examined() -> Iterator[Finding]:
    """Look at everything; a look that fails is a finding like others."""
    for what, check in CHECKS.items():
        try:
            yield from check(what)
        except ImportError as error:
            broken = error.name or str(error)
            fix = "mend the packages that are red above, then look again"
            yield Finding(what, NOTE, f"not looked at: {broken} cannot be imported", fix)
        except UserError as error:
            said, _, fix = str(error).rpartition("; ")
            yield Finding(what, RED, said or str(error), fix)
        except Exception as error:  # whatever is broken here is what a person came to learn
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            yield Finding(what, RED, said, "report this with `gan-lightning doctor --json`")


def _python(what: str) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield Finding(what, RED, found, "install Python 3.11 or newer, and make .venv with it")
    else:
        yield Finding(what, OK, f"{found}, {sys.executable}")


def _packages(what: str) -> Iterator[Finding]:
    """Hold the versions that are installed against the lower bounds of pyproject.toml."""
    from packaging.requirements import Requirement

    good = []
    needed = metadata.requires("gan-lightning") or []
    for requirement in map(Requirement, needed):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, fix = requirement.name, f"pip install '{requirement}'"
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(what, RED, f"{name} is not installed", fix)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            said = f"{name} is {version}, and {requirement.specifier} is needed"
            yield Finding(what, RED, said, fix)
        else:
            good.append(f"{name} {version}")
    own = metadata.version("gan-lightning")
    main = [said for said in good if said.startswith(("torch ", "pytorch-lightning", "wandb "))]
    said = f"gan-lightning {own}; {len(good)} of {len(good)} as they must be: {', '.join(main)}"
    if good:
        yield Finding(what, OK, said)


def _torch(what: str) -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # a broken installation raises OSError, RuntimeError and others
        said = f"cannot be imported: {' '.join(str(error).split())}"
        yield Finding(what, RED, said, "pip install --force-reinstall torch")
        return
    yield Finding(what, OK, f"{torch.__version__}, CUDA {torch.version.cuda or 'not built in'}")


def _devices(what: str) -> Iterator[Finding]:
    import torch

    from gan_lightning.utils.hardware import machine, machine_in_words

    yield Finding(what, OK, machine_in_words(machine()))
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(count))
        yield Finding(what, OK, f"CUDA: {count} GPU{'s' if count > 1 else ''}: {names}")
    elif torch.backends.mps.is_available():
        said = "MPS is there; runs take the processor unless --accelerator mps"
        yield Finding(what, NOTE, said, "gan-lightning train EXP --accelerator mps")
    elif shutil.which("nvidia-smi"):
        fix = "install a build of torch for your CUDA driver: https://pytorch.org/get-started"
        yield Finding(what, NOTE, "an NVIDIA driver is there, and torch sees no GPU", fix)


def _precision(what: str) -> Iterator[Finding]:
    import torch

    from gan_lightning.utils.hardware import fast_precision, set_up_arithmetic

    chosen = fast_precision(on_gpu=torch.cuda.is_available())
    native = "native here" if chosen == "bf16-mixed" else "not native here, so not used"
    yield Finding(what, OK, f"auto is {chosen} for images, 32-true for points; bfloat16 {native}")
    set_up_arithmetic()
    denormal = torch.tensor(1e-38) * 0.01
    if denormal.item() == 0:
        yield Finding(what, OK, "denormal numbers are flushed to zero")
    else:
        fix = "nothing to do: updates near 0 are slower on this processor"
        yield Finding(what, NOTE, "denormal numbers cannot be flushed to zero", fix)


def _digits(what: str) -> Iterator[Finding]:
    from gan_lightning.assets.loader import MD5, read_idx

    for name in MD5:
        read_idx(name)
    yield Finding(what, OK, f"MNIST: {len(MD5)} files, MD5 as published")


def _classifier(what: str) -> Iterator[Finding]:
    from gan_lightning.assets.loader import read_classifier

    size = len(read_classifier())
    yield Finding(what, OK, f"digit classifier: {size / 1e6:.1f} MB, SHA-256 as shipped")


def _inception(what: str) -> Iterator[Finding]:
    import torch

    from gan_lightning.evaluation.inception import FETCH, SHA256, WEIGHTS

    usual = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    fix = f"{FETCH} and put it there; only FID and its kin of pictures need it"
    if not usual.is_file():
        yield Finding(what, NOTE, f"Inception: no {usual}", fix)
    elif sha256(usual.read_bytes()).hexdigest() != SHA256:
        yield Finding(
            what, RED, f"Inception: {usual} is damaged or another file", f"{FETCH} and put it there"
        )
    else:
        yield Finding(what, OK, f"Inception: {usual}")


def _stores(what: str) -> Iterator[Finding]:
    """Look for image stores where experiments look; their sums are not taken here."""
    from gan_lightning.data.image_datasets import LSUN, CelebA, ImagePairs
    from gan_lightning.store.manifest import read_manifest

    for kind in (CelebA, LSUN, ImagePairs):
        name, root = kind.prepare_command, Path(kind.Config().root)
        stores = sorted(root.parent.glob(f"{root.name}-*.store"))
        for store in stores:
            yield Finding(what, OK, f"{name}: {read_manifest(store).images:,} pictures in {store}")
        if not stores:
            fix = f"with a copy of it: gan-lightning prepare {name} --root {root}"
            yield Finding(what, NOTE, f"{name}: no store {root}-*.store here", fix)


def _wandb(what: str) -> Iterator[Finding]:
    """Say what a run would do; nothing is sent, and no server asked."""
    from gan_lightning.config.schema import LogConfig
    from gan_lightning.config.wandb_mode import wandb_mode

    mode, url = wandb_mode(LogConfig()), os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    if mode == "online":
        yield Finding(what, OK, f"logs to {url}")
    elif mode == "offline":
        why = "by WANDB_MODE" if os.environ.get("WANDB_MODE") else "as there is no login"
        fix = "wandb login; runs log offline until then, and `wandb sync` sends them"
        yield Finding(what, NOTE, f"logs offline, {why}; server {url}", fix)
    else:
        fix = "unset WANDB_MODE, or set it to online or offline"
        yield Finding(what, NOTE, f"WANDB_MODE is {mode}: nothing is logged to W&B", fix)


def _disk(what: str) -> Iterator[Finding]:
    """Write where runs will be written."""
    from gan_lightning.runs.directory import RUNS

    runs = RUNS.absolute()
    folder = next(place for place in (runs, *runs.parents) if place.exists())
    fix = "change to a folder that you may write, or give --output DIR"
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding(what, RED, f"{folder} cannot be written: {error.strerror}", fix)
        return
    free = shutil.disk_usage(folder).free
    said = f"{free / 2**30:,.0f} GiB free for {runs}"
    if free < LEAST_FREE:
        said = f"{free / 2**20:,.0f} MiB free for {runs}"
        yield Finding(what, RED, said, "make room: a run with its checkpoints takes up to 1 GB")
    else:
        yield Finding(what, OK, said)


def _extras(what: str) -> Iterator[Finding]:
    for extra in EXTRAS:
        if absent := missing_modules(extra):
            said = f"{extra}: {', '.join(absent)} not installed"
            yield Finding(what, NOTE, said, f"where you want it: {install_command(extra)}")
        else:
            yield Finding(what, OK, f"{extra}: installed")


CHECKS: dict[str, Callable[[str], Iterator[Finding]]] = {
    "python": _python,
    "packages": _packages,
    "torch": _torch,
    "devices": _devices,
    "precision": _precision,
    "digits": _digits,
    "classifier": _classifier,
    "inception": _inception,
    "stores": _stores,
    "wandb": _wandb,
    "disk": _disk,
    "extras": _extras,
}
"""In the order of the lines: what later ones need is looked at first."""
