"""Config keys of a class of the user, read from the source of its file without importing it.

A file of the user may do anything while it is imported. Commands that only print keys read it as a
syntax tree, where base classes of this package end the search.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gan_lightning.errors import UserError, nearest_first
from gan_lightning.utils.import_path import find_source, search_folders, split_import_path

__all__ = ["DEFAULT_NAMES", "SourceClass", "SourceKey", "find_source_class"]

DEFAULT_NAMES = {"network": "mlp"}
"""Names of sections that an experiment may leave out."""

PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class SourceKey:
    """A field of a dataclass.

    Args:
        name: of the field.
        annotation: its type.
        default: its default as an expression, or None.
        module: module that declares it.
    """

    name: str
    annotation: ast.expr
    default: ast.expr | None
    module: SourceModule


@dataclass(frozen=True, eq=False)
class SourceModule:
    """A file of the user.

    Args:
        name: dotted name of the module.
        file: the file.
        folder: folder relative to which it is imported.
        tree: its content.
    """

    name: str
    file: Path
    folder: Path
    tree: ast.Module

    def find(self, name: str) -> SourceClass | str | None:
        """Find what a dotted name stands for.

        Returns:
            A class of the user, an import path `module:Name` of this package, or None.
        """
        first, _, rest = name.partition(".")
        found: SourceClass | str | None = None
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == first:
                found = SourceClass(self, node)
            elif isinstance(node, ast.Assign) and first in _targets(node):
                found = self.find(ast.unparse(node.value)) if _is_name(node.value) else None
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == first:
                        found = self._imported(f"{self._absolute(node)}:{alias.name}", rest)
                        if not isinstance(found, SourceClass):
                            return found
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    prefix = alias.asname or alias.name
                    if name.startswith(f"{prefix}."):
                        return self._imported(f"{alias.name}:{name[len(prefix) + 1 :]}", "")
        return found.nested(rest) if isinstance(found, SourceClass) and rest else found

    def names(self) -> list[str]:
        """List the names of the module that may be classes: defined, or imported by name."""
        imported = [
            alias.asname or alias.name
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        defined = [node.name for node in self.tree.body if isinstance(node, ast.ClassDef)]
        return [*defined, *imported]

    def constant(self, name: str) -> ast.expr | None:
        """Return the expression of a constant of the module, or None."""
        found = None
        for node in self.tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
                found = node.value
        return found

    def _imported(self, path: str, rest: str) -> SourceClass | str | None:
        module, _, name = path.partition(":")
        if module.partition(".")[0] == PACKAGE:
            return f"{path}.{rest}" if rest else path
        if (source := _module(module, self.folder)) is not None:
            return source.find(name)
        if rest and (source := _module(f"{module}.{name}", self.folder)) is not None:
            return source.find(rest)
        return None

    def _absolute(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module of a `from … import`."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        is_package = self.file.name == "__init__.py"
        parents = parts[: len(parts) - node.level + is_package]
        return ".".join([*parents, *([node.module] if node.module else [])])


@dataclass(frozen=True, eq=False)
class SourceClass:
    """A class of the user.

    Args:
        module: module that defines it.
        node: its definition.
    """

    module: SourceModule
    node: ast.ClassDef

    def bases(self) -> list[SourceClass | str]:
        """List the base classes that are found: of the user, or import paths of this package."""
        names = [ast.unparse(base).partition("[")[0] for base in self.node.bases]
        return [found for name in names if (found := self.module.find(name)) is not None]

    def nested(self, name: str) -> SourceClass | None:
        """Return a class that is defined in this one, or None."""
        for node in self.node.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return SourceClass(self.module, node)
        return None

    def config(self) -> SourceClass | str | None:
        """Return the `Config` of the class.

        Returns:
            A dataclass of the user, an import path of one of this package, or None.
        """
        for node in self.node.body:
            if isinstance(node, ast.ClassDef) and node.name == "Config":
                return SourceClass(self.module, node)
            if isinstance(node, ast.Assign | ast.AnnAssign) and "Config" in _targets(node):
                found = self.module.find(ast.unparse(node.value)) if node.value else None
                if found is not None:
                    return found
        for base in self.bases():
            if found := f"{base}.Config" if isinstance(base, str) else base.config():
                return found
        return None

    def own_keys(self) -> Iterator[SourceKey]:
        """Yield the fields that a dataclass declares itself."""
        for node in self.node.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            if "ClassVar" not in ast.unparse(node.annotation):
                yield SourceKey(node.target.id, node.annotation, node.value, self.module)


def find_source_class(path: str) -> SourceClass:
    """Find a class of the user, or of an installed package, by its import path.

    Raises:
        UserError: there is no such file or class, or the file cannot be read.
    """
    name, attribute = split_import_path(path)
    module = _module(name)
    if module is None:
        raise UserError(
            f"cannot find {path}: there is no file {name.replace('.', '/')}.py in "
            f"{' or '.join(map(str, search_folders()))}; correct the name, or run the command in "
            f"the folder of the file"
        )
    found = module.find(attribute)
    if not isinstance(found, SourceClass):
        classes = [name for name in module.names() if isinstance(module.find(name), SourceClass)]
        raise UserError(
            f"cannot find {path}: {module.file} has no class {attribute!r}; valid are "
            f"{nearest_first(attribute, classes) if classes else 'none'}"
        )
    return found


def _module(name: str, folder: Path | None = None) -> SourceModule | None:
    """Read a module from the folders of the user, or from the installed packages."""
    installed = (Path(folder) for folder in sys.path if folder)
    source = find_source(name, [folder] if folder else []) or find_source(name, installed)
    if source is None:
        return None
    found, file = source
    return _parsed(name, file, found, file.stat().st_mtime_ns)


@cache
def _parsed(name: str, file: Path, folder: Path, changed: int) -> SourceModule:
    try:
        return SourceModule(name, file, folder, ast.parse(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, SyntaxError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        message = " ".join(str(getattr(error, "msg", error)).split())
        raise UserError(
            f"cannot read {file}{line}: {type(error).__name__}: {message}; correct it"
        ) from error


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets]


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute)
