"""The Python interface, and the notebook of first steps with its committed outputs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT, TinyRun, tiny_overrides
from run_files import final_measures

import gan_lightning
from gan_lightning.errors import UserError

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
NOTEBOOK = CHECKOUT / "docs" / "notebooks" / "first_steps.ipynb"


def text_outputs(notebook: Any) -> list[list[str]]:
    """Return the text outputs of each code cell, without standard error."""
    return [
        [
            output.get("text") or output["data"]["text/plain"]
            for output in cell.outputs
            if output.get("name") != "stderr"
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_the_notebook_runs_with_the_committed_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    committed = nbformat.read(NOTEBOOK, as_version=4)
    executed = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        executed,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    pictures = [
        o for c in executed.cells for o in c.get("outputs", ()) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 3
    line_starts = [[text.split("\n")[0][:20] for text in cell] for cell in text_outputs(executed)]
    assert line_starts == [
        [text.split("\n")[0][:20] for text in cell] for cell in text_outputs(committed)
    ]
    assert "max_update" in text_outputs(executed)[-1][0]


def test_a_gan_of_a_cell_trains_and_again_when_it_is_defined_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(CHECKOUT / "examples" / "own_gan.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace('max_updates": 200', 'max_updates": 20')
    path = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=path).execute()
    texts = [text for cell in text_outputs(notebook) for text in cell]
    assert "modes/covered" in texts[0]
    assert any("loss/generator/logits" in text for text in texts)
    assert not any("loss/generator/error" in text for text in texts)


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, gan_lightning; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=True)


def test_an_unknown_attribute_is_named_in_the_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = gan_lightning.nothing


def test_load_and_evaluate_agree_with_the_commands(ring_run: TinyRun) -> None:
    gan, data, config = gan_lightning.load(ring_run.folder)
    assert not gan.training
    assert data.spec.shape == (2,)
    assert config.data.name == "ring"
    first, again = (gan.sample(8, seed=3).data for _ in range(2))
    assert torch.equal(first, again)
    expected = final_measures(ring_run.folder)
    measured = gan_lightning.evaluate(ring_run.folder)
    assert measured == pytest.approx({name: expected[name] for name in measured})
    with pytest.raises(UserError, match=r"trainer\.max_updates"):
        gan_lightning.evaluate(ring_run.folder, "trainer.max_updates=5")


def test_train_gives_the_run_of_the_command(ring_run: TinyRun, tmp_path: Path) -> None:
    overrides = [*tiny_overrides("gan_ring"), "log.wandb=disabled"]
    outcome = gan_lightning.train("gan_ring", *overrides, output=tmp_path / "run")
    weights = "generator.safetensors"
    assert outcome.updates == 4
    assert (tmp_path / "run" / weights).read_bytes() == (ring_run.folder / weights).read_bytes()
