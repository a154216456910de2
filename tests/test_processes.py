"""Two processes play the game that one would have played, and send no more than they must."""

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
    shared_uniform,
    synchronized_rng,
)
from gan_lightning.distributed.strategy import AlternatingDDP, running_statistics
from gan_lightning.gans import GAN
from gan_lightning.training.build import build

UPDATES = 20
EVERY = 5
"""Updates between two looks at all state."""

WITHOUT_NOISE: dict[str, tuple[str, ...]] = {
    "pix2pix": ("network.norm=none", "network.dropout=0"),
}
"""What a variant's small world must leave out where processes are to equal one: what its layers
draw, and statistics of a batch."""

OF_ALL = ("network.minibatch_kernels=3", "network.sync_minibatch_discrimination=true")
PLAIN_STEPS = tuple(
    f"model.{player}_optimizer.{setting}"
    for player in ("discriminator", "generator")
    for setting in ("name=sgd", "learning_rate=0.01")
)
"""Adam would make a weight that changes no loss take steps of rounding errors."""

EQUAL: dict[str, tuple[str, tuple[str, ...]]] = {
    **{model: (model, (*WITHOUT_NOISE.get(model, ()), *PLAIN_STEPS)) for model in ALL_GANS},
    "adam": ("gan", ()),
    "average": ("gan", ("model.ema_decay=0.9", "model.discriminator_steps=3")),
    "packs": ("gan", ("network.packing=2", "model.regularisation.r1=0.5")),
    "minibatch": ("gan", (*OF_ALL, "model.regularisation.r1=0.5")),
    "pulling away": ("ebgan", ("model.pulling_away_weight=0.5",)),
    "consistency": (
        "infogan",
        ("data.name=mnist", "model.consistency_weight=1", *PLAIN_STEPS),
    ),
    "all at once": (
        "unrolled",
        (
            *OF_ALL,
            "network.spectral_norm=true",
            "model.regularisation.gradient_penalty=1",
            "model.unrolled_steps=1",
        ),
    ),
}
"""Games that are the same however many processes play them."""

APART: dict[str, tuple[str, tuple[str, ...]]] = {
    "noise": ("gan", ("model.regularisation.instance_noise=0.1", "network.dropout=0.2")),
    "minibatch apart": ("gan", ("network.minibatch_kernels=3",)),
    "batch norm": ("gan", ("network.batch_norm=true", "model.ema_decay=0.9")),
    "pix2pix": ("pix2pix", ()),
}
"""Games in which each process has something of its own, and all have the same weights."""

GAMES = {**EQUAL, **{f"{name}, apart": game for name, game in APART.items()}}
ALWAYS = ("gan", "wgan", "batch norm, apart")
"""Games that tests without a name look at."""


class Watch(Callback):
    """Notes a digest of all state now and then, the data, and each message's name and bytes."""

    def __init__(self) -> None:
        self.digests: list[str] = []
        self.messages: list[tuple[str, int]] = []
        self.seen: list[Tensor] = []
        self.drawn: list[float] = []
        self._counts = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer, pl_module)

    def on_train_batch_start(self, *_: Any) -> None:
        self._counts = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, _: Any, batch: Any, batch_idx: int
    ) -> None:
        self._counts = False
        self.seen.append(batch.data.flatten(0, 2).clone())
        self.drawn.append(torch.rand(()).item())
        if (batch_idx + 1) % EVERY == 0:
            self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, learner: LightningModule) -> None:
        states = [optimizer.state_dict()["state"] for optimizer in trainer.optimizers]
        tensors = [*learner.state_dict().values()]
        tensors += [value for state in states for part in state.values() for value in part.values()]
        content = b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors)
        self.digests.append(sha256(content).hexdigest())

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Note what is sent in updates."""
        names = ("all_reduce", "all_gather_into_tensor")
        sends = {name: getattr(dist, name) for name in names}

        def counted(name: str) -> Any:
            def send(tensor: Tensor, *args: Any, **given: Any) -> Any:
                if self._counts:
                    self.messages.append((name, tensor.numel() * tensor.element_size()))
                return sends[name](tensor, *args, **given)

            return send

        with pytest.MonkeyPatch.context() as patch:
            for name in names:
                patch.setattr(dist, name, counted(name))
            yield


def play(name: str, world: int) -> dict[str, Any]:
    """Play a game in this process, which may be one of several."""
    model, options = GAMES[name]
    learner, data = build(make_config(model, f"trainer.max_updates={UPDATES}", *options))
    watch = Watch()
    strategy = AlternatingDDP() if world > 1 else "auto"
    with watch.counting():
        trainer = quiet_trainer(devices=world, strategy=strategy, callbacks=[watch])
        trainer.fit(learner, datamodule=data)
    return {
        "weights": copy_weights(learner),
        "digests": watch.digests,
        "messages": watch.messages,
        "seen": torch.stack(watch.seen),
        "drawn": watch.drawn,
        "images": learner.images_seen,
    }


def play_all(folder: Path, names: list[str]) -> None:
    """Play games in two processes; each writes what it saw."""
    found = {name: play(name, 2) for name in names}
    torch.save(found, folder / f"{dist.get_rank()}.pt")


Ranks = list[dict[str, dict[str, Any]]]
"""What each process saw of each game."""


@pytest.fixture(scope="module")
def ranks(request: pytest.FixtureRequest, once: Once) -> Ranks:
    """Let two processes play all games that the chosen tests ask about."""
    asked = [item.name.partition("[")[2] for item in request.session.items]
    names = [n for n in GAMES if n in ALWAYS or any(word.startswith(n) for word in asked)]

    def make(folder: Path) -> Ranks:
        wait_for_success(start_two_ranks(play_all, folder, names))
        return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]

    return once("processes", make)


@pytest.mark.parametrize("name", EQUAL)
def test_two_processes_play_the_game_of_one(name: str, ranks: Ranks) -> None:
    one, two = play(name, 1), ranks[0][name]
    for key, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][key], value, rtol=1e-5, atol=1e-6)
    assert one["images"] == two["images"]
    # the tolerance is small beside what was learnt
    model, options = GAMES[name]
    start = copy_weights(build(make_config(model, *options))[0])
    moved = max((one["weights"][key] - value).abs().max() for key, value in start.items())
    assert moved > 1e-3


@pytest.mark.parametrize("name", GAMES)
def test_processes_are_bitwise_equal_from_beginning_to_end(name: str, ranks: Ranks) -> None:
    first, second = (rank[name] for rank in ranks)
    assert first["digests"] == second["digests"]
    assert len(set(first["digests"])) == 1 + UPDATES // EVERY
    assert all(torch.equal(value, second["weights"][k]) for k, value in first["weights"].items())


@pytest.mark.parametrize("name", sorted(GAMES.keys() - EQUAL.keys()))
def test_what_is_a_process_own_differs_from_one_process(name: str, ranks: Ranks) -> None:
    one, two = play(name, 1)["weights"], ranks[0][name]["weights"]
    assert max((one[key].double() - two[key].double()).abs().max() for key in one) > 1e-5


def test_random_states_of_processes_are_their_own(ranks: Ranks) -> None:
    drawn = [rank["gan"]["drawn"] for rank in ranks]
    assert len({*drawn[0], *drawn[1]}) == 2 * UPDATES
    assert [rank["wgan"]["drawn"] for rank in ranks] == drawn  # of seed, rank and update alone


def test_no_datum_is_seen_twice_in_an_epoch(ranks: Ranks) -> None:
    epoch = 64 // 8  # minibatches
    for start in (0, epoch):
        seen = [rank["gan"]["seen"][start : start + epoch] for rank in ranks]
        assert len(torch.stack(seen).flatten(0, 2).unique(dim=0)) == 64


def sizes(learner: GAN) -> tuple[int, int]:
    """Return the bytes of the discriminator's and of the generator's parameters."""
    discriminator, generator = (
        sum(4 * weight.numel() for weight in optimizer.param_groups[0]["params"])
        for optimizer in learner.configure_optimizers()
    )
    return discriminator, generator


OWN_DATA = ("acgan", "cgan", "cogan", "ebgan", "gan", "infogan", "pix2pix", "unrolled", "wgan")
"""Variants whose losses are means over data: no process needs another's."""


