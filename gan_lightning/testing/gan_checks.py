"""The properties of every GAN, and `check_gan`, which checks all of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from gan_lightning.core.module import evaluation_mode
from gan_lightning.core.seeding import isolated_randomness
from gan_lightning.gans import GAN, GANConfig
from gan_lightning.gans.parameters import parameters
from gan_lightning.testing.declared import check_config_is_checked, check_declarations
from gan_lightning.testing.failure import describing, require
from gan_lightning.testing.observers import PLAYERS, AverageByHand, SaveCheckpoint, StateAtEnd
from gan_lightning.testing.processes import check_processes
from gan_lightning.testing.setups import Data, GANSetup, Networks, find_setups
from gan_lightning.testing.synthetic import BATCH_SIZE
from gan_lightning.testing.training import (
    UPDATES,
    StepRecorder,
    Weights,
    copy_state,
    differences,
    train,
)
from gan_lightning.types import Condition, Sample

__all__ = ["check_gan"]

DECAY = 0.5
"""Decay of the running average that is compared with one computed by hand."""


def check_gan(
    cls: type[GAN],
    *,
    config: GANConfig | Mapping[str, Any] | None = None,
    networks: Networks | None = None,
    data: Data | None = None,
    processes: bool = True,
) -> None:
    """Check that a GAN class has the properties that training, resuming and scaling rely on.

    It is trained some times for six updates on noise: a step moves only its player's parameters,
    every parameter has a finite gradient, the seed determines the weights, a resumed training
    equals an uninterrupted one bit for bit, the running average of the generator is sampled, and
    two processes equal one.

    Args:
        cls: subclass of `GAN`.
        config: an instance of its `Config`, or values by name; None for the defaults.
        networks: a network family, its class, its name, or its keys with `name`; None for small
            networks.
        data: shape and classes of the data; None for the first kind of small data that the GAN
            accepts: points with classes, partly labelled or without, images, image translation.
        processes: whether to train in two processes too, which takes most of the time. The class
            must then be importable in a new process.

    Raises:
        AssertionError: it does not have a property; one sentence names class and property.
        ValueError: `processes` is True, and a new process cannot import the class.
    """
    check_declarations(cls, GAN, GANConfig)
    with describing(cls, "building it"):
        setups = find_setups(cls, config, networks, data)
        check_config_is_checked(cls, setups[0].config, lambda wrong: _with(setups[0], wrong))
    for setup in setups:
        with describing(cls, f"generating samples of shape {setup.spec.shape}"):
            check_samples(setup)
    setup = setups[0]
    trained = Trainings(setup)
    with describing(cls, "training"):
        check_steps(trained.recorded, trained.steps)
        check_gradients(trained)
        check_seed(trained)
    with describing(cls, "training with bf16-mixed, three discriminator and two generator steps"):
        recorder = StepRecorder()
        steps = {"discriminator_steps": 3, "generator_steps": 2}
        options: dict[str, Any] = {**steps, "precision": "bf16-mixed"}
        check_steps(train(setup, callbacks=[recorder], **options), recorder)
    with describing(cls, "loading its state_dict"):
        check_state_dict(trained)
    with describing(cls, "resuming"):
        check_resume(trained)
    with describing(cls, "training with ema_decay"):
        check_running_average(trained)
    if processes:
        check_processes(setup)


class Trainings:
    """Trainings of a setup that several checks use, each made once."""

    def __init__(self, setup: GANSetup) -> None:
        self.setup = setup
        self.owner = setup.owner
        self.steps = StepRecorder()

    @cached_property
    def recorded(self) -> GAN:
        """The GAN after a training whose steps were recorded."""
        return train(self.setup, callbacks=[self.steps])

    @cached_property
    def plain(self) -> Weights:
        """The state after the same training without callbacks."""
        return copy_state(train(self.setup))


def check_samples(setup: GANSetup) -> None:
    """Check shape, range and gradient of generated samples, and that `sample` changes no state."""
    owner, spec = setup.owner, setup.spec
    gan = setup.build()
    fixed = gan.prior(BATCH_SIZE)
    unknown = fixed.parts().keys() - set(gan.condition_fields())
    require(not unknown, owner, f"prior draws {unknown}, which condition_fields() does not name")
    generated = gan.generate_from_prior(BATCH_SIZE, fixed)
    samples = generated.data
    shape = (BATCH_SIZE, *spec.shape)
    require(
        tuple(samples.shape) == shape,
        owner,
        f"generate returns {tuple(samples.shape)}, not {shape}",
    )
    require(bool(samples.isfinite().all()), owner, "generate returns numbers that are not finite")
    require(samples.requires_grad, owner, "generate returns samples without a gradient")
    require(
        not spec.is_image or bool(samples.abs().max() <= 1),
        owner,
        f"generate returns images with values of {samples.abs().max():.3g}, beyond [-1, 1]",
    )
    given = generated.condition.parts()
    require(
        all(given.get(name) is part for name, part in fixed.parts().items()),
        owner,
        "generate_from_prior does not use the condition that it is given",
    )
    gan.train()
    before, state = copy_state(gan), torch.get_rng_state()
    first, second, other = (gan.sample(BATCH_SIZE, seed=seed).data for seed in (7, 7, 8))
    require(torch.equal(first, second), owner, "sample with the same seed gives other samples")
    fields = set(gan.condition_fields())
    require(
        not torch.equal(first, other) or fields == {"source"} or not _depends_on_latent(gan),
        owner,
        "sample with another seed gives the same samples",
    )
    require(torch.equal(torch.get_rng_state(), state), owner, "sample changes the random state")
    changed = differences(before, copy_state(gan))
    require(not changed, owner, f"sample changes {_first(changed)}")
    require(all(part.training for part in gan.modules()), owner, "sample changes the training mode")


def check_steps(gan: GAN, recorder: StepRecorder) -> None:
    """Check that each step, and nothing else, moves the parameters of its player only."""
    owner, steps = type(gan), recorder.steps
    config = gan.config
    order = ([0] * config.discriminator_steps + [1] * config.generator_steps) * UPDATES
    require(
        [step.player for step in steps] == order,
        owner,
        "a round is not its discriminator steps and then its generator steps",
    )
    players = [
        set(_names(gan, gan.discriminator_players())),
        set(_names(gan, gan.generator_players())),
    ]
    for step in steps:
        moved = set(differences(step.before, step.after))
        name = PLAYERS[step.player]
        require(bool(moved), owner, f"a step of the {name} moves no parameter")
        foreign = sorted(moved - players[step.player])
        require(
            not foreign, owner, f"a step of the {name} moves {_first(foreign)} of the other player"
        )
    for step, following in pairwise(steps):
        outside = differences(step.after, following.before)
        loss = f"{PLAYERS[following.player]}_loss"
        require(
            not outside, owner, f"{_first(outside)} moves between two steps, for example in {loss}"
        )


def check_gradients(trained: Trainings) -> None:
    """Check that every parameter has one player and a finite gradient in some update."""
    owner, gan = trained.owner, trained.recorded
    discriminator = set(_names(gan, gan.discriminator_players()))
    generator = set(_names(gan, gan.generator_players()))
    both = sorted(discriminator & generator)
    require(not both, owner, f"{_first(both)} belongs to both players")
    everything = {name for name, value in gan.named_parameters() if value.requires_grad}
    nobody = sorted(everything - discriminator - generator)
    require(
        not nobody,
        owner,
        f"{_first(nobody)} belongs to no player; add its module to discriminator_players() or "
        f"generator_players()",
    )
    for number, name in enumerate(PLAYERS):
        steps = [step for step in trained.steps.steps if step.player == number]
        wrong = sorted(set().union(*(step.not_finite for step in steps)))
        require(not wrong, owner, f"{_first(wrong)} has a gradient that is not finite")
        silent = set.intersection(*(step.silent for step in steps))
        unused = sorted(
            weight for weight in silent if not _shifts_all_scores(trained.setup, weight)
        )
        require(not unused, owner, f"{_first(unused)} has no gradient in the loss of the {name}")


def check_seed(trained: Trainings) -> None:
    """Check that the seed, and nothing else, determines the weights."""
    owner, setup = trained.owner, trained.setup
    again = copy_state(train(setup))
    changed = differences(trained.plain, again)
    require(
        not changed,
        owner,
        f"two trainings with the same seed differ in {_first(changed)}; random numbers must come "
        f"from the prior or from PyTorch's global generator",
    )
    changed = differences(trained.plain, copy_state(trained.recorded))
    require(not changed, owner, f"a callback that watches the steps changes {_first(changed)}")
    changed = differences(trained.plain, copy_state(train(setup, rounds=4)))
    require(not changed, owner, f"the number of rounds in a batch changes {_first(changed)}")
    other = copy_state(train(setup, seed=1))
    require(bool(differences(trained.plain, other)), owner, "another seed gives the same weights")


def check_state_dict(trained: Trainings) -> None:
    """Check that a new object with the state_dict of another one samples the same."""
    owner, setup = trained.owner, trained.setup
    gan, copy = trained.recorded, setup.build(seed=1)
    with TemporaryDirectory() as folder:
        torch.save(gan.state_dict(), Path(folder, "state.pt"))
        copy.load_state_dict(torch.load(Path(folder, "state.pt"), weights_only=True))
    changed = differences(copy_state(gan), copy_state(copy))
    require(not changed, owner, f"loading its state_dict does not restore {_first(changed)}")
    copy.updates = gan.updates
    samples = [part.sample(BATCH_SIZE, seed=0).data for part in (gan, copy)]
    require(
        torch.equal(*samples),
        owner,
        "with the same state_dict it generates other samples; keep every tensor that generate uses "
        "in a parameter or buffer",
    )


def check_resume(trained: Trainings) -> None:
    """Check that a training that is resumed from a checkpoint equals an uninterrupted one."""
    owner, setup = trained.owner, trained.setup
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder, "half.ckpt")
        ends = [StateAtEnd(), StateAtEnd()]
        whole = train(setup, callbacks=[SaveCheckpoint(checkpoint, UPDATES // 2), ends[0]])
        resumed = train(setup, callbacks=[ends[1]], checkpoint=checkpoint)
    require(resumed.updates == whole.updates, owner, "a resumed training makes other updates")
    changed = differences(ends[0].state, ends[1].state)
    require(
        not changed,
        owner,
        f"a resumed training differs from an uninterrupted one in {_first(changed)}; keep what "
        f"changes in training in a buffer",
    )


def check_running_average(trained: Trainings) -> None:
    """Check that `ema_decay` averages the generator, is sampled, and does not change training."""
    owner, setup = trained.owner, trained.setup
    require(
        any(True for _ in setup.build().generator.parameters()),
        owner,
        "self.generator has no parameters; ema_decay averages it, and generate must call it",
    )
    average = AverageByHand(DECAY)
    gan = train(setup, callbacks=[average], ema_decay=DECAY)
    state = copy_state(gan)
    kept = {name: value for name, value in state.items() if not name.startswith("ema.")}
    plain = {name: value for name, value in trained.plain.items() if not name.startswith("ema.")}
    changed = differences(plain, kept)
    require(not changed, owner, f"a running average of the generator changes {_first(changed)}")
    assert gan.ema is not None
    for value, weight in zip(average.expected, gan.ema.module.parameters(), strict=True):
        torch.testing.assert_close(weight.detach(), value)
    averaged = gan.sample(BATCH_SIZE, seed=0).data
    trained_generator, outputs = gan.generator, []
    for network in (trained_generator, gan.ema.module):
        gan.generator = network
        with isolated_randomness(0), evaluation_mode(gan), torch.no_grad():
            outputs.append(gan.generate_from_prior(BATCH_SIZE).data)
    gan.generator = trained_generator
    require(
        torch.equal(averaged, outputs[1]) and not torch.equal(averaged, outputs[0]),
        owner,
        "sample does not use the running average; generate must call self.generator",
    )


def _with(setup: GANSetup, config: Any) -> GAN:
    return GANSetup(setup.owner, config, setup.family, setup.network, setup.spec).build()


def _names(gan: GAN, players: Mapping[str, nn.Module]) -> list[str]:
    """List the names of the trained parameters of some modules."""
    identities = set(map(id, parameters(players)))
    return [name for name, weight in gan.named_parameters() if id(weight) in identities]


def _first(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} others" if len(names) > 1 else "".join(names)


def _depends_on_latent(gan: GAN) -> bool:
    """Tell whether two latents give different samples, which a generator of one point does not."""
    with isolated_randomness(0), torch.no_grad():
        return bool((gan.generate_from_prior(BATCH_SIZE).data.std(0) > 0).any())


def _shifts_all_scores(setup: GANSetup, name: str) -> bool:
    """Tell whether a weight shifts all scores equally, which does not change the loss."""
    gan, real = setup.build(), setup.data().minibatch()
    condition = gan.prior(BATCH_SIZE).updated(Condition(source=real.source))
    fake = Sample(gan.generate(condition), condition).detach()
    weight = gan.get_parameter(name)
    found = []
    for _ in range(2):
        loss = torch.stack(list(gan.discriminator_loss(real, fake).values()))
        found.append((gan.discriminate(real.data, real.condition).detach(), loss.detach()))
        weight.data += 1
    (scores, loss), (moved, same_loss) = found
    return torch.allclose(moved, scores + 1) and torch.allclose(loss, same_loss, atol=1e-5)
