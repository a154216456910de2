"""The checks of `gan-lightning doctor`: what is installed, what is missing, and the fix."""

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

__all__ = ["CHECKS", "NOTE", "OK", "RED", "Finding", "run_checks"]

OK, NOTE, RED = "ok", "note", "red"

OLDEST_PYTHON = (3, 11)
MAIN_PACKAGES = ("torch ", "pytorch-lightning", "wandb ")
MIN_FREE_BYTES = 2 * 2**30
"""Free disk space below which a check fails; a store of CelebA takes 2.5 GB."""


@dataclass(frozen=True)
class Finding:
    """The result of a check, a line of the output.

    Attributes:
        check: name of the check.
        state: `OK`; `NOTE` where only some commands are affected; or `RED`.
        message: what was found.
        fix: what to do; empty where the state is `OK`.
    """

    check: str
    state: str
    message: str
    fix: str = ""


def run_checks() -> Iterator[Finding]:
    """Run all checks; a check that raises an error yields a finding about it."""
    for name, check in CHECKS.items():
        try:
            yield from check(name)
        except ImportError as error:
            module = error.name or str(error)
            fix = "fix the packages that are red above, then run `gan-lightning doctor` again"
            yield Finding(name, NOTE, f"not checked: {module} cannot be imported", fix)
        except UserError as error:
            message, _, fix = str(error).rpartition("; ")
            yield Finding(name, RED, message or str(error), fix)
        except Exception as error:  # a broken installation raises errors of any type
            message = f"{type(error).__name__}: {' '.join(str(error).split())}"
            yield Finding(name, RED, message, "report this with `gan-lightning doctor --json`")


def _python(name: str) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        fix = "install Python 3.11 or newer, and create the virtual environment with it"
        yield Finding(name, RED, version, fix)
    else:
        yield Finding(name, OK, f"{version}, {sys.executable}")


def _packages(name: str) -> Iterator[Finding]:
    """Compare the installed versions with the lower bounds of pyproject.toml."""
    from packaging.requirements import Requirement

    satisfied = []
    for requirement in map(Requirement, metadata.requires("gan-lightning") or []):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        package, fix = requirement.name, f"pip install '{requirement}'"
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            yield Finding(name, RED, f"{package} is not installed", fix)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            satisfied.append(f"{package} {version}")
        else:
            message = f"{package} is {version}; {requirement.specifier} is required"
            yield Finding(name, RED, message, fix)
    if satisfied:
        main = [text for text in satisfied if text.startswith(MAIN_PACKAGES)]
        message = f"gan-lightning {metadata.version('gan-lightning')}, {', '.join(main)}"
        yield Finding(name, OK, f"{message}; {len(satisfied)} requirements are satisfied")


def _torch(name: str) -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # a broken installation raises OSError, RuntimeError and others
        message = f"cannot be imported: {' '.join(str(error).split())}"
        yield Finding(name, RED, message, "pip install --force-reinstall torch")
        return
    yield Finding(name, OK, f"{torch.__version__}, CUDA {torch.version.cuda or 'not built in'}")


def _devices(name: str) -> Iterator[Finding]:
    import torch

    from gan_lightning.utils.hardware import format_machine, machine_info

    yield Finding(name, OK, format_machine(machine_info()))
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(count))
        yield Finding(name, OK, f"CUDA: {count} GPU{'s' if count > 1 else ''}: {names}")
    elif torch.backends.mps.is_available():
        message = "MPS is available; runs use the CPU unless --accelerator is mps"
        yield Finding(name, NOTE, message, "gan-lightning train EXP --accelerator mps")
    elif shutil.which("nvidia-smi"):
        fix = "install a build of torch for your CUDA driver: https://pytorch.org/get-started"
        yield Finding(name, NOTE, "an NVIDIA driver is installed, but torch finds no GPU", fix)


def _auto(name: str) -> Iterator[Finding]:
    """Say what `auto` and the defaults of `trainer` choose here, and why."""
    import torch

    from gan_lightning.utils.hardware import fast_precision

    on_gpu, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    accelerator, why = ("cuda", "torch finds a CUDA GPU") if on_gpu else ("cpu", NO_GPU[has_mps])
    yield Finding(name, OK, f"accelerator: auto is {accelerator}, since {why}")
    chosen = fast_precision(on_gpu)
    computes = "computes" if chosen == "bf16-mixed" else "does not compute"
    part = "GPU" if on_gpu else "processor"
    why = f"since the {part} {computes} bfloat16 in hardware"
    yield Finding(name, OK, f"precision: auto is 32-true for points and {chosen} for images, {why}")
    count = torch.cuda.device_count() if on_gpu else os.cpu_count() or 1
    unit = f"GPU{'s' * (count > 1)}" if on_gpu else f"core{'s' * (count > 1)}"
    message = f"devices: 1, since auto starts no further process; up to {count} {unit} by --devices"
    yield Finding(name, OK, message)
    if has_mps:
        yield Finding(name, OK, MPS_REFUSES)


NO_GPU = {
    False: "torch finds no CUDA GPU",
    True: "torch finds no CUDA GPU, and nothing was measured on MPS, which --accelerator mps takes",
}
"""Whether MPS is available -> why `auto` takes the CPU."""

