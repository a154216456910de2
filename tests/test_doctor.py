"""`gan-lightning doctor` finds what is wrong and names the fix."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from bad_inputs import damage
from conftest import run_cli
from factories import make_config

from gan_lightning.assets import loader
from gan_lightning.cli import machine_checks
from gan_lightning.cli.machine_checks import NOTE, OK, RED, Finding, run_checks
from gan_lightning.training.checks import resolve_accelerator, resolve_precision
from gan_lightning.utils.optional import install_command

pytestmark = pytest.mark.usefixtures("empty_folder")


def findings(name: str) -> list[Finding]:
    return list(machine_checks.CHECKS[name](name))


def run_one_check(name: str, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """Run one check as the command does, errors included."""
    monkeypatch.setattr(machine_checks, "CHECKS", {name: machine_checks.CHECKS[name]})
    return list(run_checks())


def test_each_problem_has_a_fix() -> None:
    found = list(run_checks())
    assert {finding.check for finding in found} >= set(machine_checks.CHECKS) - {"stores"}
    assert all(finding.fix for finding in found if finding.state != OK)
    assert not [finding for finding in found if finding.state == RED]
    assert all("\n" not in finding.message + finding.fix for finding in found)


def test_json_and_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {name: machine_checks.CHECKS[name] for name in ("python", "disk", "wandb")}
    monkeypatch.setattr(machine_checks, "CHECKS", checks)
    outcome = run_cli("doctor", "--json")
    assert outcome.code == 0
    assert [line["check"] for line in json.loads(outcome.out)] == ["python", "disk", "wandb"]
    monkeypatch.setattr(machine_checks, "OLDEST_PYTHON", (99, 0))
    outcome = run_cli("doctor")
    assert outcome.code == 1
    assert outcome.out.startswith("red   python")
    assert "-> install Python 3.11" in outcome.out.splitlines()[1]
    assert outcome.out.splitlines()[-2:] == ["1 red: fix these first", "next: gan-lightning doctor"]


@pytest.mark.parametrize("gpus", [0, 2])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_what_auto_chooses(gpus: int, bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, which agrees with what a run does."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": bfloat16})
    accelerator, precision, devices = [finding.message for finding in findings("auto")]
    config = make_config("gan", "trainer.precision=auto")
    assert accelerator.startswith(f"accelerator: auto is {resolve_accelerator(config)}, since ")
    images, points = (resolve_precision(config, is_image) for is_image in (True, False))
    assert f"auto is {points} for points and {images} for images, since " in precision
    assert ("does not compute" in precision) is not bfloat16
    assert devices.startswith(f"devices: {config.trainer.devices}, since ")
    assert ("2 GPUs" in devices) is (gpus == 2)


@pytest.mark.parametrize(
    ("requirements", "message", "fix"),
    [
        (["click>=999"], "click is ", "pip install 'click>=999'"),
        (["nothing-of-this-name>=1"], "not installed", "pip install 'nothing-of-this-name>=1'"),
    ],
)
def test_packages(
    requirements: list[str], message: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        machine_checks.metadata, "requires", lambda name: [*requirements, 'torch>=999; extra=="x"']
    )
    (red,) = [finding for finding in findings("packages") if finding.state == RED]
    assert message in red.message
    assert red.fix == fix


@pytest.mark.parametrize("how", ["truncated", "foreign", "missing"])
def test_damaged_digits(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = damage("t10k-labels-idx1-ubyte", how, tmp_path, monkeypatch)
    (red,) = run_one_check("digits", monkeypatch)
    assert (red.state, str(broken) in red.message) == (RED, True)
    assert "git checkout" in red.fix


@pytest.mark.parametrize("name", loader.CLASSIFIERS)
def test_damaged_classifier(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    content = loader.CLASSIFIERS[name].path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    weights = replace(loader.CLASSIFIERS[name], path=path)
    monkeypatch.setitem(loader.CLASSIFIERS, name, weights)
    red = run_one_check("classifier", monkeypatch)[-1]
    assert (red.state, "differ from the shipped ones" in red.message) == (RED, True)
    assert "reinstall" in red.fix


def test_inception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gan_lightning.evaluation import inception

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert [finding.state for finding in findings("inception")] == [NOTE]
    place = tmp_path / "hub" / "checkpoints" / inception.WEIGHTS
    place.parent.mkdir(parents=True)
    place.write_bytes(b"another file")
    (red,) = findings("inception")
    assert (red.state, inception.SOURCE in red.fix) == (RED, True)


def test_stores() -> None:
    from image_trees import prepared_root

    assert {finding.state for finding in findings("stores")} == {NOTE}
    root = prepared_root("celeba")
    shutil.copytree(root.with_name("celeba-64.store"), "data/celeba-64.store")
    (found,) = [finding for finding in findings("stores") if finding.state == OK]
    assert "24 images in data/celeba-64.store" in found.message
    Path("data/celeba-64.store/manifest.json").write_text("{")
    with pytest.MonkeyPatch.context() as patch:
        assert run_one_check("stores", patch)[0].state == RED


def test_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = findings("wandb")
    assert (found.state, "wandb login" in found.fix) == (NOTE, True)
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert findings("wandb") == [Finding("wandb", OK, "logs to https://wandb.example.org")]
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert "WANDB_MODE is disabled" in findings("wandb")[0].message


def test_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "MIN_FREE_BYTES", 1 << 60)
    (red,) = findings("disk")
    assert (red.state, "free space" in red.fix) == (RED, True)

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine_checks.tempfile, "TemporaryFile", refuse)
    (red,) = findings("disk")
    assert (red.state, "--output DIR" in red.fix) == (RED, True)


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        machine_checks, "missing_modules", lambda extra: ["gradio"] * (extra == "play")
    )
    (note,) = [finding for finding in findings("extras") if finding.state == NOTE]
    assert note.fix.endswith(install_command("play"))


@pytest.mark.parametrize("error", ["ImportError('no module')", "OSError('libtorch.so is cut')"])
def test_without_torch(error: str, tmp_path: Path) -> None:
    """Torch is missing, or its libraries are damaged: the other checks run nevertheless."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"raise {error}")
    code = "from gan_lightning.cli.main import main; main(['doctor', '--json'])"
    package = str(Path(machine_checks.__file__).parents[2])
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {package!r}]\n{code}",
        ],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 1, process.stderr
    found = {line["check"]: line for line in json.loads(process.stdout)}
    assert found["torch"]["state"] == RED
    assert "--force-reinstall torch" in found["torch"]["fix"]
    assert found["digits"]["state"] == OK
    assert found["classifier"]["state"] == OK
    assert found["disk"]["state"] == OK
