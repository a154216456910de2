"""W&B report "The lecture, reproduced": a section per topic, with the runs of its experiments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gan_lightning.config.experiments import experiment_names, read_yaml
from gan_lightning.dashboard.panels import Panel, all_panels, panel_of
from gan_lightning.dashboard.wandb_panels import to_wandb_panel
from gan_lightning.errors import UserError
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.records import Results, results_folder
from gan_lightning.results.tables import claims_table
from gan_lightning.results.topics import TOPICS, Topic

if TYPE_CHECKING:
    import wandb
    from wandb_workspaces.reports.v2 import interface as wr

__all__ = ["lecture_report", "save_report", "topic_panels"]

TITLE = "The lecture, reproduced"
ABOUT = (
    "Every system of a lecture on generative adversarial networks, trained by gan-lightning and "
    "compared with the claims of its paper. Claims that fail are shown too."
)
CLASSIFIER_LOSS = "loss/classifier/clean"
GAN_LOSS = "loss/generator/adversarial"
"""One loss of each kind of model; their panels show the other losses too."""


def lecture_report(
    entity: str, project: str, known: Sequence[Results], runs: Sequence[str] = ()
) -> wr.Report:
    """Build the report.

    Args:
        entity: user or team.
        project: project of the runs.
        known: measured results, for the tables of claims.
        runs: ids of the runs to show; empty for all runs of the project.
    """
    from wandb_workspaces.reports.v2 import interface as wr

    blocks: list[Any] = [wr.P(text=ABOUT), wr.TableOfContents()]
    for topic in TOPICS:
        blocks += [
            wr.H1(text=topic.title),
            wr.P(text=topic.idea),
            wr.LatexBlock(text=topic.equations),
            wr.MarkdownBlock(text=_claims(topic, known)),
            wr.PanelGrid(
                runsets=[_runset(topic, entity, project, runs)],
                panels=[to_wandb_panel(panel) for panel in topic_panels(topic, known)],
            ),
        ]
    return wr.Report(
        entity=entity, project=project, title=TITLE, description=ABOUT, blocks=blocks, width="fixed"
    )


def topic_panels(topic: Topic, known: Sequence[Results]) -> list[Panel]:
    """Choose the panels of a topic: its losses, the metrics of its claims, and its pictures."""
    files = experiment_names()
    contents = [read_yaml(files[name]) for name in topic.experiments if name in files]
    keys = {
        CLASSIFIER_LOSS if "classifier" in content["model"]["name"] else GAN_LOSS
        for content in contents
    }
    keys |= {claim["metric"] for content in contents for claim in content.get("claims") or []}
    pictures = {
        picture.removeprefix(f"{results.name}-").removesuffix(".png")
        for results in known
        if results.experiment in topic.experiments
        for picture in results.pictures
    }
    panels = [panel_of(key) for key in keys | (pictures or {"samples"})]
    return [panel for panel in all_panels() if panel in panels]


def save_report(api: wandb.Api, entity: str, project: str, runs: Sequence[str] = ()) -> str:
    """Save the report, replacing the one with the same title, and return its address.

    Args:
        api: W&B client with a login.
        entity: user or team.
        project: project of the runs.
        runs: ids of the runs to show; empty for all runs of the project.
    """
    report = lecture_report(entity, project, _known_results(), runs)
    for existing in api.reports(f"{entity}/{project}"):
        if existing.display_name == TITLE:
            report.id = existing.id
    return str(report.save().url)


def _known_results() -> list[Results]:
    """Read docs/results, which an installed package does not have."""
    try:
        return read_known_results(results_folder())
    except UserError:
        return []


def _claims(topic: Topic, known: Sequence[Results]) -> str:
    """Return the table of a topic's claims, and the commands that train its experiments."""
    measured = [results for results in known if results.experiment in topic.experiments]
    commands = "\n".join(f"gan-lightning train {name}" for name in topic.experiments)
    parts = [claims_table(measured, known)] if measured else ["Not measured yet."]
    return "\n\n".join([*parts, f"```\n{commands}\n```"])


def _runset(topic: Topic, entity: str, project: str, runs: Sequence[str]) -> wr.Runset:
    from wandb_workspaces import expr
    from wandb_workspaces.reports.v2 import interface as wr

    filters = [expr.Metric("Group").isin(list(topic.experiments))]
    if runs:
        filters.append(expr.Metric("ID").isin(list(runs)))
    return wr.Runset(
        entity=entity, project=project, name=topic.title, filters=filters, groupby=["Group"]
    )
