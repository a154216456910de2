"""What a power failure leaves of a run's files: it resumes to equal bits, or says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from conftest import run_cli, tiny_overrides
from run_files import load_last_checkpoint, read_metrics_csv

WORDS = [*tiny_overrides("gan_ring"), "log.wandb=disabled", "log.every_n_updates=1"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of four updates, and a copy as it was when the power failed after update 2."""
    folder = tmp_path_factory.mktemp("power")
    outcome = run_cli("train", "gan_ring", *WORDS, "--output", str(folder / "whole"))
    assert outcome.code == 0, outcome.err
    shutil.copytree(folder / "whole", folder / "cut")
    (folder / "cut" / "checkpoints" / "update_0000004.ckpt").unlink()
    (folder / "cut" / "outcome.json").unlink()
    return folder / "whole", folder / "cut"


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
    ("name", "damage"),
    [
        ("config.yaml", zero),
        ("config.yaml", fill_with_nul),
        ("environment.json", zero),
        ("environment.json", fill_with_nul),
        ("metrics.csv", zero),
        ("metrics.csv", fill_with_nul),
        ("metrics.csv", add_nul),
        ("metrics.csv", cut_inside_the_last_number),
    ],
)
def test_a_damaged_file_costs_no_weights(
    name: str, damage: object, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    whole, cut = runs
    run = tmp_path / "run"
    shutil.copytree(cut, run)
    assert callable(damage)
    damage(run / name)
    outcome = run_cli("train", "gan_ring", "--resume", str(run), "trainer.max_updates=4")
    assert outcome.code == 0, outcome.err
    states = [load_last_checkpoint(folder)["state_dict"] for folder in (whole, run)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    rows = {row["updates"]: row for row in read_metrics_csv(run)}
    expected = {row["updates"]: row for row in read_metrics_csv(whole)}
    assert [*rows] == sorted(rows)
    for update, row in rows.items():
        assert {key: value for key, value in row.items() if value} == {
            key: value for key, value in expected[update].items() if value
        }
    assert {"3", "4"} <= {*rows}
