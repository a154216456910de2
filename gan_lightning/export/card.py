"""The model card of an exported generator: Markdown with Hugging Face's metadata header."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from gan_lightning.config.experiments import experiment_names
from gan_lightning.config.load import to_yaml
from gan_lightning.config.schema import RunConfig, as_plain
from gan_lightning.export.formats import Format
from gan_lightning.export.function import GeneratorFunction
from gan_lightning.export.licences import DataCard
from gan_lightning.export.remeasure import Remeasured
from gan_lightning.results.claims import no_verdict_reason, single_run_rows
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import RunEvaluation, read_evaluation, read_outcome
from gan_lightning.utils.commands import command_line
from gan_lightning.utils.hardware import format_machine
from gan_lightning.utils.names import printable
from gan_lightning.utils.tables import markdown_table

__all__ = ["Exported", "measured", "model_card"]

USAGE_SAMPLES = 16
"""Samples that the card's Python code generates."""

MAX_NAMES = 40
"""Names of classes in the card, which has none of the others."""


@dataclass(frozen=True)
class Exported:
    """An exported generator.

    Args:
        target: directory of the file and of the card.
        run: directory of the run.
        config: of the run.
        updates: generator updates of the exported checkpoint.
        function: the generator.
        file_format: of the file.
        parity: batch size -> largest absolute difference from the model.
        data: description of the dataset.
        licence: of the model, Hugging Face's identifier.
        shape: of a sample.
        picture: file name of the picture in the same directory; empty for none.
        class_names: name of each class of the data; empty where there are none.
        precision: of the weights in the file.
        remeasured: metrics of the weights in the file; None for those of the run.
        rounding: root mean square of the change that the precision of the file makes to samples;
            None in single precision.
    """

    target: Path
    run: RunDirectory
    config: RunConfig
    updates: int
    function: GeneratorFunction
    file_format: Format
    parity: Mapping[int, float]
    data: DataCard
    licence: str
    shape: tuple[int, ...]
    picture: str
    class_names: Sequence[str] = ()
    precision: str = "float32"
    remeasured: Remeasured | None = None
    rounding: float | None = None


