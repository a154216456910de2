"""Fine-tuning: a run that starts from the weights of another one, with frozen layers (FreezeD)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import run_cli
from factories import copy_weights, make_config, make_gan, train_model, weights_equal
from test_resume import small, train_new
from torch import nn

from gan_lightning.callbacks import list_checkpoints
from gan_lightning.config.load import load_config
from gan_lightning.errors import UserError
from gan_lightning.gans import GAN
from gan_lightning.gans.parameters import freeze_first_layers
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.training.restore import read_checkpoint
from gan_lightning.training.start_from import load_start_weights
from gan_lightning.training.train import train


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 12 updates with a running average."""
    folder = tmp_path_factory.mktemp("source") / "run"
    train_new(small("gan", 12), folder)
    return folder


def started(source: Path | str, *words: str, model: str = "gan") -> tuple[GAN, str | None]:
    """Build a GAN that starts from a run; return it with the file that was read."""
    config = make_config(model, "model.ema_decay=0.9", f"trainer.start_from={source}", *words)
    gan, _ = build(config)
    assert isinstance(gan, GAN)
    return gan, load_start_weights(config, gan).trainer.start_from


def state_of(run: Path) -> dict[str, torch.Tensor]:
    content = read_checkpoint(list_checkpoints(run / "checkpoints")[-1]).content
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


def test_it_has_the_weights_of_both_players_and_their_average(source: Path) -> None:
    gan, file = started(source, "seed=5")
    expected = state_of(source)
    assert expected.keys() == gan.state_dict().keys()
    assert all(torch.equal(value, expected[name]) for name, value in gan.state_dict().items())
    assert (gan.updates, gan.images_seen) == (0, 0)
    assert file == str(source / "checkpoints" / "update_0000012.ckpt")


def test_another_variant_and_other_regularisers_may_start_from_it(source: Path) -> None:
    words = ("model.regularisation.lecam.weight=0.3", "model.ema_decay=null")
    gan, _ = started(source, *words, model="wgan_gp")
    expected = state_of(source)
    for name, value in gan.state_dict().items():
        assert name.startswith("lecam.") or torch.equal(value, expected[name])
    assert gan.lecam is not None
    assert not gan.lecam.averages.any()


def test_a_safetensors_file_holds_the_generator_alone(source: Path) -> None:
    gan, _ = started(source / "generator.safetensors")
    expected, initial = state_of(source), make_gan("gan").state_dict()
    for name, value in gan.state_dict().items():
        if name.startswith("generator."):  # the file has the running average
            assert torch.equal(value, expected[name.replace("generator.", "ema.module.", 1)])
        if name.startswith("discriminator."):
            assert torch.equal(value, initial[name])
    with pytest.raises(UserError, match="has no discriminator; start from a run directory"):
        started(source / "generator.safetensors", "model.freeze_discriminator_layers=1")


def test_a_running_average_continues(source: Path) -> None:
    """After one more update it is the mean by the decay of update 13, not a copy."""
    config = make_config(
        "gan",
        "model.ema_decay=0.9",
        f"trainer.start_from={source}",
        "trainer.max_updates=1",
        "log.wandb=disabled",
    )
    result = train_new(config, source.parent / "once more")
    before, after = state_of(source), state_of(result.run_directory.path)
    decay = min(0.9, (1 + 12) / (10 + 12))
    for name in [name for name in before if name.startswith("ema.module.")]:
        weight = after[name.replace("ema.module.", "generator.", 1)]
        expected = decay * before[name] + (1 - decay) * weight
        torch.testing.assert_close(after[name], expected)
    assert int(after["ema.n_averaged"]) == 13


def test_a_resumed_fine_tuning_is_exact(source: Path, tmp_path: Path) -> None:
    words = (f"trainer.start_from={source}", "model.freeze_discriminator_layers=1")
    train_new(small("gan", 5, *words), tmp_path / "whole")
    run = train_new(small("gan", 2, *words), tmp_path / "part").run_directory
    config = run.config(["trainer.max_updates=5"])
    train(config, "test", resume=run)
    assert weights_equal(state_of(tmp_path / "whole"), state_of(run.path))
    assert config.trainer.start_from == str(source / "checkpoints" / "update_0000012.ckpt")


