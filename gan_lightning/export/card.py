"""The model card of an exported generator: Markdown, under the header that Hugging Face reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gan_lightning.config.load import to_yaml
from gan_lightning.config.schema import RunConfig
from gan_lightning.export.formats import Format
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.export.licences import DataCard
from gan_lightning.results.claims import single_run_rows
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import read_outcome
from gan_lightning.utils.hardware import machine_in_words
from gan_lightning.utils.tables import markdown_table

__all__ = ["Exported", "model_card"]

SHOWN = 16
"""Data that the card's lines of Python generate."""


@dataclass(frozen=True)
class Exported:
    """What a card is written of.

    Args:
        target: folder of the file and of the card.
        folder: of the run.
        config: of the run.
        updates: that the weights have behind them.
        function: that was exported.
        kind: of the file.
        parity: batch size -> largest absolute difference from the model.
        data: what it has learnt from.
        licence: of the model, of Hugging Face's identifiers.
        shape: of a datum.
        picture: name of the picture beside the card; empty for none.
    """

    target: Path
    folder: RunDirectory
    config: RunConfig
    updates: int
    function: GeneratorFunction
    kind: Format
    parity: Mapping[int, float]
    data: DataCard
    licence: str
    shape: tuple[int, ...]
    picture: str


def model_card(made: Exported) -> str:
    """Write the card."""
    measures = _measures(made.folder)
    title = made.config.title or made.config.model.name
    parts = [
        f"---\n{_header(made, measures)}---",
        f"# {title}",
        *([f"![what it generates]({made.picture})"] if made.picture else []),
        _introduction(made),
        f"## Use\n\n```python\n{made.kind.loading(made.function, SHOWN)}\n```",
        _inputs(made),
        f"## Data and licence\n\nTrained on {made.data.name}: {made.data.terms}. "
        f"This model: `{made.licence}`. The code, gan-lightning: `mit`.",
        _measured(made, measures),
        _claimed(made, measures),
        "## Limitations\n\n" + "\n".join(f"* {line}" for line in _limitations(made, measures)),
        f"## How it was trained\n\n{_origin(made)}\n\n```yaml\n{to_yaml(made.config)}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(made: Exported, measures: Mapping[str, float]) -> str:
    model, data = made.config.model.name, made.data
    task = (
        "image-to-image" if "source" in made.function.inputs else "unconditional-image-generation"
    )
    kind = task if made.function.is_image else "other"
    header: dict[str, Any] = {
        "license": made.licence,
        **({"license_name": "terms-of-the-data"} if made.licence == "other" else {}),
        "library_name": made.kind.library,
        **({"pipeline_tag": task} if made.function.is_image else {}),
        "tags": ["gan", model, "gan-lightning", "pytorch-lightning"],
        **({"datasets": [data.hub]} if data.hub else {}),
        "metrics": list(measures),
        "model-index": [
            {
                "name": made.config.title or model,
                "results": [
                    {
                        "task": {"type": kind},
                        "dataset": {"name": data.name, "type": data.hub or made.config.data.name},
                        "metrics": [
                            {"type": name, "name": name, "value": value}
                            for name, value in measures.items()
                        ],
                    }
                ],
            }
        ],
    }
    if not measures:
        del header["metrics"], header["model-index"]
    return yaml.safe_dump(header, sort_keys=False, allow_unicode=True)


def _introduction(made: Exported) -> str:
    config = made.config
    paper = f" Paper: {config.paper}." if config.paper else ""
    average = (
        ", the running average of its weights" if getattr(config.model, "ema_decay", None) else ""
    )
    return (
        f"The generator of a `{config.model.name}` GAN{average}, after {made.updates:,} generator "
        f"updates on {made.data.name}, seed {config.seed}.{paper}"
    )


def _inputs(made: Exported) -> str:
    function = made.function
    rows = [("input", "shape", "what it is")]
    for name, shape in function.inputs.items():
        rows.append((f"`{name}`", _shape(shape), function.meaning(name)))
    what = "images in [0, 1]" if function.is_image else "points"
    rows.append(("output `data`", _shape(made.shape), f"float32, {what}"))
    worst = ", ".join(f"{value:.1e} at batch size {size}" for size, value in made.parity.items())
    return (
        f"{markdown_table(rows)}\n\nOne-hot labels, the layout of codes and the scale of images "
        f"are inside. Checked when it was written, in float32 against the model in PyTorch: "
        f"largest absolute difference {worst}."
    )


def _measured(made: Exported, measures: Mapping[str, float]) -> str:
    if not measures:
        return "## Metrics\n\nThis run has not been measured: `gan-lightning evaluate RUN` does it."
    end = read_outcome(made.folder.path).updates or made.updates
    values = ((f"`{name}`", f"{value:.4g}") for name, value in measures.items())
    other = "" if end == made.updates else f"; these weights are of update {made.updates:,}"
    return (
        f"## Metrics\n\nMeasured at update {end:,}, on {made.config.evaluation.samples:,} "
        f"generated data, one seed{other}.\n\n{markdown_table([('measure', 'value'), *values])}"
    )


def _claimed(made: Exported, measures: Mapping[str, float]) -> str:
    if not made.config.claims:
        return ""
    rows = [("claim", "bound", "paper", "this run", "verdict")]
    for row in single_run_rows(made.config.claims, measures):
        source = f" ({row.source})" if row.source else ""
        rows.append(
            (
                row.statement + source,
                f"`{row.bound}`",
                row.paper or "-",
                row.measured,
                row.verdict.text,
            )
        )
    return f"## Against the paper\n\n{markdown_table(rows)}"


def _limitations(made: Exported, measures: Mapping[str, float]) -> list[str]:
    kind = f"{_shape(made.shape)} images" if made.function.is_image else "points"
    lines = [
        f"It makes {kind} like its training data, with their gaps and biases, and nothing else.",
        "The figures are of one run: another seed gives others.",
        "Training may have computed in bfloat16; the exported generator computes in float32.",
    ]
    copies = measures.get("samples/duplicates", 0.0)
    if copies >= 0.01:
        lines.append(f"It repeats itself: {copies:.1%} of samples have a near-copy among 500.")
    if "noise" in made.function.inputs:
        lines.append("Its noise is dropout, in use too, as in the paper: it has to be given.")
    if made.config.data.name == "celeba":
        lines.append("Faces of CelebA are of celebrities, few of them old or dark-skinned.")
    return lines


def _origin(made: Exported) -> str:
    environment = made.folder.environment()
    parts = [f"{name} {version}" for name, version in environment.get("packages", {}).items()]
    said = f"By {', '.join(parts)}" if parts else "By gan-lightning"
    if revision := environment.get("git_revision"):
        said += f", revision {revision}"
    seconds = read_outcome(made.folder.path).seconds
    took = f", in {seconds / 60:.1f} minutes" if seconds else ""
    where = environment.get("machine")
    return said + (f", on {machine_in_words(where)}" if where else "") + took + "."


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, ('N', *shape)))})" if shape else "(N,)"


def _measures(folder: RunDirectory) -> dict[str, float]:
    """Read the run's final measures without those that are no number."""
    measures = read_outcome(folder.path).measures or {}
    return {name: value for name, value in measures.items() if math.isfinite(value)}
