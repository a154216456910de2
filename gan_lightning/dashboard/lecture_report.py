"""The report "The lecture, reproduced": a section a topic, over the runs of its experiments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gan_lightning.config.experiments import experiment_names, read_yaml
from gan_lightning.dashboard.panels import Panel, all_panels, panel_of
from gan_lightning.dashboard.wandb_panels import drawn
from gan_lightning.errors import UserError
from gan_lightning.results.page import claims_table
from gan_lightning.results.records import Results, read_all, results_folder
from gan_lightning.results.topics import TOPICS, Topic

if TYPE_CHECKING:
    import wandb
    from wandb_workspaces.reports.v2 import interface as wr

__all__ = ["report", "save_report"]

TITLE = "The lecture, reproduced"
ABOUT = (
    "Every system of a lecture on generative adversarial networks, as runs of gan-lightning, "
    "beside what its paper claims. A claim that does not hold stays in its table."
)
LOSSES = {True: "loss/classifier/clean", False: "loss/generator/adversarial"}
"""A loss of a classifier, and one of a player; their panels show the others too."""


def report(
    entity: str, project: str, known: Sequence[Results], runs: Sequence[str] = ()
) -> wr.Report:
    """Make the report.

    Args:
        entity: user or team.
        project: whose runs it shows.
        known: measured results, for the tables of claims.
        runs: ids of the runs to show; none for all of the project.
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
                panels=[drawn(panel) for panel in topic_panels(topic, known)],
            ),
        ]
    return wr.Report(
        entity=entity, project=project, title=TITLE, description=ABOUT, blocks=blocks, width="fixed"
    )


def topic_panels(topic: Topic, known: Sequence[Results]) -> list[Panel]:
    """Choose the panels of a topic: losses, what its claims are on, and what its runs draw."""
    files = experiment_names()
    contents = [read_yaml(files[name]) for name in topic.experiments if name in files]
    keys = {LOSSES["classifier" in content["model"]["name"]] for content in contents}
    keys |= {claim["metric"] for content in contents for claim in content.get("claims") or []}
    drawn = {
        picture.removeprefix(f"{results.name}-").removesuffix(".png")
        for results in known
        if results.experiment in topic.experiments
        for picture in results.pictures
    }
    wanted = [panel_of(key) for key in keys | (drawn or {"samples"})]
    return [panel for panel in all_panels() if panel in wanted]


def save_report(api: wandb.Api, entity: str, project: str, runs: Sequence[str] = ()) -> str:
    """Save the report, in place of the one of that title; return its address."""
    made = report(entity, project, _known(), runs)
    for there in api.reports(f"{entity}/{project}"):
        if there.display_name == TITLE:
            made.id = there.id
    return str(made.save().url)


def _known() -> list[Results]:
    """Read docs/results; an installed package has none."""
    try:
        return read_all(results_folder())
    except UserError:
        return []


def _claims(topic: Topic, known: Sequence[Results]) -> str:
    """Write the claims of a topic's experiments, what was measured, and how to do it again."""
    measured = [results for results in known if results.experiment in topic.experiments]
    commands = "\n".join(f"gan-lightning train {name}" for name in topic.experiments)
    parts = [claims_table(measured, known, page=None)] if measured else ["Not measured yet."]
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
