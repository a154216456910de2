"""A GAN in a Lightning script: any DataLoader, and what a Trainer offers its users."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT
from factories import copy_weights, make_config, quiet_trainer, weights_equal
from process_pool import start_two_ranks, wait_for_success
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from gan_lightning.errors import UserError
from gan_lightning.gans import EBGAN, GAN, WGANGP, ConditionalGAN, Pix2Pix, StandardGAN
from gan_lightning.gans.monitoring import Monitor
from gan_lightning.networks import MLP, MLPConfig
from gan_lightning.training.build import build
from gan_lightning.types import Batch, DataSpec

pytestmark = pytest.mark.filterwarnings("ignore:.*num_workers", "ignore:.*logging interval")

SHAPE = (1, 8, 8)
SMALL = {"name": "mlp", "generator_hidden": [8], "discriminator_hidden": [8], "dropout": 0.2}
LABELLED = {"shape": SHAPE, "classes": 3}


def make_gan(steps: int = 2, kind: type[GAN] = WGANGP, **options: Any) -> GAN:
    """Build a small GAN as a user does, which measures and shows nothing unless asked."""
    config = {"latent_size": 4, "discriminator_steps": steps, **options.pop("config", {})}
    gan = kind(config, **{"networks": SMALL, "data": SHAPE, **options})
    gan.monitor = Monitor(samples=0, images=0)
    return gan


def random_images(count: int = 48, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """Draw images in [-1, 1]."""
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def loader(images: Any = None, batch_size: int = 16, **options: Any) -> DataLoader[Any]:
    """Load minibatches of 16, three an epoch."""
    return DataLoader(random_images() if images is None else images, batch_size, **options)


def fit(gan: GAN, batches: Any, **trainer: Any) -> GAN:
    """Train a GAN quietly."""
    path = trainer.pop("ckpt_path", None)
    quiet_trainer(**trainer).fit(gan, batches, ckpt_path=path)
    return gan


# the script


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Trainer, GAN, Path]]:
    """Run `examples/plain_trainer.py` on few images, and return its Trainer, GAN and checkpoint."""
    folder = tmp_path_factory.mktemp("script")
    fitted: list[Trainer] = []

    class Recorded(Trainer):
        """Keeps itself."""

        def fit(self, *args: Any, **options: Any) -> None:
            fitted.append(self)
            super().fit(*args, **options)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
        patch.syspath_prepend(CHECKOUT / "examples")
        import plain_trainer

        patch.setattr(plain_trainer, "Trainer", Recorded)
        warnings.simplefilter("always")
        images = as_uint8(random_images(96, (1, 28, 28))).movedim(1, -1)
        checkpoint = plain_trainer.train(images, folder, batch_size=16)
    assert not [warning for warning in caught if "validation_step" in str(warning.message)]
    (trainer,) = fitted
    yield trainer, trainer.lightning_module, checkpoint
    del sys.modules["plain_trainer"]


LOSSES = {
    "loss/discriminator/adversarial",
    "loss/discriminator/gradient_penalty",
    "loss/generator/adversarial",
}
MEASURES = {
    "fd_digits",
    "fd/random",
    "sliced_wasserstein",
    "samples/duplicates",
    "divergence/wasserstein",
}


def test_callback_metrics_hold_losses_and_measures(script: tuple[Trainer, GAN, Path]) -> None:
    trainer, gan, _ = script
    assert trainer.callback_metrics.keys() >= LOSSES | MEASURES
    assert all(value.isfinite() for value in trainer.callback_metrics.values())
    assert gan.updates == trainer.global_step == 9  # a round is two of the 18 minibatches
    assert gan.images_seen == 3 * 96


def test_a_tensorboard_file_holds_losses_measures_and_images(
    script: tuple[Trainer, GAN, Path],
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, _, checkpoint = script
    events = EventAccumulator(str(checkpoint.parent / "lightning_logs" / "version_0"))
    events.Reload()
    assert set(events.Tags()["scalars"]) >= LOSSES | MEASURES
    for name in ("fd_digits", "loss/generator/adversarial"):
        assert [event.step for event in events.Scalars(name)] == [3, 6, 9]
    assert [event.step for event in events.Images("samples")] == [3, 6, 9]


def test_a_checkpoint_is_loaded_without_code_or_config(script: tuple[Trainer, GAN, Path]) -> None:
    _, gan, path = script
    content = torch.load(path, weights_only=True)
    loaded = WGANGP.load_from_checkpoint(path, weights_only=True)
    assert weights_equal(copy_weights(loaded), content["state_dict"])
    assert loaded.updates == content["global_step"]
    assert loaded.config == gan.config
    assert loaded.data == gan.data
    assert loaded.hparams == gan.hparams
    assert loaded.hparams["networks"]["name"] == "mlp"


def test_measures_come_from_all_images_of_an_epoch() -> None:
    gan = make_gan(1, data=(1, 28, 28))
    gan.monitor = Monitor(samples=20, images=0)
    fit(gan, loader(random_images(48, (1, 28, 28))))
    assert gan.monitor == Monitor(samples=20, images=0)  # nothing is kept


# lengths


@pytest.mark.parametrize("steps", [1, 3])
def test_max_steps_counts_generator_updates(steps: int) -> None:
    trainer = quiet_trainer(max_steps=4, max_epochs=-1)
    gan = make_gan(steps)
    trainer.fit(gan, loader())
    assert gan.updates == trainer.global_step == 4
    assert trainer.fit_loop.total_batch_idx + 1 == 4 * steps
    assert gan.images_seen == 4 * steps * 16


def test_max_steps_alone_ends_a_training_that_lightning_saves(tmp_path: Path) -> None:
    model, data = build(make_config("wgan"))
    settings = {"enable_checkpointing": True, "default_root_dir": tmp_path, "max_epochs": None}
    trainer = quiet_trainer(max_steps=3, **settings)
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == model.updates == 3
    (saved,) = tmp_path.rglob("*.ckpt")
    assert saved.stem.endswith("step=3")


@pytest.mark.parametrize("steps", [1, 2])
def test_steps_are_counted_once_on_lightnings_path(steps: int) -> None:
    counted: list[int] = []

    class Watch(Callback):
        """Has a hook around steps, so that they pass through Lightning."""

        def on_before_optimizer_step(self, *_: Any) -> None:
            """Do nothing."""

        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            counted.append(trainer.global_step)

    gan = fit(make_gan(steps), loader(), max_epochs=2, callbacks=[Watch()])
    assert counted == [batch // steps for batch in range(1, 7)]
    assert weights_equal(
        copy_weights(gan), copy_weights(fit(make_gan(steps), loader(), max_epochs=2))
    )


def test_checkpoints_every_n_train_steps(tmp_path: Path) -> None:
    saver = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=2)
    fit(make_gan(), loader(), max_epochs=4, callbacks=[saver], enable_checkpointing=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step={step}.ckpt" for step in (2, 4, 6)
    ]


def test_limit_train_batches_shortens_epochs() -> None:
    gan = fit(make_gan(1), loader(), max_epochs=2, limit_train_batches=2)
    assert gan.updates == 4


@pytest.mark.parametrize("batches", [True, 2])
def test_fast_dev_run_steps_both_players(batches: int) -> None:
    gan = make_gan(5, StandardGAN)  # a constant that is added to a critic has no gradient
    before = copy_weights(gan)
    fit(gan, loader(), fast_dev_run=batches)
    assert gan.updates == 1
    assert not any(torch.equal(value, before[name]) for name, value in copy_weights(gan).items())


def test_a_new_trainer_counts_its_own_steps() -> None:
    gan = fit(make_gan(1), loader())
    trainer = quiet_trainer(max_steps=2, max_epochs=-1)
    trainer.fit(gan, loader())
    assert (gan.updates, trainer.global_step) == (5, 2)


def test_a_run_of_rounds_counts_its_updates_and_holds_its_losses() -> None:
    model, data = build(make_config("wgan", "log.every_n_updates=4"))
    trainer = quiet_trainer()
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == model.updates == 6
    held = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert held == pytest.approx(model.losses)


def test_training_in_a_thread_and_twice() -> None:
    gans = [make_gan() for _ in range(2)]
    thread = threading.Thread(target=fit, args=(gans[0], loader()))
    thread.start()
    thread.join()
    fit(gans[1], loader())
    assert gans[0].updates == 1
    assert weights_equal(*map(copy_weights, gans))


# random numbers


def test_one_step_a_round_is_the_round_loaders() -> None:
    config = make_config(
        "wgan_gp", "model.discriminator_steps=1", "network.dropout=0.5", "trainer.max_updates=5"
    )
    rounds, data = build(config)
    quiet_trainer().fit(rounds, datamodule=data)
    plain, data = build(config)
    assert isinstance(plain, GAN)
    minibatches = [batch.data[0, 0] for batch in data.train_dataloader()]
    fit(plain, DataLoader(minibatches, batch_size=None))
    assert plain.updates == rounds.updates == 5
    assert weights_equal(copy_weights(plain), copy_weights(rounds))


def test_construction_in_a_script_gives_the_weights_of_a_run() -> None:
    config = make_config("gan", "seed=3", "model.ema_decay=0.9")
    run, _ = build(config)
    torch.manual_seed(7)
    network = {"name": "mlp", "generator_hidden": [16], "discriminator_hidden": [16]}
    model = {"latent_size": 4, "ema_decay": 0.9}
    plain = StandardGAN(model, network, DataSpec((2,), 8), seed=3)
    assert weights_equal(copy_weights(run), copy_weights(plain))
    again = StandardGAN(**plain.hparams)
    assert again.hparams == plain.hparams
    assert not weights_equal(copy_weights(StandardGAN(model, network)), copy_weights(plain))


class Resumable:
    """A loader that continues where a checkpoint was saved, in an order of its own."""

    def __init__(self) -> None:
        self.position = 0

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Tensor]:
        self.position %= 3
        while self.position < 3:
            self.position += 1
            yield random_images()[16 * (self.position - 1) : 16 * self.position]

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.position = state["position"]


class SaveAfter(Callback):
    """Save a checkpoint after a batch of the training."""

    def __init__(self, batch: int, path: Path) -> None:
        self.batch, self.path = batch, path

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == self.batch:
            trainer.save_checkpoint(self.path)


NOISY = {"regularisation": {"gradient_penalty": 1.0, "instance_noise": 0.1}, "ema_decay": 0.5}


def assert_same_training(first: GAN, second: GAN) -> None:
    assert (first.updates, first.images_seen) == (second.updates, second.images_seen)
    assert first.minibatches == second.minibatches
    assert weights_equal(copy_weights(first), copy_weights(second))


PAIRS = {**NOISY, "objective": "relativistic"}


@pytest.mark.parametrize("batch", [1, 2, 4, 5])
@pytest.mark.parametrize(
    ("kind", "config", "steps"),
    [(WGANGP, NOISY, 3), (StandardGAN, PAIRS, 2)],
    ids=["wgan", "pairs"],
)
def test_resume_is_exact_in_the_middle_of_a_round(
    kind: type[GAN], config: dict[str, Any], steps: int, batch: int, tmp_path: Path
) -> None:
    path = tmp_path / "middle.ckpt"
    whole, resumed = (make_gan(steps, kind, config=config) for _ in range(2))
    fit(whole, Resumable(), max_epochs=3, callbacks=[SaveAfter(batch, path)])
    fit(resumed, Resumable(), max_epochs=3, ckpt_path=path)
    assert whole.updates == 3
    assert whole.losses == resumed.losses
    assert_same_training(whole, resumed)


def test_resume_after_an_epoch_repeats_the_order_of_a_shuffling_loader(tmp_path: Path) -> None:
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, auto_insert_metric_name=False)
    whole = make_gan(2, config=NOISY)
    fit(whole, loader(shuffle=True), max_epochs=3, callbacks=[saver], enable_checkpointing=True)
    torch.manual_seed(5)
    resumed = make_gan(2, config=NOISY)
    trainer = quiet_trainer(max_epochs=3)
    trainer.fit(resumed, loader(shuffle=True), ckpt_path=tmp_path / "0.ckpt")
    assert trainer.global_step == whole.updates == 4
    assert_same_training(whole, resumed)


# what loaders yield


def as_uint8(images: Tensor) -> Tensor:
    return images.add(1).mul(127.5).round().to(torch.uint8)


def minibatches(form: Callable[[Tensor], Any]) -> DataLoader[Any]:
    """Load minibatches of pixels of 256 levels in some form."""
    images = as_uint8(random_images()).float().div_(127.5).sub_(1)
    return DataLoader([form(part) for part in images.split(16)], batch_size=None)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: (x, torch.zeros(16)),
        lambda x: [x],
        lambda x: {"pixel_values": x, "labels": torch.zeros(16)},
        lambda x: {"img": as_uint8(x), "idx": 0},
        lambda x: Batch(x),
        lambda x: x.double(),
        as_uint8,
        lambda x: as_uint8(x).movedim(1, -1),
    ],
)
def test_all_forms_of_a_minibatch_train_alike(form: Callable[[Tensor], Any]) -> None:
    expected = copy_weights(fit(make_gan(), minibatches(lambda x: x)))
    assert weights_equal(copy_weights(fit(make_gan(), minibatches(form))), expected)


def test_a_conditional_gan_takes_the_labels() -> None:
    labels = torch.arange(48) % 3
    dataset = TensorDataset(random_images(), labels)
    expected = copy_weights(
        fit(make_gan(1, ConditionalGAN, data=LABELLED), DataLoader(dataset, 16))
    )
    other = TensorDataset(random_images(), labels.flip(0).to(torch.int32))
    gan = fit(make_gan(1, ConditionalGAN, data=LABELLED), DataLoader(other, 16))
    assert not weights_equal(copy_weights(gan), expected)


WRONG_BATCHES: list[tuple[Any, str, dict[str, Any]]] = [
    (random_images(16, (3, 8, 8)), r"\(3, 8, 8\).*\(1, 8, 8\)", {}),
    (torch.zeros(16, *SHAPE, dtype=torch.int64), "torch.int64.*uint8", {}),
    ({"x": random_images(16)}, "'x'.*pixel_values", {}),
    ("image", "yields str", {}),
    (random_images(16), "must yield \\(samples, labels\\)", {"kind": ConditionalGAN}),
    ((random_images(16), torch.arange(16)), r"0\.\.15.*0\.\.2", {"kind": ConditionalGAN}),
    ((random_images(16), torch.zeros(16)), "whole numbers", {"kind": ConditionalGAN}),
    (random_images(1), "packs", {"networks": {**SMALL, "packing": 2}}),
    (random_images(1), "batch normalisation", {"networks": {**SMALL, "batch_norm": True}}),
    (
        random_images(1),
        "pulling",
        {"kind": EBGAN, "config": {"pulling_away_weight": 0.1}},
    ),
]


@pytest.mark.parametrize(("batch", "message", "options"), WRONG_BATCHES)
def test_a_wrong_minibatch_is_an_error_of_one_line(
    batch: Any, message: str, options: dict[str, Any]
) -> None:
    if options.get("kind") is ConditionalGAN:
        options = {**options, "data": LABELLED}
    gan = make_gan(1, **options)
    with pytest.raises(UserError, match=message) as error:
        fit(gan, DataLoader([batch], batch_size=None))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        ({}, 48 + 1),
        ({"batch_norm": True}, 48),
        ({"packing": 4}, 48),
        ({"packing": 4, "batch_norm": True}, 48),
    ],
)
def test_a_small_last_minibatch_is_used_or_left_out(network: dict[str, Any], count: int) -> None:
    gan = fit(make_gan(1, networks={**SMALL, **network}), loader(random_images(49)))
    assert gan.images_seen == count


@pytest.mark.parametrize(("images", "warns"), [(0.5, True), (255.0, True), (1.0, False)])
def test_a_wrong_range_is_one_warning(
    images: float, warns: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    data = random_images() * images + (0.5 if images == 0.5 else 0)
    fit(make_gan(), loader(data), max_epochs=2)
    assert capsys.readouterr().err.count("tanh") == warns


# construction


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": {"latent_sise": 2}}, "latent_sise.*latent_size"),
        ({"config": {"latent_size": "many"}}, "config.latent_size"),
        ({"config": {"generator_optimizer": {"rate": 1}}}, "learning_rate"),
        ({"config": 3}, "must be None, a mapping"),
        ({"networks": "dcgann"}, "dcgann.*dcgan, "),
        ({"networks": {"name": "mlp", "width": 2}}, "width.*networks"),
        ({"data": 28}, "28"),
        ({"data": (28, 28)}, r"\(28, 28\).*\(C, H, W\)"),
        ({"data": {"shape": (2,), "labels": 3}}, "labels.*classes"),
    ],
)
def test_wrong_arguments_are_errors_of_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        WGANGP(**arguments)
    assert "\n" not in str(error.value)


class OwnNetworks(MLP):
    """A family of a user."""


def test_own_networks_are_found_again_by_their_import_path(tmp_path: Path) -> None:
    gan = make_gan(networks=OwnNetworks(MLPConfig(generator_hidden=[8], discriminator_hidden=[8])))
    assert gan.hparams["networks"]["name"] == "test_plain_lightning:OwnNetworks"
    trainer = quiet_trainer()
    trainer.fit(gan, loader())
    trainer.save_checkpoint(tmp_path / "own.ckpt")
    loaded = WGANGP.load_from_checkpoint(tmp_path / "own.ckpt", weights_only=True)
    assert weights_equal(copy_weights(loaded), copy_weights(gan))


def test_forward_is_the_generator() -> None:
    gan = make_gan()
    noise = torch.randn(3, 4)
    assert torch.equal(gan(noise), gan.generator(noise))
    assert gan(noise).requires_grad
    conditional = make_gan(kind=ConditionalGAN, data=LABELLED)
    labels = torch.tensor([0, 1, 2])
    assert torch.equal(conditional(noise, labels), conditional(noise, labels))
    assert conditional(noise).shape == (3, *SHAPE)


# evaluation


def test_validation_and_test_data_are_what_samples_are_measured_against() -> None:
    gan = make_gan(1, StandardGAN)
    gan.monitor = Monitor(samples=30, images=0)
    stopped = EarlyStopping("samples/duplicates", patience=1, stopping_threshold=-1.0)
    trainer = quiet_trainer(max_epochs=2, callbacks=[stopped])
    trainer.fit(gan, loader(), loader())
    assert {"samples/duplicates", "divergence/jensen_shannon"} <= trainer.callback_metrics.keys()
    fitted = trainer.callback_metrics["samples/duplicates"]
    (validated,) = trainer.validate(gan, loader(), verbose=False)
    assert validated["samples/duplicates"] == fitted
    (tested,) = trainer.test(gan, loader(), verbose=False)
    assert tested.keys() == {f"test/{name}" for name in validated}
    assert tested["test/divergence/jensen_shannon"] == validated["divergence/jensen_shannon"]


def test_points_are_measured_by_their_transport() -> None:
    gan = make_gan(1, data=(2,))
    gan.monitor = Monitor(samples=32)
    points = torch.randn(48, 2, generator=torch.Generator().manual_seed(0))
    trainer = quiet_trainer()
    trainer.fit(gan, loader(points))
    assert trainer.callback_metrics["wasserstein/exact"] > 0


def test_measuring_changes_nothing() -> None:
    silent, measured = make_gan(), make_gan()
    measured.monitor = Monitor(samples=20)
    for gan in (silent, measured):
        torch.manual_seed(0)
        fit(gan, loader(shuffle=True), max_epochs=2)
    assert weights_equal(copy_weights(silent), copy_weights(measured))


def test_nothing_is_measured_where_the_user_says_so() -> None:
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(make_gan(), loader())
    assert trainer.callback_metrics.keys() == LOSSES


# strategies and translation


def test_plain_ddp_names_the_strategy_to_take() -> None:
    with pytest.raises(UserError, match='strategy="alternating_ddp"'):
        fit(make_gan(), loader(), strategy="ddp")
    torch.distributed.destroy_process_group()


def train_part(folder: Path, processes: int) -> None:
    """Train on this process's part of each minibatch, and write what it has in the end."""
    rank = int(os.environ.get("RANK", "0"))
    gan = make_gan(1, StandardGAN, networks={**SMALL, "dropout": 0.0})
    gan.monitor = Monitor(samples=20, images=0)
    size = 16 // processes
    parts = [images[rank * size :][:size] for images in random_images().split(16)]
    strategy = "alternating_ddp" if processes > 1 else "auto"
    trainer = quiet_trainer(devices=processes, strategy=strategy, use_distributed_sampler=False)
    trainer.fit(gan, DataLoader(parts, batch_size=None))
    metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
    content = (copy_weights(gan), metrics, trainer.global_step, gan.images_seen)
    torch.save(content, folder / f"{processes}_{rank}.pt")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")
