"""Packages that only some commands need, by the extra of gan-lightning that brings them."""

from __future__ import annotations

from importlib.util import find_spec

from gan_lightning.errors import UserError

__all__ = ["EXTRAS", "install_line", "missing", "require"]

EXTRAS: dict[str, tuple[str, ...]] = {
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "play": ("gradio",),
    "docs": ("mkdocs", "material", "math_core", "mkdocstrings", "nbconvert"),
}
"""Extra of pyproject.toml -> modules that it brings."""


def missing(*modules: str) -> list[str]:
    """List those of some modules that are not installed; none is imported."""
    return [name for name in modules if find_spec(name) is None]


def install_line(extra: str) -> str:
    """Write the command that installs an extra."""
    return f"pip install 'gan-lightning[{extra}]'"


def require(extra: str, *modules: str) -> None:
    """Check that modules of an extra are installed.

    Raises:
        UserError: naming those that are not, and the command that installs them.
    """
    if absent := missing(*modules):
        raise UserError(
            f"this needs {', '.join(absent)}, not installed here; run `{install_line(extra)}`"
        )
