"""Modules of several folders of the user in one process, where names may repeat.

Python keeps one module of each name. Two experiments in different folders may both have a file
`my_gans.py`, so that the modules of a folder are put aside while those of another are in use.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

__all__ = ["activate", "is_left_over", "name_conflict"]

_USED: list[Path] = []
"""Folders of which modules have been imported; all of them are on `sys.path`."""

_PUT_ASIDE: dict[Path, dict[str, ModuleType]] = {}


def activate(folder: Path) -> None:
    """Make a folder the first in which imports search.

    Modules that other folders of the user have under a name that exists in this folder, too, are
    put aside with their submodules, until their folder is activated again.
    """
    for other in _USED:
        if other != folder:
            _put_aside(other, folder)
    for name, module in _PUT_ASIDE.pop(folder, {}).items():
        sys.modules.setdefault(name, module)
    if folder not in _USED:
        _USED.append(folder)
    if sys.path[:1] != [str(folder)]:
        sys.path[:] = [str(folder), *(path for path in sys.path if path != str(folder))]


def name_conflict(name: str, folder: Path, folders: Iterable[Path]) -> str | None:
    """Return the origin of an imported module that has the name of one in a folder of the user.

    Args:
        name: dotted name of a module of the folder.
        folder: the folder.
        folders: folders of the user, whose modules can be put aside.

    Returns:
        A file of Python or of an installed package, or None.
    """
    top = name.partition(".")[0]
    module = sys.modules.get(top)
    if module is None or top == "__main__":
        return None
    home = _home(module)
    if home == folder:
        return None
    if home is not None and home in [*_USED, *folders]:
        _USED.extend({home} - {*_USED})
        return None
    return str(getattr(module, "__file__", None) or f"the module {top} of Python")


def is_left_over(origin: str | None, folders: Iterable[Path]) -> bool:
    """Tell whether a file belongs to a folder that was used before and is not searched now.

    Args:
        origin: file of a top-level module or package.
        folders: folders that are searched now.
    """
    if origin is None:
        return False
    file = Path(origin)
    home = (file.parent.parent if file.name == "__init__.py" else file.parent).resolve()
    return (home in _USED and home not in folders) or (home in _USED and not file.exists())


def _put_aside(other: Path, folder: Path) -> None:
    """Put the modules of one folder aside whose names exist in another."""
    names = {path.stem for path in folder.glob("*.py")}
    names |= {path.name for path in folder.iterdir() if path.is_dir()}
    loaded = names & sys.modules.keys() - {"__main__"}
    tops = {name for name in loaded if _home(sys.modules[name]) == other}
    for name in list(sys.modules):
        if name.partition(".")[0] in tops:
            _PUT_ASIDE.setdefault(other, {})[name] = sys.modules.pop(name)


def _home(module: ModuleType) -> Path | None:
    """Return the folder that contains a top-level module or package."""
    file = getattr(module, "__file__", None)
    if file is not None:
        path = Path(file)
        return (path.parent.parent if path.name == "__init__.py" else path.parent).resolve()
    paths = list(getattr(module, "__path__", []))
    return Path(paths[0]).parent.resolve() if paths else None