def model_card(exported: Exported) -> str:
    """Return the text of the card."""
    evaluation = measured(exported)
    measures = evaluation.measures
    title = exported.config.title or exported.config.model.name
    usage = exported.file_format.usage_code(exported.function, USAGE_SAMPLES)
    limitations = "\n".join(f"* {line}" for line in _limitations(exported, measures))
    config = to_yaml(exported.config)
    parts = [
        f"---\n{_header(exported, measures)}---",
        f"# {title}",
        f"![generated samples]({exported.picture})" if exported.picture else "",
        _introduction(exported),
        f"## Usage\n\n```python\n{usage}\n```",
        _inputs(exported),
        f"## Data and licence\n\nTrained on {exported.data.name}: {exported.data.terms}. "
        f"Licence of this model: `{exported.licence}`. Licence of the code, gan-lightning: `mit`.",
        _metrics(exported, evaluation),
        _claims(exported, evaluation),
        f"## Limitations\n\n{limitations}",
        f"## Training\n\n{_provenance(exported)}\n\n```yaml\n{config}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(exported: Exported, measures: Mapping[str, float]) -> str:
    """Return the YAML header that Hugging Face reads."""
    model, data = exported.config.model.name, exported.data
    is_image, is_translator = exported.function.is_image, "source" in exported.function.inputs
    task = "image-to-image" if is_translator else "unconditional-image-generation"
    header: dict[str, Any] = {
        "license": exported.licence,
        **({"license_name": "terms-of-the-data"} if exported.licence == "other" else {}),
        "library_name": exported.file_format.library,
        **({"pipeline_tag": task} if is_image else {}),
        "tags": ["gan", model, "gan-lightning", "pytorch-lightning"],
        **({"datasets": [data.hub]} if data.hub else {}),
    }
    if measures:
        metrics = [{"type": name, "name": name, "value": value} for name, value in measures.items()]
        result = {
            "task": {"type": task if is_image else "other"},
            "dataset": {"name": data.name, "type": data.hub or exported.config.data.name},
            "metrics": metrics,
        }
        header["metrics"] = list(measures)
        header["model-index"] = [{"name": exported.config.title or model, "results": [result]}]
    return yaml.safe_dump(header, sort_keys=False, allow_unicode=True)


def _introduction(exported: Exported) -> str:
    config = exported.config
    paper = f" Paper: {config.paper}." if config.paper else ""
    has_ema = getattr(config.model, "ema_decay", None)
    average = " with exponentially averaged weights" if has_ema else ""
    return (
        f"The generator of a `{config.model.name}` GAN{average}, after {exported.updates:,} "
        f"generator updates on {exported.data.name}, seed {config.seed}.{paper}"
    )


def _inputs(exported: Exported) -> str:
    function = exported.function
    rows = [("input", "shape", "content")]
    for name, shape in function.inputs.items():
        content = function.describe_input(name)
        if name == "labels":
            content += _names_of_classes(exported.class_names)
        rows.append((f"`{name}`", _shape(shape), content))
    output = "images in [0, 1]" if function.is_image else "points"
    rows.append(("output `data`", _shape(exported.shape), f"float32, {output}"))
    differences = ", ".join(
        f"{value:.1e} at batch size {size}" for size, value in exported.parity.items()
    )
    rounded = ""
    if exported.rounding is not None:
        rounded = (
            f" The weights in the file are {exported.precision}, which changes samples by "
            f"{exported.rounding:.1e} in root mean square."
        )
    return (
        f"{markdown_table(rows)}\n\nThe generator itself encodes labels and codes and scales "
        f"images. It was compared with the model in PyTorch in float32 when it was exported; the "
        f"largest absolute difference is {differences}.{rounded}"
    )


def _names_of_classes(names: Sequence[str]) -> str:
    """Return `: 0 is cats, 1 is dogs`; empty where the names are the numbers."""
    if all(name == str(number) for number, name in enumerate(names)):
        return ""
    named = [f"{number} is {printable(name)}" for number, name in enumerate(names[:MAX_NAMES])]
    return f": {', '.join(named)}" + (", …" if len(names) > MAX_NAMES else "")


def _metrics(exported: Exported, measured: RunEvaluation) -> str:
    if not measured.measures:
        return (
            f"## Metrics\n\nNot evaluated; run "
            f"`{command_line('gan-lightning', 'evaluate', exported.run.path)}`, and export again."
        )
    other = (
        f"; the exported weights are those of update {exported.updates:,}"
        if measured.updates != exported.updates
        else ""
    )
    text = (
        f"## Metrics\n\nEvaluated at update {measured.updates:,} on {measured.samples:,} generated "
        f"samples, one seed{other}."
    )
    intervals = {} if exported.remeasured is None else exported.remeasured.intervals
    rows = [["metric", "value", *(["other samples"] if intervals else [])]]
    for name, value in measured.measures.items():
        interval = [_interval(intervals.get(name))] if intervals else []
        rows.append([f"`{name}`", f"{value:.4g}", *interval])
    if intervals:
        text += (
            " The weights in the file were evaluated; in the last column is Student's 95 % "
            "prediction interval of an evaluation with other samples. Metrics without an interval "
            "need the discriminator, and are those of the run."
        )
    return f"{text}\n\n{markdown_table(rows)}"


def _interval(ends: tuple[float, float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:.4g} to {ends[1]:.4g}"


def _claims(exported: Exported, measured: RunEvaluation) -> str:
    if not exported.config.claims:
        return ""
    rows = [("claim", "bound", "paper", "this run", "outcome")]
    outcome = read_outcome(exported.run.path)
    no_verdict = no_verdict_reason(
        as_plain(exported.config),
        finished=outcome.measures is not None,
        stopped_by=outcome.stopped_by,
    )
    if measured.samples != exported.config.evaluation.samples:
        no_verdict = no_verdict or f"no verdict: evaluated on {measured.samples:,} samples"
    for row in single_run_rows(exported.config.claims, measured.measures, no_verdict):
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
    introduction = (
        "One run is compared with each bound, which is no verdict on a claim: `gan-lightning "
        "verify` judges claims over several seeds."
    )
    return f"## Comparison with the paper\n\n{introduction}\n\n{markdown_table(rows)}"


def _limitations(exported: Exported, measures: Mapping[str, float]) -> list[str]:
    kind = f"{_shape(exported.shape)} images" if exported.function.is_image else "points"
    lines = [
        f"It generates {kind} like its training data, with their gaps and biases.",
        "The metrics are those of one run; another seed gives other values.",
        "Training may have computed in bfloat16; the exported generator computes in float32.",
    ]
    duplicates = measures.get("samples/duplicates", 0.0)
    if duplicates >= 0.01:
        lines.append(f"It repeats itself: {duplicates:.1%} of 500 samples have a near-duplicate.")
    if "noise" in exported.function.inputs:
        lines.append("Its noise is dropout, active at inference as in the paper; pass `noise`.")
    if exported.config.data.name == "celeba":
        lines.append("CelebA shows celebrities, few of them old or with dark skin.")
    return lines


def _provenance(exported: Exported) -> str:
    """Return a sentence with versions, revision, machine and training time."""
    environment = exported.run.environment()
    packages = [f"{name} {version}" for name, version in environment.get("packages", {}).items()]
    text = f"Trained with {', '.join(packages) or 'gan-lightning'}"
    if revision := environment.get("git_revision"):
        text += f", revision {revision}"
    if machine := environment.get("machine"):
        text += f", on {format_machine(machine)}"
    if seconds := read_outcome(exported.run.path).seconds:
        text += f", in {seconds / 60:.1f} minutes"
    if start := exported.config.trainer.start_from:
        text += f", from the weights of `{printable(start)}`"
    experiment = exported.run.path.resolve().parent.name
    if experiment not in experiment_names() or exported.config.overridden:
        return f"{text}."
    command = command_line("gan-lightning", "train", experiment, "--seed", exported.config.seed)
    return f"{text}, by the experiment `{experiment}`: `{command}`."


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, ('N', *shape)))})" if shape else "(N,)"


def measured(exported: Exported) -> RunEvaluation:
    """Return the finite metrics of the exported weights, else those of the end of the run.

    Metrics of the training come first; `gan-lightning evaluate` adds those that it lacks.
    """
    samples = exported.config.evaluation.samples
    outcome, evaluation = read_outcome(exported.run.path), read_evaluation(exported.run.path)
    final = RunEvaluation(outcome.updates or exported.updates, samples, outcome.measures or {})
    if exported.remeasured is not None:
        of_run = final.measures if final.updates == exported.updates else {}
        measures = {**of_run, **exported.remeasured.measures}
        chosen = RunEvaluation(exported.updates, samples, measures)
    elif evaluation is None or evaluation.updates != exported.updates:
        chosen = final
    elif final.measures and (final.updates, samples) == (evaluation.updates, evaluation.samples):
        chosen = replace(final, measures={**evaluation.measures, **final.measures})
    else:
        chosen = final if final.updates == exported.updates and final.measures else evaluation
    finite = {name: v for name, v in chosen.measures.items() if math.isfinite(v)}
    return replace(chosen, measures=finite)
