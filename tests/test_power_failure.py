"""What a power failure leaves of a run's files: it resumes to equal bits, or says what to do."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import run_cli, tiny_overrides
from run_files import final_measures, load_last_checkpoint, read_metrics_csv

from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import RunOutcome, write_outcome

SMALL_FILES = ["config.yaml", "environment.json", "metrics.csv", "outcome.json"]
WORDS = [*tiny_overrides("gan_ring"), "log.wandb=disabled", "log.every_n_updates=1"]


FLUSHED: list[Path] = []
"""Files and folders that the run of four updates has flushed to the disk, in order."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of four updates, and a copy as it was when the power failed after update 2."""
    folder = tmp_path_factory.mktemp("power")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: FLUSHED.append(path_of(number)))
        outcome = run_cli("train", "gan_ring", *WORDS, "--output", str(folder / "whole"))
    assert outcome.code == 0, outcome.err
    shutil.copytree(folder / "whole", folder / "cut")
    (folder / "cut" / "checkpoints" / "update_0000004.ckpt").unlink()
    write_outcome(folder / "cut", RunOutcome(2, 1.0))
    return folder / "whole", folder / "cut"


def path_of(descriptor: int) -> Path:
    """Return the path of an open file, which is the target's where it is a partial file."""
    path = Path("/proc/self/fd", str(descriptor))
    path = path.readlink() if path.exists() else Path()  # only Linux has it
    name = re.fullmatch(r"\.(.+)\.[0-9a-f]{8}\.partial", path.name)
    return path.with_name(name[1]) if name else path


def zero(path: Path) -> None:
    path.write_bytes(b"")


def fill_with_nul(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def add_nul(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(512))


def cut_inside_the_last_number(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:6])


@pytest.mark.parametrize(
    ("names", "damage"),
    [
        (["config.yaml"], zero),
        (["config.yaml"], fill_with_nul),
        (["environment.json"], zero),
        (["environment.json"], fill_with_nul),
        (["metrics.csv"], add_nul),
        (["metrics.csv"], cut_inside_the_last_number),
        (SMALL_FILES, zero),
        (SMALL_FILES, fill_with_nul),
    ],
)
def test_damaged_files_cost_no_weights(
    names: list[str], damage: Callable[[Path], None], runs: tuple[Path, Path], tmp_path: Path
) -> None:
    whole, cut = runs
    run = tmp_path / "run"
    shutil.copytree(cut, run)
    for name in names:
        damage(run / name)
    outcome = run_cli("train", "gan_ring", "--resume", str(run), "trainer.max_updates=4")
    assert outcome.code == 0, outcome.err
    states = [load_last_checkpoint(folder)["state_dict"] for folder in (whole, run)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    found, expected_run = RunDirectory(run), RunDirectory(whole)
    assert found.run_id() == expected_run.run_id()
    assert found.config() == expected_run.config()
    assert final_measures(run) == pytest.approx(final_measures(whole))
    rows = {row["updates"]: row for row in read_metrics_csv(run)}
    expected = {row["updates"]: row for row in read_metrics_csv(whole)}
    assert [*rows] == sorted(rows)
    for update, row in rows.items():
        assert {key: value for key, value in row.items() if value} == {
            key: value for key, value in expected[update].items() if value
        }
    assert {"3", "4"} <= {*rows}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_resume_needs_is_flushed_with_its_folders(runs: tuple[Path, Path]) -> None:
    whole, _ = runs
    checkpoints = [whole / "checkpoints" / f"update_{update:07}.ckpt" for update in (2, 4)]
    for path in [*(whole / name for name in SMALL_FILES), *checkpoints]:
        assert path.parent in FLUSHED[FLUSHED.index(path) :], path
    for path in (whole, whole / "checkpoints"):  # its entry in the folder above
        assert path.parent in FLUSHED[FLUSHED.index(path) :], path
    first = FLUSHED.index(checkpoints[0])
    assert {whole / "config.yaml", whole / "environment.json", whole / "metrics.csv"} <= {
        *FLUSHED[:first]
    }


def test_a_lost_outcome_of_a_finished_run_is_made_again(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    whole, _ = runs
    run = shutil.copytree(whole, tmp_path / "run")
    zero(run / "outcome.json")
    outcome = run_cli("train", "gan_ring", "--resume", str(run))
    assert outcome.code == 0, outcome.err
    assert final_measures(run) == pytest.approx(final_measures(whole))
    assert load_last_checkpoint(run)["progress"] == load_last_checkpoint(whole)["progress"]
