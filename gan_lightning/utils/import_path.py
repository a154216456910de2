"""Import an object by its path `module:Name`, from folders of the user or from packages.

add_search_folder(Path("experiments"))
import_object("my_gans:LeastSquaresGAN")  # of experiments/my_gans.py
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from gan_lightning.errors import UserError, nearest_first, summary, warn
from gan_lightning.utils.own_modules import activate, is_left_over, name_conflict

__all__ = [
    "Source",
    "add_search_folder",
    "announce_import",
    "find_source",
    "import_object",
    "is_import_path",
    "search_folders",
    "split_import_path",
]

IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
MAX_NAMES = 8
"""Names that an error message lists."""

_FOLDERS: list[Path] = []
_ANNOUNCED: dict[str, Path] = {}


class Source(NamedTuple):
    """The file of a module.

    Attributes:
        folder: folder relative to which the module is imported.
        file: the file.
    """

    folder: Path
    file: Path


def is_import_path(name: Any) -> bool:
    """Tell whether a value has the form `module:Name`."""
    return isinstance(name, str) and IMPORT_PATH.fullmatch(name) is not None


def split_import_path(path: str) -> tuple[str, str]:
    """Return module and name of an import path.

    Raises:
        UserError: it has another form.
    """
    if not is_import_path(path):
        raise UserError(
            f"{path!r} is no import path; write `module:Name`, for example my_gans:MyGAN for the "
            f"class MyGAN in my_gans.py"
        )
    module, _, name = path.partition(":")
    return module, name


def add_search_folder(folder: Path) -> None:
    """Search modules in a folder, from now on before all others."""
    folder = folder.resolve()
    if folder in _FOLDERS:
        _FOLDERS.remove(folder)
    _FOLDERS.insert(0, folder)


def search_folders() -> list[Path]:
    """List the folders of modules of the user: those of experiments and runs, then the current."""
    return list(dict.fromkeys([*_FOLDERS, Path.cwd().resolve()]))


def announce_import(path: str, yaml: Path) -> None:
    """Print what is imported from which file before an object is imported for the first time.

    Args:
        path: `module:Name`.
        yaml: file of another project, which names it.
    """
    _ANNOUNCED.setdefault(path, yaml)


def find_source(module: str, folders: Iterable[Path] = ()) -> Source | None:
    """Find the file of a module in folders of the user, without importing anything.

    Args:
        module: dotted name.
        folders: folders that are searched first; then come `search_folders()`.
    """
    if module.partition(".")[0] == __name__.partition(".")[0]:
        return None  # never a copy of this package
    for folder in [*(folder.resolve() for folder in folders), *search_folders()]:
        base = folder.joinpath(*module.split("."))
        for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if file.is_file():
                return Source(folder, file)
    return None


def import_object(path: str, folders: Sequence[Path] = ()) -> Any:
    """Import an object.

    The module is searched in `folders`, in the folder of the experiment or run that was read last,
    in the current folder, and among the installed packages. A folder where it is found becomes the
    first of `sys.path`.

    Args:
        path: `module:Name`; module `__main__` is the running script or notebook.
        folders: folders in which the module is searched first.

    Raises:
        UserError: there is no such module or object, or the module raises while it is imported.
    """
    name, attribute = split_import_path(path)
    found: Any = _module(path, name, folders)
    module = found
    try:
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        raise UserError(_missing_attribute(path, module, attribute)) from error
    return found


def _module(path: str, name: str, folders: Sequence[Path]) -> ModuleType:
    if name == "__main__":
        return sys.modules[name]
    source = find_source(name, folders)
    if _is_running_script(name, source):
        return sys.modules["__main__"]  # it must not run twice
    if source is None:
        _check_exists(path, name, folders)
    else:
        if conflict := name_conflict(name, source.folder, search_folders()):
            raise UserError(
                f"cannot import {path} from {source.file}: the name of the file is that of "
                f"{conflict}, which is imported already; rename the file"
            )
        activate(source.folder)
        invalidate_caches()
    if path in _ANNOUNCED and name not in sys.modules:
        file = source.file if source else _installed_file(name)
        warn(f"importing {path} from {file}, named in {_ANNOUNCED[path]}")
    _ANNOUNCED.pop(path, None)
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        raise UserError(_raised(path, source, error)) from error


def _is_running_script(name: str, source: Source | None) -> bool:
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is None or not Path(script).is_file():
        return False
    return source.file.samefile(script) if source else Path(script).stem == name


def _check_exists(path: str, name: str, folders: Sequence[Path]) -> None:
    """Check that a module that is in no folder of the user is installed.

    Raises:
        UserError: it is not; the message names the most similar files.
    """
    top = name.partition(".")[0]
    try:
        spec = find_spec(top)
    except ValueError:  # a module that was made in Python
        return
    searched = list(dict.fromkeys([*(folder.resolve() for folder in folders), *search_folders()]))
    if spec is not None and not is_left_over(spec.origin, searched):
        return
    files = {file.stem for folder in searched for file in folder.glob("*.py")}
    wanted = f"{name.replace('.', '/')}.py"
    valid = f"; the modules there are {_first(top, files)}" if files else ""
    raise UserError(
        f"cannot import {path}: there is no file {wanted} in {_or(map(str, searched))}, and no "
        f"package {top} is installed{valid}; correct the name, or run the command in the folder of "
        f"the file"
    )


def _missing_attribute(path: str, module: ModuleType, attribute: str) -> str:
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__" and path.startswith("__main__:"):
        return (
            f"cannot import {path}: {attribute} was defined in a notebook, or in a script without "
            f'`if __name__ == "__main__":`, and this process has no such class; define it again, '
            f"or write it into a file, for example my_gans.py, and name it my_gans:{attribute}"
        )
    exported = getattr(module, "__all__", ())
    names = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (name in exported or _is_of_package(value, module))
    }
    valid = f"; it has {_first(attribute, names)}" if names else ", and it has no class"
    return f"cannot import {path}: {file or module.__name__} has no {attribute!r}{valid}"


def _is_of_package(value: Any, module: ModuleType) -> bool:
    """Tell whether a class or function is defined in a module, or in the package that has it."""
    owner = getattr(value, "__module__", None) or ""
    return bool(owner.partition(".")[0] == module.__name__.partition(".")[0])


def _raised(path: str, source: Source | None, error: BaseException) -> str:
    """Return the message about a module that raised: type, message and line of the module."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename}, line {error.lineno}"
        return f"cannot import {path}: {place}: {type(error).__name__}: {error.msg}; correct it"
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if source is not None and Path(frame.filename).is_relative_to(source.folder)
    ]
    place = f"{own[-1].filename}, line {own[-1].lineno}: " if own else ""
    fix = "correct it" if own else "install it"
    return f"cannot import {path}: {place}{summary(error)}; {fix}"


def _installed_file(name: str) -> str:
    spec = find_spec(name.partition(".")[0])
    return str(spec.origin) if spec and spec.origin else "the installed package"


def _first(wrong: str, names: Iterable[str]) -> str:
    """List the names, the most similar first, and not too many of them."""
    ordered = nearest_first(wrong, names).split(", ")
    return ", ".join(ordered[:MAX_NAMES]) + (", …" if len(ordered) > MAX_NAMES else "")


def _or(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
