"""Names of files and folders as text that can be printed, and as names of folders."""

from __future__ import annotations

import os
import re

__all__ = ["printable", "slug"]


def printable(name: str) -> str:
    r"""Return a file name with control characters, and bytes that are not UTF-8, escaped.

    Args:
        name: as `os.fsdecode` returns it, for example `caf\udce9.jpg`.

    Returns:
        For example `caf\xe9.jpg`, which every stream and file can take.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def slug(text: str) -> str:
    """Return a text with everything but letters, digits, `_`, `.` and `-` replaced by `_`.

    It is a name of a folder on every system, and one word of a command line.
    """
    return re.sub(r"[^\w.-]+", "_", printable(text)).strip("._") or "images"
