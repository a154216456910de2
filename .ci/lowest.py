"""Print the lower bounds of pyproject.toml as pip constraints: `torch>=2.14.1` as `torch==2.14.1`.

The extras of developers, `dev` and `docs`, are left out: their tools do not affect users.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?\s*>=\s*(?P<bound>[0-9][\w.]*)")


def lower_bounds(pyproject: Path) -> list[str]:
    """List the constraints, sorted by package.

    Raises:
        ValueError: a dependency has no lower bound.
    """
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra, entries in project["optional-dependencies"].items():
        requirements += [] if extra in ("dev", "docs") else entries
    constraints = set()
    for requirement in requirements:
        if requirement.startswith(f"{project['name']}["):  # an extra that contains others
            continue
        match = REQUIREMENT.match(requirement)
        if match is None:
            raise ValueError(
                f"{requirement!r} in {pyproject} needs a lower bound, as torch>=2.14 has"
            )
        constraints.add(f"{match['name']}=={match['bound']}")
    return sorted(constraints)


if __name__ == "__main__":
    print("\n".join(lower_bounds(PYPROJECT)))