@pytest.mark.parametrize("name", [*OWN_DATA, "wgan_gp", "average", "packs", "noise, apart"])
def test_a_step_sends_the_stepping_players_gradients_alone(name: str, ranks: Ranks) -> None:
    model, options = GAMES[name]
    learner, _ = build(make_config(model, *options))
    assert isinstance(learner, GAN)
    discriminator, generator = sizes(learner)
    # looking ahead is a step of the discriminator each: its gradient forth, and what comes back
    ahead = [discriminator] * 2 * getattr(learner.config, "unrolled_steps", 0)
    steps = learner.config.discriminator_steps
    one_round = [discriminator] * steps + ahead + [generator]
    assert ranks[0][name]["messages"] == [("all_reduce", size) for size in one_round * UPDATES]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        # means of 16 features of both sides, and their gradients
        ("semi_supervised", [("all_reduce", 64)] * 4),
        # 8 codes of 16 features, and their gradient
        ("pulling away", [("all_gather_into_tensor", 512), ("all_reduce", 512)]),
    ],
)
def test_a_loss_that_compares_data_sends_what_it_compares(
    name: str, more: list[tuple[str, int]], ranks: Ranks
) -> None:
    learner, _ = build(make_config(*(GAMES[name][0], *GAMES[name][1])))
    assert isinstance(learner, GAN)
    discriminator, generator = sizes(learner)
    one_round = [("all_reduce", discriminator), *more, ("all_reduce", generator)]
    assert sorted(ranks[0][name]["messages"]) == sorted(one_round * UPDATES)


def test_running_statistics_are_averaged_where_there_are_any(ranks: Ranks) -> None:
    learner, _ = build(make_config("gan", *APART["batch norm"][1]))
    assert isinstance(learner, GAN)
    statistics = running_statistics(learner)
    assert sum(part.numel() for part in statistics) == 2 * 2 * 16  # and of the running average
    one_round = [("all_reduce", size) for size in (*sizes(learner), 4 * 2 * 2 * 16)]
    assert ranks[0]["batch norm, apart"]["messages"] == one_round * UPDATES
    assert running_statistics(nn.Sequential(nn.SyncBatchNorm(3), nn.InstanceNorm2d(3))) == []


# --- without other processes


def test_a_process_is_alone_outside_of_an_update() -> None:
    values = torch.randn(3, 2, requires_grad=True)
    assert all_reduce_mean(values) is values
    assert all_gather(values) is values


@pytest.mark.parametrize("world", [2, 4])
def test_the_processes_positions_are_those_of_one(world: int) -> None:
    device = torch.device("cpu")

    def drawn(rank: int, world: int) -> Tensor:
        with synchronized_rng(0, 7, rank, world, device):
            first, second = (shared_uniform(8 // world, device) for _ in range(2))
        return torch.stack([first, second])

    together = torch.cat([drawn(rank, world) for rank in range(world)], 1)
    assert torch.equal(together, drawn(0, 1))
