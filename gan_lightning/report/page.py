"""One HTML file that holds everything that it shows, and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from gan_lightning.report.charts import colour, loss_charts, measure_charts
from gan_lightning.report.image_sliders import films
from gan_lightning.report.points import POINTS, point_film
from gan_lightning.report.run_data import RunSummary, read_runs
from gan_lightning.report.tables import (
    claims_of,
    differing,
    environments,
    measured,
    whole_config,
)
from gan_lightning.results.page import number
from gan_lightning.utils.files import write_output

__all__ = ["render", "write_report"]


def write_report(names: Sequence[str], output: Path) -> int:
    """Write the report of runs; the same runs give the same bytes.

    Args:
        names: folders or experiments.
        output: the HTML file.

    Returns:
        Its size in bytes.

    Raises:
        UserError: there is no such run, one is named twice or damaged, or the file cannot be
            written.
    """
    content = render(read_runs(names)).encode()
    write_output(output, lambda file: file.write(content))
    return len(content)


def render(runs: Sequence[RunSummary]) -> str:
    """Make the page's text.

    Raises:
        UserError: the config of a run cannot be read.
    """
    points = point_film(runs)
    redrawn = {place: {"scatter"} for place in (points.charts if points else ())}
    pictures = films(runs, without=redrawn)
    claims = claims_of(runs)
    sections = [("claims", "Claims")] if claims else []
    sections += [("points", "Points")] if points else []
    sections += [(f"film-{film.kind}", film.about.title) for film in pictures]
    sections += [("curves", "Curves"), ("measures", "Measures"), ("configs", "Config")]
    sections.append(("environment", "Environment"))
    scripts = {"plotly": get_plotlyjs(), "script": _file("page.js")}
    world = Environment(
        loader=PackageLoader("gan_lightning.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    world.filters |= {"sentence": _sentence, "breakable": _breakable}
    return world.get_template("page.html.j2").render(
        runs=runs,
        claims=claims,
        charts=[*loss_charts(runs), *measure_charts(runs)],
        films=pictures,
        points=points,
        point_count=POINTS,
        measures=measured(runs),
        differences=differing(runs),
        configs=[whole_config(run) for run in runs],
        environments=environments(runs),
        sections=sections,
        colour=colour,
        number=number,
        style=Markup(_file("page.css")),
        script_sources=" ".join(map(_source, scripts.values())),
        **{name: Markup(text) for name, text in scripts.items()},
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _breakable(key: str) -> Markup:
    """Let a key be broken after its dots, slashes and underscores, but no number."""
    return Markup("<wbr>").join(re.split(r"(?<=[._/])(?=[A-Za-z])", key))


def _file(name: str) -> str:
    return files("gan_lightning.report").joinpath(name).read_text(encoding="utf-8")


def _source(script: str) -> str:
    """Name a script by its hash, so that a browser runs it and no other."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
