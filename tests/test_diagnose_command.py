"""The command `diagnose`: runs, files of losses of other programs, and mistakes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from conftest import run_cli, tiny_overrides
from test_diagnosis import DISCRIMINATOR_LOSS, course

from gan_lightning.cli.train import name_of_file
from gan_lightning.diagnosis import STATES, diagnose, signals_of_losses, signals_of_run
from gan_lightning.errors import UserError
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.metrics_csv import read_metrics


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows, ""]))
    return path


def test_losses_of_any_program_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    rows = [f"{number},{1.3 + number % 3 / 10},0.7" for number in range(40)]
    for header in ("step,d_loss,g_loss", "Iteration,Loss_D,Loss_G", "epoch,D,G"):
        signals = signals_of_losses(write(tmp_path / "a.csv", header, rows), "non_saturating")
        assert signals.end == 39
        assert diagnose(signals).state in STATES
    plain = write(tmp_path / "b.csv", "errD,errG", [row.partition(",")[2] for row in rows])
    assert signals_of_losses(plain).end == 40
    diverged = write(tmp_path / "c.csv", "d,g", ["1,1"] * 20 + ["nan,1"])
    assert diagnose(signals_of_losses(diverged)).state == "diverged"


SPREADSHEETS = {
    "a byte order mark": "\ufeffd_loss,g_loss,step\n{d:.3f},{g:.3f},{n}\n",
    "semicolons": "step;d_loss;g_loss\r\n{n};{d:.3f};{g:.3f}\r\n",
    "decimal commas": '"step";"d_loss";"g_loss"\n{n};1,{m:02};0,{m:02}\n',
    "tabs": "step\td_loss\tg_loss\n{n}\t{d:.3f}\t{g:.3f}\n",
    "empty lines and spaces": "\n\nstep, d_loss, g_loss\n{n}, {d:.3f}, {g:.3f}\n\n",
    "a row for each player": "step,d_loss,g_loss\n{n},{d:.3f},\n{n},,{g:.3f}\n",
    "text in cells": "step,d_loss,g_loss,note\n{n},{d:.3f},{g:.3f},good\n{n}5,n/a,,?\n",
    "long and short rows": "step,d_loss,g_loss\n{n},{d:.3f},{g:.3f},7,8\n{n}5\n",
    "several rows an epoch": "epoch,d_loss,g_loss\n1,{d:.3f},{g:.3f}\n",
    "parts of epochs": "epoch,d_loss,g_loss\n0.{n:02},{d:.3f},{g:.3f}\n",
}
"""What a file has -> its header and one of its rows."""


@pytest.mark.parametrize("case", SPREADSHEETS)
def test_files_of_spreadsheets_are_read(case: str, tmp_path: Path) -> None:
    lines = SPREADSHEETS[case].splitlines(keepends=True)
    first = 1 + next(number for number, line in enumerate(lines) if "d_loss" in line)
    text = "".join(lines[first:])
    rows = [text.format(n=n, d=1 + n / 100, m=n, g=n / 100) for n in range(30)]
    path = tmp_path / "losses.csv"
    path.write_bytes("".join([*lines[:first], *rows]).encode())
    signals = signals_of_losses(path)
    for player, start in (("discriminator", 1.0), ("generator", 0.0)):
        values = signals.loss(player).values
        assert values == pytest.approx([start + n / 100 for n in range(30)])


def test_a_file_without_numbers_is_refused_and_a_value_beyond_float32_has_diverged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "losses.csv"
    for rows in ([], ["hello,1,2"], ["-1,1,2"]):
        with pytest.raises(UserError, match="no row with numbers in the columns d_loss, g_loss"):
            signals_of_losses(write(path, "step,d_loss,g_loss", rows))
    path.write_text("d,g\n1,1\n", encoding="utf-16")
    with pytest.raises(UserError, match="save it as CSV UTF-8"):
        signals_of_losses(path)
    assert diagnose(signals_of_losses(write(path, "d,g", ["1e308,1"] * 30))).state == "diverged"


def test_a_cell_without_a_number_is_left_out_of_the_metrics_of_a_run(tmp_path: Path) -> None:
    rows = ["10,0.5,edited", "20,,1.5", "30,nan,2"]
    metrics = read_metrics(write(tmp_path / "metrics.csv", "updates,a,b", rows))
    assert metrics[10] == {"a": 0.5}
    assert metrics[20] == {"b": 1.5}
    assert math.isnan(metrics[30]["a"])


def test_a_run_of_a_classifier_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("model: {name: classifier}\n")
    write(run / "metrics.csv", "updates,loss/classifier/cross_entropy", ["10,2.3"])
    outcome = run_cli("diagnose", str(run))
    assert outcome.code == 2
    assert "trained a classifier; choose a run of a GAN" in outcome.err


@pytest.mark.parametrize(
    ("header", "words", "message"),
    [
        ("step,loss", (), "has no column of the discriminator's loss: its columns are step, loss"),
        ("d,other", (), "has no column of the generator's loss"),
        ("d,g", ("--objective", "minmax"), "--objective is 'minmax'; valid are minimax,"),
    ],
)
def test_a_file_without_losses_is_one_line(
    header: str, words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "losses.csv", header, ["1,2"])
    outcome = run_cli("diagnose", "--losses", str(path), *words)
    assert outcome.code == 2
    assert message in outcome.err
    with pytest.raises(UserError, match="cannot read"):
        signals_of_losses(tmp_path / "missing.csv")
    assert run_cli("diagnose").code == 2
    assert run_cli("diagnose", "gan_ring", "--objective", "hinge").code == 2


def test_runs_are_diagnosed_with_commands_that_they_accept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [*tiny_overrides("gan_ring"), "log.wandb=disabled", "--output", str(run)]
    assert run_cli("train", "gan_ring", *words).code == 0
    early = run_cli("diagnose", str(run))
    assert early.code == 0
    assert "too early to say" in early.out
    stuck = {"wasserstein/exact": 0.9, "divergence/jensen_shannon": 0.69, "samples/duplicates": 0.0}
    stuck |= {f"{name}/points": 0.0 for name in ("precision", "recall", "density", "coverage")}
    names = [*course()[50], "divergence/jensen_shannon", "samples/duplicates", "density/points"]
    rows = []
    for number, (update, row) in enumerate(course().items()):
        loss = {DISCRIMINATOR_LOSS: 0.001 / (1 + number), "loss/generator/adversarial": 5 + number}
        found = {**row, **loss, **(stuck if "wasserstein/exact" in row else {})}
        rows.append(",".join([str(update), *(str(found.get(name, "")) for name in names)]))
    write(run / "metrics.csv", ",".join(["updates", *names]), rows)
    outcome = run_cli("diagnose", str(run))
    assert outcome.code == 0, outcome.err
    assert "the discriminator has won, " in outcome.out
    commands = [line.split() for line in outcome.out.splitlines() if "gan-lightning train" in line]
    assert commands
    for _, _, path, *overrides in commands:
        assert path == str(run / "config.yaml")
        assert overrides
    content = json.loads(run_cli("diagnose", str(run), "--json").out)[str(run)]
    assert content["state"] in STATES
    assert sum(content["probabilities"].values()) == pytest.approx(1, abs=0.01)


def test_a_run_from_the_config_of_another_has_the_name_of_its_experiment(tmp_path: Path) -> None:
    for folder, name in (("runs/gan_ring/2026-01-01_00-00-00", "gan_ring"), ("mine", "mine")):
        config = tmp_path / folder / "config.yaml"
        config.parent.mkdir(parents=True)
        config.touch()
        assert name_of_file(config) == "config"
        (config.parent / "environment.json").touch()
        assert name_of_file(config) == name
    assert name_of_file(tmp_path / "rings.yaml") == "rings"


def test_a_run_that_was_resumed_after_it_diverged_is_no_more_diverged(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: {name: gan}\n")
    (tmp_path / "log.txt").write_text(
        "x WARNING gan_lightning: training diverged at update 1,200: w\n"
    )
    write(tmp_path / "metrics.csv", "updates,loss/discriminator/adversarial", ["1100,0.5"])
    assert signals_of_run(RunDirectory(tmp_path)).diverged
    write(tmp_path / "metrics.csv", "updates,loss/discriminator/adversarial", ["1300,0.5"])
    assert not signals_of_run(RunDirectory(tmp_path)).diverged
