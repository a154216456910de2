"""Report as one self-contained HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from gan_lightning.report.attributes import code_tables, requested_table
from gan_lightning.report.charts import loss_charts, metric_charts, run_colour
from gan_lightning.report.claims import run_claims
from gan_lightning.report.image_sliders import image_sliders
from gan_lightning.report.points import NUM_POINTS, point_slider
from gan_lightning.report.run_data import RunSummary, read_runs
from gan_lightning.report.tables import (
    config_differences,
    environment_table,
    flat_config,
    metrics_table,
)
from gan_lightning.report.templates import read_asset, template_environment
from gan_lightning.utils.files import write_output

__all__ = ["render", "write_report"]


def write_report(names: Sequence[str], output: Path) -> int:
    """Write a report about runs; the same runs give the same bytes.

    Args:
        names: run directories or experiments.
        output: the HTML file.

    Returns:
        Size of the file in bytes.

    Raises:
        UserError: a run does not exist, is named twice or is damaged, or the file cannot be
            written.
    """
    content = render(read_runs(names)).encode()
    write_output(output, lambda file: file.write(content))
    return len(content)


def render(runs: Sequence[RunSummary]) -> str:
    """Return the HTML text of a report.

    Raises:
        UserError: the config of a run cannot be read.
    """
    points = point_slider(runs)
    plotted = {index: {"scatter"} for index in (points.charts if points else ())}
    images = image_sliders(runs, excluded=plotted)
    claims = run_claims(runs)
    requested, codes = requested_table(runs), code_tables(runs)
    sections = [("claims", "Claims")] if claims else []
    sections += [("points", "Points")] if points else []
    sections += [(f"images-{slider.kind}", slider.about.title) for slider in images]
    sections += [("requested", "Requested attributes")] if requested else []
    sections += [("codes", "Codes")] if codes else []
    sections += [("curves", "Curves"), ("metrics", "Metrics"), ("configs", "Config")]
    sections.append(("environment", "Environment"))
    scripts = {"plotly": get_plotlyjs(), "script": read_asset("page.js")}
    environment = template_environment()
    environment.filters |= {
        "sentence": _sentence,
        "breakable": _breakable,
        "percent": _percent,
    }
    return environment.get_template("page.html.j2").render(
        runs=runs,
        claims=claims,
        charts=[*loss_charts(runs), *metric_charts(runs)],
        images=images,
        requested=requested,
        codes=codes,
        points=points,
        point_count=NUM_POINTS,
        metrics=metrics_table(runs),
        differences=config_differences(runs),
        configs=[flat_config(run) for run in runs],
        environments=environment_table(runs),
        sections=sections,
        colour=run_colour,
        style=Markup(read_asset("page.css")),
        script_sources=" ".join(map(_script_source, scripts.values())),
        **{name: Markup(text) for name, text in scripts.items()},
    )


def _sentence(text: str) -> str:
    """Capitalize the first letter."""
    return text[:1].upper() + text[1:]


def _percent(share: float) -> str:
    """Format a share in [0, 1] as a percentage."""
    return f"{100 * share:.1f} %"


def _breakable(key: str) -> Markup:
    """Allow line breaks after dots, slashes and underscores in a key, but not inside numbers."""
    return Markup("<wbr>").join(re.split(r"(?<=[._/])(?=[A-Za-z])", key))


def _script_source(script: str) -> str:
    """Return the hash by which the content security policy allows a script and no other."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
