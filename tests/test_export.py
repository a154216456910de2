"""Exported generators: parity with the model, standalone code, model card."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import factories
import pytest
import torch
import yaml
from bad_inputs import mistake
from conftest import TinyRun, run_cli
from process_pool import ForkedProcess

from gan_lightning.config.schema import RunConfig
from gan_lightning.export import FORMATS, GeneratorFunction, exporting, load_generator
from gan_lightning.export.card import Exported, _metrics, measured
from gan_lightning.export.saved_model import SAVED_MODEL
from gan_lightning.gans import GAN, GANS
from gan_lightning.networks.pix2pix import DropoutNoise
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.runs.state import RunEvaluation, RunOutcome, write_evaluation, write_outcome
from gan_lightning.types import Condition
from gan_lightning.utils import optional
from gan_lightning.utils.optional import install_command

TOLERANCE = 1e-4


def perturbed_gan(model: str) -> tuple[GAN, RunConfig]:
    """Build a GAN with weights and running statistics other than the initial ones."""
    config = factories.make_config(model, "model.ema_decay=0.5")
    gan = factories.make_gan(model, "model.ema_decay=0.5")
    if gan.data.source_shape is not None:
        gan.examples = torch.rand(8, *gan.data.source_shape) * 2 - 1  # type: ignore[assignment]
    gan.updates = 3
    assert gan.ema is not None
    rng = torch.Generator().manual_seed(0)
    for network in (gan.generator, gan.ema.module):
        for weight in network.state_dict().values():
            if weight.is_floating_point():
                weight.mul_(1 + 0.3 * torch.rand(weight.shape, generator=rng)).add_(0.01)
    return gan, config


@pytest.mark.parametrize("model", factories.ALL_GANS)
def test_the_function_gives_the_samples_of_the_gan(model: str) -> None:
    gan, _ = perturbed_gan(model)
    sample = gan.sample(5, seed=3)
    function = GeneratorFunction(gan)
    inputs = sample.condition.parts()
    if "noise" in function.inputs:
        pytest.skip("has dropout noise, which test_dropout_noise_is_an_input covers")
    if "source" in inputs:
        inputs["source"] = (inputs["source"] + 1) / 2
    with torch.no_grad():
        data = function(**inputs)
    expected = (sample.data + 1) / 2 if function.is_image else sample.data
    if "source" in inputs:  # which is rescaled twice
        torch.testing.assert_close(data, expected, rtol=0, atol=1e-5)
    else:
        assert torch.equal(data, expected)


def test_dropout_noise_is_an_input() -> None:
    gan, _ = perturbed_gan("pix2pix")
    source = torch.rand(3, *gan.data.source_shape or ()) * 2 - 1
    masks: list[torch.Tensor] = []
    for layer in gan.inference_network().modules():
        if isinstance(layer, DropoutNoise):
            layer.register_forward_hook(
                lambda _, inputs, output: masks.append((output != 0) | (inputs[0] == 0))
            )
    expected = gan.sample(3, Condition(source=source), seed=1).data
    noise = torch.cat([mask.flatten(1) for mask in masks], 1).float()
    function = GeneratorFunction(gan)
    assert noise.shape[1:] == function.inputs["noise"]
    generated = function(source=(source + 1) / 2, noise=noise)
    assert (generated - (expected + 1) / 2).abs().max() < 1e-5
    other = function(source=(source + 1) / 2, noise=1 - noise)
    assert (generated - other).abs().max() > 1e-3


ONE_PER_GENERATE_METHOD = {GANS[model].generate: model for model in reversed(factories.ALL_GANS)}
"""A variant for each implementation of `generate`; variants that share one have the same graph."""


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        *((model, "torch") for model in factories.ALL_GANS),
        *((model, "onnx") for model in ONE_PER_GENERATE_METHOD.values()),
    ],
)
def test_file_agrees_with_the_gan(model: str, kind: str, tmp_path: Path) -> None:
    gan, _ = perturbed_gan(model)
    function = GeneratorFunction(gan)
    path = tmp_path / FORMATS[kind].file
    FORMATS[kind].write(function, path, {"title": model})
    generate = FORMATS[kind].read(path)
    for count in (1, 7):
        inputs = function.sample_inputs(count, seed=count)
        generated, expected = generate(inputs), function(**inputs)
        assert generated.shape == (count, *gan.data.shape)
        assert (generated - expected).abs().max() < TOLERANCE
    assert (generate(function.sample_inputs(7, seed=8)) - generated).abs().max() > 1e-3


@pytest.mark.parametrize("model", factories.ALL_GANS)
def test_weights_rebuild_the_gan(model: str, tmp_path: Path) -> None:
    from gan_lightning.export.formats import rebuild_metadata

    gan, config = perturbed_gan(model)
    spec = gan.data
    function = GeneratorFunction(gan)
    path = tmp_path / "generator.safetensors"
    FORMATS["safetensors"].write(function, path, rebuild_metadata(config, spec))
    inputs = function.sample_inputs(4, seed=0)
    assert torch.equal(load_generator(path)(**inputs), function(**inputs))


@pytest.fixture(scope="module")
def exported(
    infogan_run: TinyRun, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, str]]:
    """Export a tiny run in every format by the command; directories and standard output."""
    exports = {}
    for kind in FORMATS:
        folder = tmp_path_factory.mktemp("exports") / kind
        options = ["--format", kind, "--output", str(folder)]
        outcome = run_cli("export", str(infogan_run.folder), *options)
        assert outcome.code == 0, outcome.err
        exports[kind] = (folder, outcome.out)
    return exports


def read_card(folder: Path) -> tuple[dict[str, object], str]:
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header), text


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_command_prints_parity(kind: str, exported: dict[str, tuple[Path, str]]) -> None:
    folder, output = exported[kind]
    differences = [float(value) for value in re.findall(r"difference (\S+)\n", output)]
    assert len(differences) == 2
    assert max(differences) <= TOLERANCE
    files = ["README.md", "samples.png", FORMATS[kind].file]
    saved = {*SAVED_MODEL} - {"intervals.json"} if kind == "safetensors" else ()  # of --evaluate
    assert sorted(path.name for path in folder.iterdir()) == sorted([*files, *saved])


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_code_of_the_card_runs(
    kind: str, exported: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    """The code of standalone formats must run without gan_lightning."""
    folder, _ = exported[kind]
    code = read_card(folder)[1].split("```python\n")[1].split("```")[0]
    standalone = "gan_lightning" not in code
    assert standalone == (kind != "safetensors")
    check = (
        f"import sys\nif {standalone}: sys.modules['gan_lightning'] = None\n{code}\n"
        "assert data.shape == (16, 1, 28, 28), data.shape\n"
        "assert str(data.dtype).endswith('float32'), data.dtype\n"
        "assert 0 <= data.min() and data.max() <= 1\n"
        f"if {kind == 'onnx'}: assert 'torch' not in sys.modules\n"
    )
    script = tmp_path / "user.py"
    script.write_text(check)
    if kind != "onnx":  # in a process that has imported torch already
        forked = ForkedProcess.start(runpy.run_path, str(script), cwd=folder)
        assert forked.wait() == 0, forked.err
        return
    process = subprocess.run(
        [sys.executable, str(script)], cwd=folder, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr


def test_card_states_data_metrics_and_licence(
    exported: dict[str, tuple[Path, str]], infogan_run: TinyRun
) -> None:
    header, text = read_card(exported["torch"][0])
    assert header["license"] == "cc-by-sa-3.0"
    assert header["datasets"] == ["ylecun/mnist"]
    (index,) = header["model-index"]  # type: ignore[misc]
    measured = {part["name"]: part["value"] for part in index["results"][0]["metrics"]}  # type: ignore[index]
    from run_files import final_measures

    assert measured == pytest.approx(final_measures(infogan_run.folder))
    assert "https://creativecommons.org/licenses/by-sa/3.0/" in text
    assert f"| `fd_digits` | {measured['fd_digits']:.4g} |" in text
    assert "`code/accuracy >= 0.95`" in text
    assert "no verdict, another experiment: trainer.max_updates is 4, not 1500" in text
    assert "after 4 generator updates" in text
    assert "![generated samples](samples.png)" in text
    assert "int64, column 0 in [0, 10)" in text


@pytest.mark.parametrize(
    ("outcome", "evaluation", "expected"),
    [
        (RunOutcome(), None, "Not evaluated; run `gan-lightning evaluate"),
        (RunOutcome(4), RunEvaluation(4, 7, {"m": 2.0}), "update 4 on 7 generated"),
        (RunOutcome(4, 0, {"n": 1}), RunEvaluation(4, 40, {"m": 2.0}), "| `m` | 2 |\n| `n` | 1 |"),
        (RunOutcome(4, 0, {"m": 1}), RunEvaluation(4, 40, {"m": 2.0}), "| `m` | 1 |"),
        (RunOutcome(4, 0, {"m": 1}), RunEvaluation(2, 40, {"m": 2.0}), "| `m` | 1 |"),
        (RunOutcome(9, 0, {"m": 1}), RunEvaluation(4, 40, {"m": 2.0}), "| `m` | 2 |"),
        (RunOutcome(9, 0, {"m": 1}), None, "weights are those of update 4"),
    ],
)
def test_the_card_has_what_was_measured(
    outcome: RunOutcome,
    evaluation: RunEvaluation | None,
    expected: str,
    ring_run: TinyRun,
    tmp_path: Path,
) -> None:
    run = RunDirectory(shutil.copytree(ring_run.folder, tmp_path / "run"))
    (run.path / "evaluation.json").unlink(missing_ok=True)  # another test may have evaluated it
    write_outcome(run.path, outcome)
    if evaluation is not None:
        write_evaluation(run.path, evaluation)
    exported = Exported(  # what tables of metrics do not need is left out
        *(tmp_path, run, run.config(), 4),
        *(None, None, {}, None, "mit", (2,), ""),  # type: ignore[arg-type]
    )
    assert expected in _metrics(exported, measured(exported))


def test_a_second_export_replaces_the_first(ring_run: TinyRun, tmp_path: Path) -> None:
    arguments = ["export", str(ring_run.folder), "--output", str(tmp_path / "out")]
    assert run_cli(*arguments).code == 0
    assert run_cli(*arguments, "--format", "safetensors", "--license", "mit").code == 0
    assert not (tmp_path / "out" / "generator.pt2").exists()
    assert read_card(tmp_path / "out")[0]["license"] == "mit"


@pytest.mark.usefixtures("empty_folder")
def test_invalid_options_of_export(ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(ring_run.folder)
    mistake(["export", "gan_rign"], "no run 'gan_rign'", "train")
    mistake(["export", run, "--format", "onx"], "--format is 'onx'", "valid are onnx")
    mistake(["export", run, "--license", "my own"], "--license is 'my own'", "mit")
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("")
    mistake(["export", run, "--output", "mine"], "mine has other content", "--output DIR")
    Path("file").write_text("")
    mistake(["export", run, "--output", "file/x"], "cannot write file/x", "--output")
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    mistake(["export", run, "--output", "out"], "differs from the model by", "nothing is written")
    monkeypatch.setattr(optional, "find_spec", lambda name: None)
    parts = ("onnx, onnxruntime, onnxscript", install_command("export"))
    mistake(["export", run, "--format", "onnx", "--output", "out"], *parts)
