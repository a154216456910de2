"""The experiments in short: topic, model, data, minutes and title of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_lightning.config.experiments import experiment_names, read_yaml
from gan_lightning.errors import UserError, check_choice
from gan_lightning.results.aggregate import mean
from gan_lightning.results.records import results_folder
from gan_lightning.results.topics import topic_of

__all__ = ["ListedExperiment", "chosen_experiments", "listed_experiments"]


@dataclass(frozen=True)
class ListedExperiment:
    """An experiment in short.

    Attributes:
        name: of the experiment.
        topic: short name of its lecture topic; `-` outside the lecture.
        model: name of the GAN or classifier.
        data: name of the dataset.
        minutes: mean over the seeds of the shipped results; None without results.
        title: one sentence.
    """

    name: str
    topic: str
    model: str
    data: str
    minutes: float | None
    title: str


def listed_experiments() -> list[ListedExperiment]:
    """Return all experiments, by name."""
    return [_listed(name, path) for name, path in experiment_names().items()]


def chosen_experiments(
    experiments: list[ListedExperiment], wanted: Mapping[str, str | None]
) -> list[ListedExperiment]:
    """Choose experiments by topic, model and data.

    Args:
        experiments: all of them.
        wanted: `topic`, `model` or `data` -> its value; None for any.

    Raises:
        UserError: no experiment has a value, or all of them.
    """
    given = {field: value for field, value in wanted.items() if value is not None}
    for field, value in given.items():
        try:
            valid = sorted({getattr(experiment, field) for experiment in experiments})
            check_choice(f"--{field}", value, valid)
        except ValueError as error:
            raise UserError(str(error)) from error
    chosen = [
        experiment
        for experiment in experiments
        if all(getattr(experiment, field) == value for field, value in given.items())
    ]
    if not chosen:
        words = " and ".join(f"--{field} {value}" for field, value in given.items())
        raise UserError(f"no experiment has {words}; leave one of them out")
    return chosen


def _listed(name: str, path: Path) -> ListedExperiment:
    content = read_yaml(path)
    topic = topic_of(name)
    model, data = (_name(content.get(section)) for section in ("model", "data"))
    minutes, title = _minutes(name), " ".join(str(content.get("title", "")).split())
    return ListedExperiment(name, topic.slug if topic else "-", model, data, minutes, title)


def _name(section: Any) -> str:
    return str(section.get("name", "-")) if isinstance(section, dict) else "-"


def _minutes(name: str) -> float | None:
    """Return the mean minutes of the runs whose results are in docs/results of the checkout."""
    try:
        runs = json.loads((results_folder() / f"{name}.json").read_text("utf-8"))["runs"]
        return mean([float(run["minutes"]) for run in runs])
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return None
