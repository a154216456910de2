"""The Jinja templates and the style that the HTML pages share."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["read_asset", "template_environment"]


def template_environment() -> Environment:
    """Return an environment for the templates of this package, which escapes what it inserts."""
    return Environment(
        loader=PackageLoader("gan_lightning.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_asset(name: str) -> str:
    """Read a style sheet or a script of this package."""
    return files("gan_lightning.report").joinpath(name).read_text(encoding="utf-8")
