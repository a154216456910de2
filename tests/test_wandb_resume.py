"""A run that is killed and resumed sends each row to W&B once."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import run_process, tiny_overrides
from wandb_offline import read_offline_run
from wandb_server import wandb_environment

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.loggers.sent_rows import SentRows


def logged_values(rows: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Yield (update, name) of every value and picture."""
    for row in rows:
        for name in row:
            if not name.startswith("_") and name != "updates":
                yield row["updates"], name


def test_killed_run_sends_every_row_once(tmp_path: Path) -> None:
    environment = wandb_environment(tmp_path)
    words = ["train", "gan_ring", *tiny_overrides("gan_ring")]
    part = run_process([*words, "--output", "part"], tmp_path, environment)
    assert part.code == 0, part.err
    shutil.copytree(tmp_path / "part", tmp_path / "whole", symlinks=True)
    before, last = list_checkpoints(tmp_path / "part" / "checkpoints")
    assert (before.stem, last.stem) == ("update_0000002", "update_0000004")
    # as if the run had been killed while it saved the last checkpoint
    last.unlink()
    (tmp_path / "part" / "outcome.json").unlink()
    for logged in tmp_path.glob("part/wandb/offline-run-*"):
        logged.rename(tmp_path / "first")
    rest = run_process(["train", "gan_ring", "--resume", "part"], tmp_path, environment)
    assert rest.code == 0, rest.err

    one, two = read_offline_run(tmp_path / "first"), read_offline_run(tmp_path / "part")
    expected = Counter(logged_values(read_offline_run(tmp_path / "whole").history))
    assert Counter(logged_values([*one.history, *two.history])) == expected
    assert set(expected.values()) == {1}
    text = (tmp_path / "part" / "metrics.csv").read_text()
    assert text == (tmp_path / "whole" / "metrics.csv").read_text()


def test_sent_rows_are_identified_by_update_and_names(tmp_path: Path) -> None:
    sent = SentRows(tmp_path)
    assert sent.next_step == 0
    sent.record(50, ["loss"])
    sent.record(100, ["loss"])
    assert SentRows(tmp_path).contains(50, ["loss"])
    assert not SentRows(tmp_path).contains(50, ["loss", "fd_digits"])
    assert not SentRows(tmp_path).contains(150, ["loss"])
    SentRows(tmp_path).record(100, ["fd_digits"])
    again = SentRows(tmp_path)
    assert again.contains(100, ["loss", "fd_digits"])
    assert again.next_step == 3


def test_a_session_forgets_the_rows_that_were_lost(tmp_path: Path) -> None:
    sent = SentRows(tmp_path)
    sent.start_session(tmp_path / "wandb" / "a.wandb", None)
    for updates in (50, 100, 150):
        sent.record(updates, ["loss"])
    sent = SentRows(tmp_path)
    assert sent.log_file == tmp_path / "wandb" / "a.wandb"
    sent.start_session(tmp_path / "b.wandb", last_step=0)
    for each in (sent, SentRows(tmp_path)):
        assert each.contains(50, ["loss"])
        assert not each.contains(100, ["loss"])
        assert each.next_step == 1
        assert each.log_file == tmp_path / "b.wandb"
        assert each.first_step == 1  # before it are rows of earlier sessions, which W&B has


def test_the_note_of_version_0_1_is_read(tmp_path: Path) -> None:
    note = {"updates": 100, "names": ["loss"], "step": 5}
    (tmp_path / "wandb_sent.json").write_text(json.dumps(note))
    sent = SentRows(tmp_path)
    assert sent.contains(50, ["anything"])
    assert sent.contains(100, ["loss"])
    assert not sent.contains(100, ["fd_digits"])
    assert sent.next_step == 6


@pytest.mark.parametrize("text", ["", "{", "[]", '{"updates": "x", "names": [], "step": 1}', "\0"])
def test_damaged_lines_are_ignored(text: str, tmp_path: Path) -> None:
    sent = SentRows(tmp_path)
    sent.record(50, ["loss"])
    with (tmp_path / "wandb_sent.jsonl").open("a") as file:
        file.write(text)
    again = SentRows(tmp_path)
    assert (again.contains(50, ["loss"]), again.next_step) == (True, 1)
