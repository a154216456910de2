"""The commands as functions, and the notebook of first steps, which does what its page shows."""

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


def words(notebook: Any) -> list[list[str]]:
    """What each cell printed or ended with, in words."""
    return [
        [
            output.get("text") or output["data"]["text/plain"]
            for output in cell.outputs
            if output.get("name") != "stderr"
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_it_runs_and_its_outputs_are_those_that_were_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    committed = nbformat.read(NOTEBOOK, as_version=4)
    executed = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(executed, timeout=120, kernel_name="python3", resources=where).execute()
    pictures = [
        o for c in executed.cells for o in c.get("outputs", ()) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 3
    shapes = [[text.split("\n")[0][:20] for text in cell] for cell in words(executed)]
    assert shapes == [[text.split("\n")[0][:20] for text in cell] for cell in words(committed)]
    assert "max_update" in words(executed)[-1][0]


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, gan_lightning; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=True)


def test_what_the_package_does_not_have_is_named() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = gan_lightning.nothing


def test_a_run_is_loaded_and_measured_as_by_the_commands(ring_run: TinyRun) -> None:
    gan, data, config = gan_lightning.load(ring_run.folder)
    assert not gan.training
    assert data.spec.shape == (2,)
    assert config.data.name == "ring"
    first, again = (gan.sample(8, seed=3).data for _ in range(2))
    assert torch.equal(first, again)
    written = final_measures(ring_run.folder)
    measured = gan_lightning.evaluate(ring_run.folder)
    assert measured == pytest.approx({name: written[name] for name in measured})
    with pytest.raises(UserError, match=r"trainer\.max_updates"):
        gan_lightning.evaluate(ring_run.folder, "trainer.max_updates=5")


def test_a_run_trained_in_python_is_that_of_the_command(ring_run: TinyRun, tmp_path: Path) -> None:
    words = [*tiny_overrides("gan_ring"), "log.wandb=disabled"]
    outcome = gan_lightning.train("gan_ring", *words, output=tmp_path / "run")
    shipped = "generator.safetensors"
    assert outcome.updates == 4
    assert (tmp_path / "run" / shipped).read_bytes() == (ring_run.folder / shipped).read_bytes()
