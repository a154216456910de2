"""Training in two processes: equal to one process, with no more messages than needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from conftest import Once
from factories import ALL_GANS, copy_weights, make_config, quiet_trainer
from process_pool import start_two_ranks, wait_for_success
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from gan_lightning.distributed.collectives import (
    all_gather,
    all_reduce_mean,
    shared_normal,
    shared_uniform,
    synchronized_rng,
)
from gan_lightning.distributed.strategy import AlternatingDDP, batch_norm_statistics
from gan_lightning.gans import GAN
from gan_lightning.gans.update_rules import UPDATE_RULES
from gan_lightning.training.build import build

UPDATES = 8
TWO_EPOCHS = 16
"""Updates of the configs whose data and random numbers are compared over two epochs."""
EVERY = 4
"""Updates between two digests of the complete state."""

DETERMINISTIC: dict[str, tuple[str, ...]] = {
    "pix2pix": ("network.norm=none", "network.dropout=0"),
    "cyclegan": ("network.norm=none", "model.cycle_weight=1"),
}
"""Options without which weights depend on the number of processes: dropout, batch norm."""

SYNCHRONISED = ("network.minibatch_kernels=3", "network.sync_minibatch_discrimination=true")
PLAIN_STEPS = tuple(
    f"model.{player}_optimizer.{setting}"
    for player in ("discriminator", "generator")
    for setting in ("name=sgd", "learning_rate=0.01")
)
"""With Adam, rounding errors would move a weight whose gradient is 0."""

SMALL_STEPS = tuple(
    f"model.{player}_optimizer.learning_rate=1.0e-5" for player in ("discriminator", "generator")
)
"""Larger steps would amplify rounding errors, through the many layers of a pretrained network."""

AROUND_REAL = "model.regularisation.gradient_penalty_points=around_real"

EQUAL: dict[str, tuple[str, tuple[str, ...]]] = {
    **{model: (model, (*DETERMINISTIC.get(model, ()), *PLAIN_STEPS)) for model in ALL_GANS},
    "projected": ("projected", (*PLAIN_STEPS, *SMALL_STEPS)),
    "adam": ("gan", ()),
    "average": (
        "gan",
        ("model.ema_decay=0.9", "model.discriminator_steps=3", "model.generator_steps=2"),
    ),
    "in parts": (
        "wgan_gp",
        (
            "model.accumulate_gradients=2",
            "model.discriminator_steps=2",
            "model.generator_steps=2",
            *(
                f"model.{player}_optimizer.{setting}"
                for player in ("discriminator", "generator")
                for setting in ("learning_rate=0.01", "clip_norm=0.5", "schedule.warmup=5")
            ),
        ),
    ),
    "pulling away in parts": (
        "ebgan",
        ("model.pulling_away_weight=0.5", "model.accumulate_gradients=2"),
    ),
    "frozen layer": (
        "gan",
        (
            "model.freeze_discriminator_layers=1",
            "model.discriminator_optimizer={name: adamw, weight_decay: 0.1}",
        ),
    ),
    "packs": (
        "gan",
        (
            "network.packing=2",
            "model.objective=relativistic",
            "model.regularisation={r1: 0.5, r2: 0.5}",
        ),
    ),
    "around real": ("cgan", ("model.regularisation={gradient_penalty: 1}", AROUND_REAL)),
    "lecam": ("gan", ("model.regularisation.lecam={weight: 0.3, decay: 0.5}",)),
    "lecam in parts": (
        "cgan",
        ("model.regularisation.lecam={weight: 0.3, decay: 0.5}", "model.accumulate_gradients=2"),
    ),
    "balanced": (
        "gan",
        (
            "data.name=mnist",
            "model.regularisation.consistency={real: 10, generated: 10}",
            *PLAIN_STEPS,
        ),
    ),
    "adaptive": (
        "gan",
        (
            "data.name=mnist",
            "model.regularisation.ada={enabled: true, target: -0.5, images: 100, interval: 16}",
            *PLAIN_STEPS,
        ),
    ),
    "finite differences": (
        "gan",
        ("model.regularisation={r1: 0.5, r2: 0.5, r1_r2_gradients: finite_differences}",),
    ),
    "minibatch": ("gan", (*SYNCHRONISED, "model.regularisation.r1=0.5")),
    "pulling away": ("ebgan", ("model.pulling_away_weight=0.5",)),
    "consistency": (
        "infogan",
        ("data.name=mnist", "model.consistency_weight=1", *PLAIN_STEPS),
    ),
    **{
        f"{rule} steps": (
            "gan",
            (*PLAIN_STEPS, f"model.update_rule={{name: {rule}, lookahead_updates: 3}}"),
        )
        for rule in UPDATE_RULES
        if rule != "alternating"
    },
    "symplectic, aligned": (
        "ebgan",
        (
            *PLAIN_STEPS,
            "model.pulling_away_weight=0.5",
            "model.update_rule={name: symplectic, align: true}",
        ),
    ),
    "all at once": (
        "unrolled",
        (
            *SYNCHRONISED,
            "network.spectral_norm=true",
            "model.regularisation.gradient_penalty=1",
            "model.unrolled_steps=1",
            "model.generator_steps=2",
        ),
    ),
}
"""Configs whose weights do not depend on the number of processes."""

LOCAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "noise": ("gan", ("model.regularisation.instance_noise=0.1", "network.dropout=0.2")),
    "minibatch local": ("gan", ("network.minibatch_kernels=3",)),
    "batch norm": ("gan", ("network.batch_norm=true", "model.ema_decay=0.9")),
    "pix2pix": ("pix2pix", ()),
}
"""Configs with local random numbers or statistics, which change the weights."""

CONFIGS = {**EQUAL, **{f"{name}, local": config for name, config in LOCAL.items()}}
ALWAYS = ("gan", "wgan", "batch norm, local")
"""Configs of the tests that are not parametrized by name."""


def updates_of(name: str) -> int:
    """Return for how many updates a config is trained."""
    return TWO_EPOCHS if name in ("gan", "wgan") else UPDATES


class StateRecorder(Callback):
    """Record digests of the state, the data, and the name and bytes of each message."""

    def __init__(self) -> None:
        self.digests: list[str] = []
        self.messages: list[tuple[str, int]] = []
        self.seen: list[Tensor] = []
        self.numbers: list[float] = []
        self._in_update = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._record_digest(trainer, pl_module)

    def on_train_batch_start(self, *_: Any) -> None:
        self._in_update = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, _: Any, batch: Any, batch_idx: int
    ) -> None:
        self._in_update = False
        self.seen.append(batch.data.flatten(0, 2).clone())
        self.numbers.append(torch.rand(()).item())
        if (batch_idx + 1) % EVERY == 0:
            self._record_digest(trainer, pl_module)

    def _record_digest(self, trainer: Trainer, gan: LightningModule) -> None:
        states = [optimizer.state_dict()["state"] for optimizer in trainer.optimizers]
        tensors = [*gan.state_dict().values()]
        tensors += [value for state in states for part in state.values() for value in part.values()]
        content = b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors)
        self.digests.append(sha256(content).hexdigest())

    @contextmanager
    def recording_messages(self) -> Iterator[None]:
        """Record the messages that are sent in updates."""
        names = ("all_reduce", "all_gather_into_tensor")
        sends = {name: getattr(dist, name) for name in names}

        def recorded(name: str) -> Any:
            def send(tensor: Tensor, *args: Any, **options: Any) -> Any:
                if self._in_update:
                    self.messages.append((name, tensor.numel() * tensor.element_size()))
                return sends[name](tensor, *args, **options)

            return send

        with pytest.MonkeyPatch.context() as patch:
            for name in names:
                patch.setattr(dist, name, recorded(name))
            yield


def train_and_record(name: str, world: int) -> dict[str, Any]:
    """Train a config in this process, which may be one of several."""
    model, options = CONFIGS[name]
    gan, data = build(make_config(model, f"trainer.max_updates={updates_of(name)}", *options))
    recorder = StateRecorder()
    strategy = AlternatingDDP() if world > 1 else "auto"
    with recorder.recording_messages():
        trainer = quiet_trainer(devices=world, strategy=strategy, callbacks=[recorder])
        trainer.fit(gan, datamodule=data)
    return {
        "weights": copy_weights(gan),
        "digests": recorder.digests,
        "messages": recorder.messages,
        "seen": torch.stack(recorder.seen),
        "numbers": recorder.numbers,
        "images": gan.images_seen,
    }


def train_all(folder: Path, names: list[str]) -> None:
    """Train configs in one of two processes, and write the records of this one."""
    records = {name: train_and_record(name, 2) for name in names}
    torch.save(records, folder / f"{dist.get_rank()}.pt")


Ranks = list[dict[str, dict[str, Any]]]
"""The records of each process, by config."""


@pytest.fixture(scope="module")
def ranks(request: pytest.FixtureRequest, once: Once) -> Ranks:
    """Train the configs that the selected tests need, in two processes."""
    test_ids = [item.name.partition("[")[2] for item in request.session.items]
    names = [
        n for n in CONFIGS if n in ALWAYS or any(test_id.startswith(n) for test_id in test_ids)
    ]

    def make(folder: Path) -> Ranks:
        wait_for_success(start_two_ranks(train_all, folder, names))
        return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]

    return once("processes", make)


@pytest.mark.parametrize("name", EQUAL)
def test_two_processes_equal_one(name: str, ranks: Ranks) -> None:
    one, two = train_and_record(name, 1), ranks[0][name]
    for key, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][key], value, rtol=1e-5, atol=1e-6)
    assert one["images"] == two["images"]
    # training changes the weights by more than the tolerance
    model, options = CONFIGS[name]
    start = copy_weights(build(make_config(model, *options))[0])
    moved = max((one["weights"][key] - value).abs().max() for key, value in start.items())
    assert moved > 1e-3


@pytest.mark.parametrize("name", CONFIGS)
def test_processes_have_equal_state_during_training(name: str, ranks: Ranks) -> None:
    first, second = (rank[name] for rank in ranks)
    assert first["digests"] == second["digests"]
    assert len(set(first["digests"])) == 1 + updates_of(name) // EVERY
    assert all(torch.equal(value, second["weights"][k]) for k, value in first["weights"].items())


@pytest.mark.parametrize("name", sorted(CONFIGS.keys() - EQUAL.keys()))
def test_local_random_numbers_and_statistics_change_the_weights(name: str, ranks: Ranks) -> None:
    one, two = train_and_record(name, 1)["weights"], ranks[0][name]["weights"]
    assert max((one[key].double() - two[key].double()).abs().max() for key in one) > 1e-5


def test_global_random_numbers_differ_between_processes(ranks: Ranks) -> None:
    numbers = [rank["gan"]["numbers"] for rank in ranks]
    assert len({*numbers[0], *numbers[1]}) == 2 * TWO_EPOCHS
    # a function of seed, rank and update
    assert [rank["wgan"]["numbers"] for rank in ranks] == numbers


def test_no_sample_is_used_twice_in_an_epoch(ranks: Ranks) -> None:
    epoch = 64 // 8  # minibatches
    for start in (0, epoch):
        seen = [rank["gan"]["seen"][start : start + epoch] for rank in ranks]
        assert len(torch.stack(seen).flatten(0, 2).unique(dim=0)) == 64


def sizes(gan: GAN) -> tuple[int, int]:
    """Return the bytes of the discriminator's and of the generator's parameters."""
    discriminator, generator = (
        sum(4 * weight.numel() for weight in optimizer.param_groups[0]["params"])
        for optimizer in gan.configure_optimizers()
    )
    return discriminator, generator


MEANS = ("acgan", "cgan", "cogan", "ebgan", "gan", "infogan", "pix2pix", "unrolled", "wgan")
"""Variants whose losses are means over samples, which need no data of other processes."""


@pytest.mark.parametrize("name", [*MEANS, "wgan_gp", "average", "packs", "noise, local"])
def test_a_step_sends_the_gradients_of_its_player_only(name: str, ranks: Ranks) -> None:
    model, options = CONFIGS[name]
    gan, _ = build(make_config(model, *options))
    assert isinstance(gan, GAN)
    discriminator, generator = sizes(gan)
    # each unrolled step sends the discriminator's gradient forward and backward
    unrolled = [discriminator] * 2 * getattr(gan.config, "unrolled_steps", 0)
    steps, generator_steps = gan.config.discriminator_steps, gan.config.generator_steps
    one_round = [discriminator] * steps + [*unrolled, generator] * generator_steps
    assert ranks[0][name]["messages"] == [
        ("all_reduce", size) for size in one_round * updates_of(name)
    ]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        # means of 16 features, real and generated, and their gradients
        ("semi_supervised", [("all_reduce", 64)] * 4),
        # 8 codes of 16 features, and their gradient
        ("pulling away", [("all_gather_into_tensor", 512), ("all_reduce", 512)]),
    ],
)
def test_a_loss_that_compares_samples_sends_what_it_compares(
    name: str, more: list[tuple[str, int]], ranks: Ranks
) -> None:
    gan, _ = build(make_config(*(CONFIGS[name][0], *CONFIGS[name][1])))
    assert isinstance(gan, GAN)
    discriminator, generator = sizes(gan)
    one_round = [("all_reduce", discriminator), *more, ("all_reduce", generator)]
    assert sorted(ranks[0][name]["messages"]) == sorted(one_round * UPDATES)


def test_running_statistics_are_averaged_after_each_batch(ranks: Ranks) -> None:
    gan, _ = build(make_config("gan", *LOCAL["batch norm"][1]))
    assert isinstance(gan, GAN)
    statistics = batch_norm_statistics(gan)
    # of the generator and of its running average
    assert sum(part.numel() for part in statistics) == 2 * 2 * 16
    one_round = [("all_reduce", size) for size in (*sizes(gan), 4 * 2 * 2 * 16)]
    assert ranks[0]["batch norm, local"]["messages"] == one_round * UPDATES
    assert batch_norm_statistics(nn.Sequential(nn.SyncBatchNorm(3), nn.InstanceNorm2d(3))) == []


# --- without other processes


def test_collectives_do_nothing_outside_of_an_update() -> None:
    values = torch.randn(3, 2, requires_grad=True)
    assert all_reduce_mean(values) is values
    assert all_gather(values) is values


@pytest.mark.parametrize("world", [2, 4])
def test_shared_numbers_equal_those_of_one_process(world: int) -> None:
    device = torch.device("cpu")

    def numbers(rank: int, world: int) -> Tensor:
        with synchronized_rng(0, 7, rank, world, device):
            uniform = [shared_uniform(8 // world, device) for _ in range(2)]
            normal = shared_normal((8 // world, 3), device)
        return torch.stack([*uniform, *normal.unbind(1)])

    together = torch.cat([numbers(rank, world) for rank in range(world)], 1)
    assert torch.equal(together, numbers(0, 1))
