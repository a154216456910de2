"""The workspace and the report reach the W&B server, and show what runs log."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_inputs import assert_mistake
from conftest import Outcome, TinyRun, run_process
from inception_fakes import FakeImages, LinearNetwork
from run_files import read_metrics_csv
from wandb_server import ENTITY, StubView, WandbServer, wandb_environment

from gan_lightning.dashboard.panels import SECTIONS, all_panels, panel_of
from gan_lightning.evaluation import InceptionEvaluator
from gan_lightning.results.outdated import read_known_results
from gan_lightning.results.records import results_folder
from gan_lightning.results.topics import TOPICS
from gan_lightning.runs.directory import RunDirectory

KINDS = (
    "gan_ring",
    "infogan_mnist",
    "gan_stacked_mnist",
    "wgan_ring",
    "dirac_vanilla",
    "cgan_mnist",
    "semi_supervised_mnist",
    "cogan_adaptation",
    "pix2pix_edges_mnist",
    "pix2pix_facades",
    "adversarial_fgsm_mnist",
)
"""Experiments that together log all keys except those of the Inception network."""


@dataclass(frozen=True)
class Saved:
    """Output of two calls, and the server afterwards."""

    outcomes: list[Outcome]
    server: WandbServer
    run: RunDirectory

    def view(self, kind: str) -> StubView:
        (view,) = (view for view in self.server.views.values() if view.type == kind)
        return view


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, ring_run: TinyRun) -> Saved:
    folder = tmp_path_factory.mktemp("dashboard")
    words = ["dashboard", str(ring_run.folder), "--project", "games", "--lecture"]
    with WandbServer() as server:
        environment = wandb_environment(folder, server)
        outcomes = [run_process(words, folder, environment) for _ in range(2)]
    assert not server.unknown
    return Saved(outcomes, server, RunDirectory(ring_run.folder))


def test_prints_the_addresses(saved: Saved) -> None:
    for outcome in saved.outcomes:
        assert outcome.code == 0, outcome.err
        assert outcome.err == ""
        workspace, report = outcome.out.splitlines()
        address = f"{saved.server.url}/{ENTITY}/games"
        assert workspace == f"workspace  {address}?nw=ganlightning"
        assert report.startswith(f"report     {address}/reports/The-lecture")


def test_saving_again_makes_no_second_one(saved: Saved) -> None:
    assert sorted(view.type for view in saved.server.views.values()) == ["project-view", "runs"]
    operations = [operation for _, _, operation in saved.server.requests]
    assert operations.count("UpsertView2") == operations.count("upsertView") == 2


def test_workspace_has_every_panel(saved: Saved) -> None:
    section = saved.view("project-view").spec["section"]
    assert section["settings"]["xAxis"] == "updates"
    sections = section["panelBankConfig"]["sections"]
    assert [s["name"] for s in sections] == [section.name for section in SECTIONS]
    drawn = [panel for section in sections for panel in section["panels"]]
    for panel, there in zip(all_panels(), drawn, strict=True):
        config = there["config"]
        if panel.table:
            assert f"'{panel.table}'" in str(config)
        elif panel.pictures:
            assert there["viewType"] == "Media Browser"
            assert config["mediaKeys"] == list(panel.pictures)
        else:
            assert config["chartTitle"] == panel.title
            assert config["xAxis"] == "updates"
            assert config["metrics"] == ([] if panel.families else list(panel.keys))
            assert config.get("metricRegex", "") == panel.pattern
    assert f"Run:v1:{saved.run.run_id()}" in _pinned(section)


def _pinned(section: dict[str, Any]) -> str:
    from base64 import b64decode

    (pinned,) = section["runSets"][0]["pinnedRunIds"]
    return b64decode(pinned).decode()


def test_losses_of_both_players_share_a_panel() -> None:
    assert panel_of("loss/discriminator/adversarial") is panel_of("loss/generator/information")
    assert panel_of("loss/classifier/cross_entropy") is not panel_of("loss/generator/adversarial")
    assert panel_of("nothing") is None


def test_report_has_the_lecture_in_its_order(saved: Saved) -> None:
    view = saved.view("runs")
    assert view.display_name == "The lecture, reproduced"
    blocks = view.spec["blocks"]
    headings = [i for i, block in enumerate(blocks) if block["type"] == "heading"]
    parts = [blocks[a:b] for a, b in pairwise([*headings, len(blocks)])]
    claimed = {
        results.experiment for results in read_known_results(results_folder()) if results.claims
    }
    for topic, (heading, idea, equation, claims, grid, *_) in zip(TOPICS, parts, strict=True):
        assert heading["children"] == [{"text": topic.title}]
        assert idea["children"] == [{"text": topic.idea}]
        assert equation["content"] == topic.equations
        for name in topic.experiments:
            assert f"gan-lightning train {name}\n" in f"{claims['content']}\n"
            assert (f"| {name} |" in claims["content"]) == (name in claimed)
        runs = str(grid["metadata"]["runSets"])
        assert all(f"'{name}'" in runs for name in topic.experiments)
        assert f"'{saved.run.run_id()}'" in runs
        titles = _titles(grid)
        assert titles <= {panel.title for panel in all_panels()}
        assert {title for title in titles if title.startswith("Losses")}


def _titles(grid: dict[str, Any]) -> set[str]:
    panels = grid["metadata"]["panelBankSectionConfig"]["panels"]
    return {panel["config"]["chartTitle"] for panel in panels}


def test_report_shows_the_pictures_that_its_runs_draw(saved: Saved) -> None:
    grids = [block for block in saved.view("runs").spec["blocks"] if block["type"] == "panel-grid"]
    titles = {topic.slug: _titles(grid) for topic, grid in zip(TOPICS, grids, strict=True)}
    assert "Phase portrait" in titles["non-convergence"]
    assert "Samples and traversals" in titles["infogan"]
    assert "Points" not in titles["infogan"]
    assert "Pairs and translations" in titles["coupled"]
    assert "Losses of a classifier" in titles["adversarial-examples"]


@pytest.fixture(scope="session")
def logged(trained: Callable[[str], TinyRun]) -> set[str]:
    """Keys of all kinds of run: figures, pictures, tables."""
    keys = {"claims", "alerts"}  # tests/test_wandb_run.py and tests/test_sweep.py see them arrive
    for experiment in KINDS:
        folder = trained(experiment).folder
        keys |= {name for row in read_metrics_csv(folder) for name, value in row.items() if value}
        keys |= {path.stem[:-8] for path in (folder / "samples").glob("*.png")}
    judge = InceptionEvaluator(FakeImages(60), LinearNetwork(), torch.device("cpu"), samples=40)
    rng = torch.Generator().manual_seed(0)
    judge.update(torch.rand(40, 3, 4, 4, generator=rng) * 2 - 1, 0)
    return keys | set(judge.compute())


def test_panels_name_only_what_runs_log_and_all_of_it(logged: set[str]) -> None:
    """One test, so that one process makes the runs."""
    measured = {
        name for results in read_known_results(results_folder()) for name in results.measures
    }
    # runs of a few updates have none of these
    long = {"critic/rank_correlation", "modes/reverse_kl"}
    assert long <= measured
    # no stored result has these yet
    long |= {"critic/descent_correlation", "features/accuracy", "reconstruction/error"}
    long |= {"augmentation/probability", "balance/convergence", "balance/k"}
    long |= {"fd_clothes", "fd_clothes/real", "clothes_score", "modified_clothes_score"}
    long |= {"fd_faces", "attribute/kl", "attribute/least_accuracy", "attribute/mouth/accuracy"}
    long |= {"code/mutual_information_gap", "code/information/mouth", "code1/information/mouth"}
    long |= {"attribute/mouth/smile/accuracy", "arithmetic/accuracy"}
    long |= {"translation/colour_retrieval"}
    # these are off by default; tests/test_game_measures.py has runs with them
    long |= {"game", "game/rotation", "game/path_cosine", "game/duality_gap"}
    long |= {"game/eigenvalue_real", "game/eigenvalue_imaginary", "game/gain/generator"}
    long |= {f"game/{name}" for name in ("discriminator_auc/x", "gradient_norm/x", "step_cosine/x")}
    for panel in all_panels():
        assert {*panel.keys, *panel.pictures, panel.table} - {""} <= logged | long, panel.title
        for family in panel.families:
            assert any(re.fullmatch(family, key) for key in logged | long), family
    assert not [key for key in logged | measured if key != "updates" and panel_of(key) is None]


def test_without_a_login_says_how_to_log_in(tmp_path: Path) -> None:
    environment = wandb_environment(tmp_path)
    outcome = run_process(["dashboard", "--entity", "e"], tmp_path, environment)
    assert_mistake(outcome, "no login", "wandb login", "WANDB_API_KEY")


@pytest.mark.parametrize(("status", "said"), [(401, "401"), (500, "500")])
def test_server_that_refuses_costs_one_line(tmp_path: Path, status: int, said: str) -> None:
    with WandbServer(fail_with=status) as server:
        environment = {**wandb_environment(tmp_path, server), "WANDB_HTTP_TIMEOUT": "2"}
        outcome = run_process(["dashboard", "--entity", "e"], tmp_path, environment)
    assert_mistake(outcome, "W&B refused e/gan-lightning", "WANDB_API_KEY")
    assert "Traceback" not in outcome.err


def test_runs_are_found_before_anything_is_sent(tmp_path: Path) -> None:
    with WandbServer() as server:
        environment = wandb_environment(tmp_path, server)
        outcome = run_process(["dashboard", "nothing"], tmp_path, environment)
    assert_mistake(outcome, "there is no run 'nothing'")
    assert not server.requests
