"""Names of modules and classes, made from each other and from a user's words."""

from __future__ import annotations

import re

__all__ = ["camel_case", "snake_case"]


def snake_case(name: str) -> str:
    """Return the name of a module or folder for a class, for example my_gan for MyGAN.

    Hyphens and dots become underscores.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^\w]+", "_", words).lower().strip("_")


def camel_case(name: str) -> str:
    """Return the name of a class for a module, for example MyIdea for my_idea."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))