def test_the_source_is_not_needed_to_resume(source: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.ckpt"
    moved.write_bytes((source / "checkpoints" / "update_0000012.ckpt").read_bytes())
    result = train_new(small("gan", 2, f"trainer.start_from={moved}"), tmp_path / "run")
    moved.unlink()
    run = result.run_directory
    assert (
        run_cli("train", "gan_ring", "--resume", str(run.path), "trainer.max_updates=3").code == 0
    )
    assert run.config().trainer.start_from == str(moved)


def test_the_command_starts_from_a_run(source: Path, tmp_path: Path) -> None:
    words = ["--output", str(tmp_path / "run"), "trainer.max_updates=2", "log.wandb=disabled"]
    own = RunDirectory(source).config()
    words += [
        f"network.generator_hidden={own.network.generator_hidden}",
        f"network.discriminator_hidden={own.network.discriminator_hidden}",
        "model.latent_size=4",
        "model.ema_decay=0.9",
        "evaluation.samples=20",
    ]
    outcome = run_cli("train", "gan_ring", "--start-from", str(source), *words)
    assert outcome.code == 0, outcome.err
    assert "update_0000012.ckpt" in (tmp_path / "run" / "config.yaml").read_text()
    refused = run_cli("train", "gan_ring", "--start-from", str(source), "--resume", str(source))
    assert refused.code == 2
    assert "--start-from begins a new run" in refused.err


def test_what_cannot_be_started_from_is_one_line(source: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.ckpt"
    wrong.write_bytes(b"no checkpoint")
    (tmp_path / "wrong.safetensors").write_bytes(b"no tensors")
    (tmp_path / "empty").mkdir()
    for start, reason in (
        (tmp_path / "empty", "there is no run"),
        (tmp_path / "missing.ckpt", "which is no file"),
        (wrong, "which is damaged: BadZipFile"),
        (tmp_path / "wrong.safetensors", "which cannot be read"),
    ):
        folder = tmp_path / "new"
        words = ("--start-from", str(start), "--output", str(folder), "log.wandb=disabled")
        outcome = run_cli("train", "gan_ring", *words)
        (line,) = outcome.err.splitlines()
        assert outcome.code == 2
        assert "trainer.start_from is" in line
        assert reason in line
        assert not folder.exists()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("network.discriminator_hidden=[24]", r"weight has the shape \(16, 2\), not \(24, 2\)"),
        ("model.latent_size=6", r"weight has the shape \(16, 4\), not \(16, 6\)"),
        ("network.generator_hidden=[16, 16]", r"weight has the shape \(2, 16\), not \(16, 16\)"),
        ("network.spectral_norm=true", r"they have no discriminator\.\S+ which has the shape"),
    ],
)
def test_other_networks_are_refused_with_the_first_difference(
    source: Path, change: str, difference: str
) -> None:
    with pytest.raises(UserError, match=difference) as caught:
        started(source, change)
    assert "\n" not in str(caught.value)


def test_a_classifier_does_not_start_from_a_run(source: Path) -> None:
    sections = {"model": {"name": "digit_classifier"}, "data": {"name": "mnist", "batch_size": 8}}
    config = load_config(sections, [f"trainer.start_from={source}"])
    model, _ = build(config)
    with pytest.raises(UserError, match="which is no GAN; leave it out"):
        load_start_weights(config, model)


@pytest.mark.parametrize("model", ["gan", "unrolled", "ebgan", "wgan"])
def test_frozen_layers_keep_their_bits_and_others_move(model: str) -> None:
    words = ["network.discriminator_hidden=[16, 16]", "model.freeze_discriminator_layers=1"]
    config = make_config(model, *words)
    before = copy_weights(build(config)[0])
    gan = train_model(config)
    assert isinstance(gan, GAN)
    weights = [name for name, part in gan.named_parameters() if part.ndim > 1]
    names = [name for name in weights if not name.startswith("generator.")]
    moved = [not torch.equal(before[name], gan.state_dict()[name]) for name in names]
    assert moved == [False, *[True] * (len(names) - 1)]
    assert all(part.requires_grad for part in gan.generator.parameters())


def layers() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 3, 3), nn.GroupNorm(1, 3),
        nn.Flatten(), nn.Linear(12, 1),
    )  # fmt: skip


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [0, 1]), (2, [0, 1, 3, 4])])
def test_a_norm_is_frozen_with_the_layer_before_it(count: int, expected: list[int]) -> None:
    network = layers()
    freeze_first_layers({"discriminator": network}, count)
    frozen = {
        int(name.split(".")[0])
        for name, part in network.named_parameters()
        if not part.requires_grad
    }
    assert sorted(frozen) == expected


def test_spectral_norm_is_frozen_with_its_layer() -> None:
    gan = make_gan("gan", "network.spectral_norm=true", "model.freeze_discriminator_layers=1")
    frozen = [name for name, part in gan.named_parameters() if not part.requires_grad]
    assert len(frozen) == 2
    assert any(name.endswith("parametrizations.weight.original") for name in frozen)


def test_one_layer_at_least_is_trained() -> None:
    with pytest.raises(ValueError, match=r"is 3, and the discriminator has 3 layers .* at most 2"):
        freeze_first_layers({"discriminator": layers()}, 3)
    with pytest.raises(UserError, match="model: freeze_discriminator_layers is 9"):
        make_gan("gan", "model.freeze_discriminator_layers=9")