MPS_REFUSES = (
    "MPS: refuses --devices above 1 and trainer.sync_batch_norm; has no float64, so measures are "
    "computed on the CPU"
)


def _precision(name: str) -> Iterator[Finding]:
    import torch

    from gan_lightning.core.fast_paths import set_up_process

    set_up_process()
    denormal = torch.tensor(1e-38) * 0.01
    if denormal.item() == 0:
        yield Finding(name, OK, "denormal numbers are flushed to zero")
    else:
        fix = "nothing to do: training with values near 0 is slower on this processor"
        yield Finding(name, NOTE, "denormal numbers cannot be flushed to zero", fix)


def _digits(name: str) -> Iterator[Finding]:
    from gan_lightning.assets.loader import MD5, read_idx

    for file in MD5:
        read_idx(file)
    yield Finding(name, OK, f"MNIST: {len(MD5)} files with the published MD5 sums")


def _classifier(name: str) -> Iterator[Finding]:
    from gan_lightning.assets.loader import CLASSIFIERS, read_classifier

    for classifier in CLASSIFIERS:
        size = f"{len(read_classifier(classifier)) / 1e6:.1f} MB with the shipped SHA-256 sum"
        yield Finding(name, OK, f"{classifier} classifier: {size}")


def _inception(name: str) -> Iterator[Finding]:
    import torch

    from gan_lightning.evaluation.inception import DOWNLOAD_HINT, SHA256, WEIGHTS

    path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    fix = f"{DOWNLOAD_HINT} and save it there"
    if not path.is_file():
        fix = f"{fix}; only FID, KID and similar metrics of colour images need it"
        yield Finding(name, NOTE, f"Inception: {path} does not exist", fix)
    elif sha256(path.read_bytes()).hexdigest() != SHA256:
        yield Finding(name, RED, f"Inception: {path} is damaged or another file", fix)
    else:
        yield Finding(name, OK, f"Inception: {path}")


def _stores(name: str) -> Iterator[Finding]:
    """List the image stores at their default places; their checksums are not verified."""
    from gan_lightning.data import DATASETS
    from gan_lightning.store.manifest import read_manifest

    for dataset in ("celeba", "lsun", "pairs", "faces", "openmoji"):
        root = Path(DATASETS[dataset].Config().root)
        stores = sorted(root.parent.glob(f"{root.name}-*.store"))
        for store in stores:
            yield Finding(name, OK, f"{dataset}: {read_manifest(store).images:,} images in {store}")
        if not stores:
            is_drawn = dataset in ("faces", "openmoji")
            fix = f"gan-lightning prepare {dataset} --root {root}"
            fix = fix if is_drawn else f"download the dataset, then {fix}"
            yield Finding(name, NOTE, f"{dataset}: no image store {root}-*.store", fix)


def _wandb(name: str) -> Iterator[Finding]:
    """Show where runs are logged; no server is contacted."""
    from gan_lightning.config.schema import LogConfig
    from gan_lightning.config.wandb_mode import server_url, wandb_mode

    mode, url = wandb_mode(LogConfig()), server_url()
    if mode in ("online", "shared"):
        yield Finding(name, OK, f"logs to {url}")
    elif mode == "offline":
        why = "set by WANDB_MODE" if os.environ.get("WANDB_MODE") else "since there is no login"
        fix = "wandb login; `wandb sync` uploads runs that were logged offline"
        yield Finding(name, NOTE, f"logs offline, {why}; server {url}", fix)
    else:
        fix = "unset WANDB_MODE and WANDB_DISABLED, or set WANDB_MODE to online or offline"
        set_by = (
            "WANDB_MODE is disabled" if os.environ.get("WANDB_MODE") else "WANDB_DISABLED is set"
        )
        yield Finding(name, NOTE, f"{set_by}: nothing is logged to W&B", fix)


def _disk(name: str) -> Iterator[Finding]:
    """Check that the directory of runs is writable and has space."""
    from gan_lightning.runs.directory import RUNS

    runs = RUNS.absolute()
    folder = next(path for path in (runs, *runs.parents) if path.exists())
    fix = "change to a folder that you may write to, or pass --output DIR"
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding(name, RED, f"{folder} is not writable: {error.strerror}", fix)
        return
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        message = f"{free / 2**20:,.0f} MiB free for {runs}"
        yield Finding(name, RED, message, "free space: a run with checkpoints takes up to 1 GB")
    else:
        yield Finding(name, OK, f"{free / 2**30:,.0f} GiB free for {runs}")


def _extras(name: str) -> Iterator[Finding]:
    for extra in EXTRAS:
        if missing := missing_modules(extra):
            message = f"{extra}: {', '.join(missing)} not installed"
            yield Finding(name, NOTE, message, f"if you need it: {install_command(extra)}")
        else:
            yield Finding(name, OK, f"{extra}: installed")


CHECKS: dict[str, Callable[[str], Iterator[Finding]]] = {
    "python": _python,
    "packages": _packages,
    "torch": _torch,
    "devices": _devices,
    "auto": _auto,
    "precision": _precision,
    "digits": _digits,
    "classifier": _classifier,
    "inception": _inception,
    "stores": _stores,
    "wandb": _wandb,
    "disk": _disk,
    "extras": _extras,
}
"""Name -> check, in the order of the output: a check comes after those that it depends on."""
