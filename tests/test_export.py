"""Exported generators stand alone, agree with the model, and say what they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import factories
import pytest
import torch
import yaml
from bad_inputs import mistake
from conftest import TinyRun, run_cli

from gan_lightning.config.schema import RunConfig
from gan_lightning.export import FORMATS, GeneratorFunction, exporting, load_generator
from gan_lightning.gans import GAN, GANS
from gan_lightning.networks.pix2pix import DropoutNoise
from gan_lightning.types import Condition
from gan_lightning.utils import optional

LIMIT = 1e-4


def played(model: str) -> tuple[GAN, RunConfig]:
    """Build a variant whose running statistics and weights are not those of a new one."""
    run = factories.make_config(model, "model.ema_decay=0.5")
    learner = factories.make_gan(model, "model.ema_decay=0.5")
    if learner.data.source_shape is not None:
        learner.examples = torch.rand(8, *learner.data.source_shape) * 2 - 1  # type: ignore[assignment]
    learner.updates = 3
    assert learner.ema is not None
    rng = torch.Generator().manual_seed(0)
    for part in (learner.generator, learner.ema.module):
        for weight in part.state_dict().values():
            if weight.is_floating_point():
                weight.mul_(1 + 0.3 * torch.rand(weight.shape, generator=rng)).add_(0.01)
    return learner, run


@pytest.mark.parametrize("model", factories.ALL_GANS)
def test_function_is_what_the_gan_samples(model: str) -> None:
    gan, _ = played(model)
    drawn = gan.sample(5, seed=3)
    function = GeneratorFunction(gan)
    inputs = drawn.condition.parts()
    if "noise" in function.inputs:
        pytest.skip("draws its noise inside: see the test of dropout")
    with torch.no_grad():
        data = function(**inputs)
    expected = (drawn.data + 1) / 2 if function.is_image else drawn.data
    assert torch.equal(data, expected)


def test_noise_of_dropout_is_an_input() -> None:
    gan, _ = played("pix2pix")
    source = torch.rand(3, *gan.data.source_shape or ()) * 2 - 1
    masks: list[torch.Tensor] = []
    averaged = gan.inference_network()
    for layer in averaged.modules():
        if isinstance(layer, DropoutNoise):
            layer.register_forward_hook(
                lambda _, args, made: masks.append((made != 0) | (args[0] == 0))
            )
    drawn = gan.sample(3, Condition(source=source), seed=1).data
    noise = torch.cat([mask.flatten(1) for mask in masks], 1).float()
    function = GeneratorFunction(gan)
    assert noise.shape[1:] == function.inputs["noise"]
    made = function(source=(source + 1) / 2, noise=noise)
    assert (made - (drawn + 1) / 2).abs().max() < 1e-5
    other = function(source=(source + 1) / 2, noise=1 - noise)
    assert (made - other).abs().max() > 1e-3


FIRST_OF_EACH_KIND = {GANS[model].generate: model for model in reversed(factories.ALL_GANS)}
"""A variant for every way of generating: the graphs of the others are the same."""


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        *((model, "torch") for model in factories.ALL_GANS),
        *((model, "onnx") for model in FIRST_OF_EACH_KIND.values()),
    ],
)
def test_file_agrees_with_the_gan(model: str, kind: str, tmp_path: Path) -> None:
    gan, _ = played(model)
    function = GeneratorFunction(gan)
    path = tmp_path / FORMATS[kind].file
    FORMATS[kind].write(function, path, {"title": model})
    generate = FORMATS[kind].read(path)
    for count in (1, 7):
        inputs = function.draw(count, seed=count)
        made, expected = generate(inputs), function(**inputs)
        assert made.shape == (count, *gan.data.shape)
        assert (made - expected).abs().max() < LIMIT
    assert (generate(function.draw(7, seed=8)) - made).abs().max() > 1e-3


@pytest.mark.parametrize("model", factories.ALL_GANS)
def test_weights_rebuild_the_gan(model: str, tmp_path: Path) -> None:
    from gan_lightning.export.formats import rebuilding

    gan, run = played(model)
    spec = gan.data
    function = GeneratorFunction(gan)
    path = tmp_path / "generator.safetensors"
    FORMATS["safetensors"].write(function, path, rebuilding(run, spec))
    inputs = function.draw(4, seed=0)
    assert torch.equal(load_generator(path)(**inputs), function(**inputs))


@pytest.fixture(scope="module")
def exported(
    infogan_run: TinyRun, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, str]]:
    """Export a tiny run in every format, by the command: folder and what it printed."""
    made = {}
    for kind in FORMATS:
        folder = tmp_path_factory.mktemp("exports") / kind
        words = ["--format", kind, "--output", str(folder)]
        outcome = run_cli("export", str(infogan_run.folder), *words)
        assert outcome.code == 0, outcome.err
        made[kind] = (folder, outcome.out)
    return made


def card_of(folder: Path) -> tuple[dict[str, object], str]:
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header), text


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_command_prints_parity(kind: str, exported: dict[str, tuple[Path, str]]) -> None:
    folder, said = exported[kind]
    found = [float(value) for value in re.findall(r"difference (\S+)\n", said)]
    assert len(found) == 2
    assert max(found) <= LIMIT
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["README.md", "samples.png", FORMATS[kind].file]
    )


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_code_of_the_card_runs(
    kind: str, exported: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    """Without gan_lightning, where the card does not ask for it."""
    folder, _ = exported[kind]
    code = card_of(folder)[1].split("```python\n")[1].split("```")[0]
    stands_alone = "gan_lightning" not in code
    assert stands_alone == (kind != "safetensors")
    check = (
        f"import sys\nif {stands_alone}: sys.modules['gan_lightning'] = None\n{code}\n"
        "assert data.shape == (16, 1, 28, 28), data.shape\n"
        "assert str(data.dtype).endswith('float32'), data.dtype\n"
        "assert 0 <= data.min() and data.max() <= 1\n"
        f"if {kind == 'onnx'}: assert 'torch' not in sys.modules\n"
    )
    (tmp_path / "user.py").write_text(check)
    process = subprocess.run(
        [sys.executable, str(tmp_path / "user.py")], cwd=folder, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr


def test_card_states_data_metrics_and_licence(
    exported: dict[str, tuple[Path, str]], infogan_run: TinyRun
) -> None:
    header, text = card_of(exported["torch"][0])
    assert header["license"] == "cc-by-sa-3.0"
    assert header["datasets"] == ["ylecun/mnist"]
    (index,) = header["model-index"]  # type: ignore[misc]
    measured = {part["name"]: part["value"] for part in index["results"][0]["metrics"]}  # type: ignore[index]
    from run_files import measures_of

    assert measured == pytest.approx(measures_of(infogan_run.folder))
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in text
    assert f"| `fd_digits` | {measured['fd_digits']:.4g} |" in text
    assert "`code/accuracy >= 0.95`" in text
    assert "does not hold" in text
    assert "after 4 generator updates" in text
    assert "![what it generates](samples.png)" in text
    assert "int64, column 0 in [0, 10)" in text


def test_exported_again_in_its_place(ring_run: TinyRun, tmp_path: Path) -> None:
    words = ["export", str(ring_run.folder), "--output", str(tmp_path / "out")]
    assert run_cli(*words).code == 0
    assert run_cli(*words, "--format", "safetensors", "--license", "mit").code == 0
    assert not (tmp_path / "out" / "generator.pt2").exists()
    assert card_of(tmp_path / "out")[0]["license"] == "mit"


@pytest.mark.usefixtures("empty_folder")
def test_mistakes(ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(ring_run.folder)
    mistake(["export", "gan_rign"], "no run 'gan_rign'", "train")
    mistake(["export", run, "--format", "onx"], "--format is 'onx'", "valid are onnx")
    mistake(["export", run, "--license", "my own"], "--license is 'my own'", "mit")
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("")
    mistake(["export", run, "--output", "mine"], "mine holds something else", "--output DIR")
    Path("file").write_text("")
    mistake(["export", run, "--output", "file/x"], "cannot write file/x", "--output")
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    mistake(["export", run, "--output", "out"], "differs from the model by", "nothing is written")
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    needs = ("onnx, onnxscript, onnxruntime", "pip install 'gan-lightning[export]'")
    mistake(["export", run, "--format", "onnx", "--output", "out"], *needs)