def test_two_processes_play_the_game_of_one(tmp_path: Path) -> None:
    processes = start_two_ranks(train_part, tmp_path, 2)
    train_part(tmp_path, 1)
    wait_for_success(processes)
    first, second, alone = (torch.load(tmp_path / f"{name}.pt") for name in ("2_0", "2_1", "1_0"))
    assert weights_equal(first[0], second[0])
    assert first[1:] == second[1:]
    assert first[2:] == alone[2:] == (3, 48)
    torch.testing.assert_close(first[0], alone[0], rtol=1e-4, atol=1e-6)
    losses = [name for name in alone[1] if name.startswith("loss/")]
    assert losses
    assert {name: first[1][name] for name in losses} == pytest.approx(
        {name: alone[1][name] for name in losses}, rel=1e-4
    )


def test_a_translator_takes_sources_by_name() -> None:
    spec = DataSpec((1, 32, 32), source_shape=(1, 32, 32))
    networks = {"name": "pix2pix", "width": 2, "patch": 16}
    gan = make_gan(1, Pix2Pix, networks=networks, data=spec)
    gan.monitor = Monitor(samples=8, images=0)
    images = random_images(8, (1, 32, 32))
    pairs = DataLoader([{"image": images, "source": as_uint8(images)}], batch_size=None)
    trainer = quiet_trainer()
    trainer.fit(gan, pairs)
    assert gan.updates == 1
    assert gan(images).shape == images.shape
    with pytest.raises(UserError, match="translates sources"):
        fit(gan, DataLoader([images], batch_size=None))
