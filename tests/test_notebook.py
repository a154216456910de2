"""The Python interface, and the notebook of first steps with its committed outputs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT, TinyRun, tiny_overrides
from process_pool import ForkedProcess
from run_files import final_measures
from shortcuts import figures_drawn

import gan_lightning
from gan_lightning.errors import UserError

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("IPython")
NOTEBOOK = CHECKOUT / "docs" / "notebooks" / "first_steps.ipynb"


def first_lines(texts: Sequence[str]) -> list[str]:
    return [text.split("\n")[0][:20] for text in texts]


def committed_outputs(notebook: Any) -> list[list[str]]:
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


def run_cells(sources: Sequence[str], result: Path) -> None:
    """Run cells as a notebook's kernel does, with IPython's shell and inline figures.

    Writes the text outputs of each cell, and the number of pictures, as JSON.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    class Shell(InteractiveShell):
        def enable_gui(self, gui: Any = None) -> None:
            """Do nothing; inline figures have no windows."""

    shell = Shell.instance()
    shell.run_line_magic("matplotlib", "inline")
    texts, pictures = [], 0
    for source in sources:
        with capture_output() as captured, figures_drawn():
            outcome = shell.run_cell(source, store_history=True)
        outcome.raise_error()
        shown = [output.data for output in captured.outputs]
        pictures += sum("image/png" in data for data in shown)
        text = re.sub(r"^Out\[\d+\]: \n?", "", captured.stdout, flags=re.MULTILINE)
        stdout = [text] if text else []
        texts.append([*stdout, *(data["text/plain"] for data in shown)])
    result.write_text(json.dumps({"texts": texts, "pictures": pictures}))


def outputs_of(notebook: Any, folder: Path) -> Any:
    """Run a notebook with a tenth of its updates in a forked process that has the imports."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    sources = [re.sub(r"(updates\W+\d+)0\b", r"\1", cell) for cell in cells]
    assert sources != cells
    env = {**os.environ, "TMPDIR": str(folder)}
    result = folder / "outputs.json"
    forked = ForkedProcess.start(run_cells, sources, result, cwd=folder, env=env)
    assert forked.wait() == 0, forked.err[-3000:]
    return json.loads(result.read_text())


def test_the_notebook_runs_with_the_committed_outputs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    outputs = outputs_of(notebook, tmp_path)
    assert outputs["pictures"] == 3
    texts = outputs["texts"]
    assert [*map(first_lines, texts)] == [*map(first_lines, committed_outputs(notebook))]
    assert "max_update" in texts[-1][0]


def test_a_gan_of_a_cell_trains_and_again_when_it_is_defined_again(tmp_path: Path) -> None:
    notebook = nbformat.read(CHECKOUT / "examples" / "own_gan.ipynb", as_version=4)
    texts = [text for cell in outputs_of(notebook, tmp_path)["texts"] for text in cell]
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
