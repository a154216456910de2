"""A parser of report pages, and run directories without models and pictures."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from conftest import TinyRun

from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config, to_yaml
from gan_lightning.report.page import render
from gan_lightning.report.run_data import read_runs
from gan_lightning.runs.state import RunOutcome, write_outcome

__all__ = ["Reader", "Trained", "made_up", "report_of"]

Trained = Callable[[str], TinyRun]


class Reader(HTMLParser):
    """Collects the elements of a page, and its text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._silent = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, dict(attrs)))
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._silent else data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.parts if name == tag]

    @property
    def sections(self) -> set[str]:
        return {str(part["id"]) for part in self.all("section")}


def report_of(*runs: str | Path) -> Reader:
    return Reader(render(read_runs([str(run) for run in runs])))


def made_up(
    folder: Path, experiment: str, measures: dict[str, float] | None, *overrides: str
) -> Path:
    """Write the run directory of a finished run, without models and pictures."""
    folder.mkdir(parents=True)
    config = load_config(read_yaml(experiment_path(experiment)), overrides)
    (folder / "config.yaml").write_text(to_yaml(config))
    write_outcome(folder, RunOutcome(config.trainer.max_updates, 60, measures))
    return folder
