"""The Dirac GAN: networks, known trajectories, metrics and phase portrait."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from factories import copy_weights, quiet_trainer, weights_equal
from PIL import Image
from torch import nn
from torch.autograd import grad

from gan_lightning.callbacks import Checkpoints, PhasePortrait
from gan_lightning.callbacks.phase_portrait import draw_portrait
from gan_lightning.callbacks.vector_field import dirac_parameters, vector_field
from gan_lightning.config.load import load_config
from gan_lightning.data import BaseDataModule, Dirac
from gan_lightning.data.dirac import DiracConfig
from gan_lightning.evaluation import EvaluationContext, evaluate, evaluators_for
from gan_lightning.gans import GAN
from gan_lightning.networks import NETWORKS, DiracNetworks, DiracNetworksConfig
from gan_lightning.training.build import build
from gan_lightning.types import Batch

RATE = 0.2
SGD = {"name": "sgd", "learning_rate": RATE}


def dirac(model: str = "gan", *overrides: str, **settings: Any) -> tuple[GAN, BaseDataModule]:
    """Build a GAN against the point at 0; the standard one plays minimax."""
    objective = {"objective": "minimax"} if model == "gan" else {"discriminator_steps": 1}
    source = {
        "model": {
            "name": model,
            "latent_size": 1,
            "discriminator_optimizer": SGD,
            "generator_optimizer": SGD,
            **objective,
            **settings,
        },
        "network": {"name": "dirac"},
        "data": {"name": "dirac", "batch_size": 1},
        "trainer": {"max_updates": 50, "rounds_per_batch": 1, "precision": "32-true"},
    }
    gan, data = build(load_config(source, overrides))
    assert isinstance(gan, GAN)
    return gan, data


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


Pulls = tuple[Callable[[float, float], float], Callable[[float, float], float]]
PULLS: dict[str, Pulls] = {
    # of theta and of psi, at (theta, psi): by hand from the losses
    "minimax": (
        lambda theta, psi: psi * sigmoid(psi * theta),
        lambda theta, psi: -theta * sigmoid(psi * theta),
    ),
    "non_saturating": (
        lambda theta, psi: psi * sigmoid(-psi * theta),
        lambda theta, psi: -theta * sigmoid(psi * theta),
    ),
    "r1": (
        lambda theta, psi: psi * sigmoid(psi * theta),
        lambda theta, psi: -theta * sigmoid(psi * theta) - 0.3 * psi,
    ),
    "relativistic": (  # D(x) is 0 at the data, so both of a pair's losses are softplus(+-D(G(z)))
        lambda theta, psi: psi * sigmoid(-psi * theta),
        lambda theta, psi: -theta * sigmoid(psi * theta),
    ),
    "wgan": (lambda theta, psi: psi, lambda theta, psi: -theta),
    "wgan_gp": (
        lambda theta, psi: psi,
        lambda theta, psi: -theta - 0.7 * (abs(psi) - 1) * math.copysign(1, psi),
    ),
}
GAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "minimax": ("gan", {}),
    "non_saturating": ("gan", {"objective": "non_saturating"}),
    "relativistic": ("gan", {"objective": "relativistic"}),
    "r1": ("gan", {"regularisation": {"r1": 0.3}}),
    "wgan": ("wgan", {"clip": 100.0}),
    "wgan_gp": ("wgan_gp", {"regularisation": {"gradient_penalty": 0.35}}),
}
games = pytest.mark.parametrize("game", list(GAMES))


def portrait(folder: Path = Path("/nonexistent"), every: int = 0) -> PhasePortrait:
    """Make a portrait that records and does not draw."""
    callback = PhasePortrait(folder, every)
    if not folder.exists():
        callback.on_interval = lambda trainer, gan: None  # type: ignore[method-assign]  # a stand-in
    return callback


def test_players_are_one_number_each() -> None:
    family = DiracNetworks(DiracNetworksConfig(theta=0.5, psi=-2.0))
    generator, discriminator = family.generator(3, (1,)), family.discriminator((1,))
    assert sum(weight.numel() for weight in generator.parameters()) == 1
    assert sum(weight.numel() for weight in discriminator.parameters()) == 1
    assert torch.equal(generator(torch.randn(4, 3)), torch.full((4, 1), 0.5))
    points = torch.randn(4, 1)
    torch.testing.assert_close(discriminator(points), -2 * points.squeeze(1))


def test_options_that_need_features_are_an_error() -> None:
    with pytest.raises(ValueError, match="minibatch_kernels=0"):
        DiracNetworks(DiracNetworksConfig(minibatch_kernels=3)).discriminator((1,))
    with pytest.raises(ValueError, match="packing=1"):
        DiracNetworks(DiracNetworksConfig(packing=2)).discriminator((1,))


def test_the_data_are_one_point() -> None:
    dataset = Dirac(DiracConfig(batch_size=3))
    data, labels = dataset.training_data()
    assert labels is None
    assert torch.equal(data, torch.zeros(3, 1))
    assert torch.equal(dataset.test_data().data, torch.zeros(1000, 1))
    assert evaluators_for(EvaluationContext(dataset, torch.device("cpu"))) == []


@games
def test_training_follows_the_recursion_by_hand(game: str) -> None:
    model, settings = GAMES[game]
    gan, data = dirac(model, **settings)
    callback = portrait()
    quiet_trainer(callbacks=[callback]).fit(gan, datamodule=data)
    theta, psi = 1.0, 1.0
    pull_theta, pull_psi = PULLS[game]
    expected = [(theta, psi)]
    for _ in range(50):
        psi += RATE * pull_psi(theta, psi)
        theta += RATE * pull_theta(theta, psi)
        expected.append((theta, psi))
    assert [update for update, _, _ in callback.trajectory] == list(range(51))
    np.testing.assert_allclose(np.array(callback.trajectory)[:, 1:], expected, rtol=1e-3, atol=1e-4)


def final_distance(model: str, updates: int, **settings: Any) -> float:
    gan, data = dirac(model, f"trainer.max_updates={updates}", **settings)
    quiet_trainer().fit(gan, datamodule=data)
    return evaluate(gan, data, 2)["equilibrium/distance"]


def test_unregularised_training_circles_and_regularised_training_converges() -> None:
    assert final_distance("gan", 300) > 1
    assert final_distance("wgan", 300, clip=100.0) > 1
    assert final_distance("wgan_gp", 300, regularisation={"gradient_penalty": 0.35}) > 0.5
    assert final_distance("gan", 300, regularisation={"r1": 1.0}) < 1e-3


def jacobian(gan: GAN, psi: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the Jacobian of both players' gradient descent in (theta, psi), at (0, psi)."""
    players = dirac_parameters(gan)
    assert players is not None
    with torch.no_grad():
        players.theta.fill_(0)
        players.psi.fill_(psi)
    real, fake = Batch(torch.zeros(1, 1)), gan.generate_from_prior(1)
    losses = (gan.generator_loss(real, fake), gan.discriminator_terms(real, fake))
    rows = []
    for terms, own in zip(losses, players, strict=True):
        (slope,) = grad(torch.stack([*terms.values()]).sum(), own, create_graph=True)
        rows.append([-part.item() for part in grad(slope, [*players])])
    return np.array(rows)


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "relativistic"])
@pytest.mark.parametrize(
    ("gammas", "damping"),
    [((0, 0), 0), ((0.3, 0), 0.15), ((0, 0.3), 0.15), ((0.3, 0.3), 0.3), ((1.5, 0.5), None)],
)
def test_eigenvalues_with_r1_and_r2_in_closed_form(
    gammas: tuple[float, float], damping: float | None, objective: str
) -> None:
    weights = dict(zip(("r1", "r2"), gammas, strict=True))
    gan, _ = dirac(objective=objective, regularisation=weights)
    # f'(0) = 1/2 for f(t) = -log(1 + exp(-t)); at psi = 0 itself the norm in the penalties has a
    # kink, so the Jacobian is taken beside it, which changes it by psi^2 / 4
    found = np.linalg.eigvals(jacobian(gan, psi=1e-4))
    total = complex(sum(gammas))
    root = np.sqrt(total**2 / 4 - 0.5**2)
    expected = np.sort_complex(np.array([-total / 2 - root, -total / 2 + root]))
    np.testing.assert_allclose(np.sort_complex(found), expected, rtol=0, atol=1e-6)
    if damping is not None:  # below the critical weight the rate is half the sum of both weights
        np.testing.assert_allclose(-found.real, damping, rtol=0, atol=1e-6)


def test_equilibrium_metrics_of_any_networks() -> None:
    gan, data = dirac()
    found = evaluate(gan, data, 2)
    assert found["equilibrium/theta"] == found["equilibrium/psi"] == 1
    assert found["equilibrium/distance"] == pytest.approx(math.sqrt(2))
    config = NETWORKS["mlp"].Config(generator_hidden=[8], discriminator_hidden=[8], packing=3)
    other = type(gan)(gan.config, NETWORKS["mlp"](config), data.spec)
    found = evaluate(other, data, 2)
    points = [other.discriminator(torch.full((3, 1), float(x))).item() for x in (0, 1)]
    assert found["equilibrium/psi"] == pytest.approx(points[1] - points[0], rel=1e-5)
    assert math.isfinite(found["equilibrium/theta"])


@games
def test_the_vector_field_is_that_of_the_losses_and_changes_no_state(game: str) -> None:
    model, settings = GAMES[game]
    gan, _ = dirac(model, **settings)
    before, state = copy_weights(gan), torch.get_rng_state()
    standings, forces = vector_field(gan, 1.4)
    assert weights_equal(before, copy_weights(gan))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(weight.grad is None for weight in gan.parameters())
    assert np.abs(standings).max() == pytest.approx(1.4)
    pull_theta, pull_psi = PULLS[game]
    # of psi = 0 the penalty on |psi| knows no direction
    known = standings[:, 1] != 0
    expected = [(pull_theta(*point), pull_psi(*point)) for point in standings[known]]
    np.testing.assert_allclose(forces[known], expected, rtol=1e-4, atol=1e-5)


def test_instance_noise_changes_the_field() -> None:
    plain, _ = dirac()
    noisy, _ = dirac(regularisation={"instance_noise": 1.0})
    _, without = vector_field(plain, 1.0)
    standings, with_noise = vector_field(noisy, 1.0)
    (at_rest,) = np.flatnonzero((np.abs(standings) < 1e-6).all(1))
    assert np.abs(without[at_rest]).max() < 1e-6
    (arrived,) = np.flatnonzero((np.abs(standings - (0, 1)) < 1e-6).all(1))
    # by hand: -E[e s(e)] of each side, s the sigmoid, which is -E[s'(e)] by Stein's lemma
    noise = torch.randn(100_000, generator=torch.Generator().manual_seed(0)).sigmoid()
    expected = -2 * (noise * (1 - noise)).mean().item()
    assert with_noise[arrived, 1] == pytest.approx(expected, abs=0.12)


def test_clipped_points_have_no_force() -> None:
    gan, _ = dirac("wgan", clip=0.5)
    standings, forces = vector_field(gan, 1.0)
    beyond = np.abs(standings[:, 1]) > 0.5
    assert np.isnan(forces[beyond]).all()
    assert np.isfinite(forces[~beyond]).all()


def test_a_field_needs_the_dirac_networks() -> None:
    gan, data = dirac()
    gan.discriminator = nn.Sequential(nn.Linear(1, 1), nn.Flatten(0))
    assert dirac_parameters(gan) is None
    with pytest.raises(ValueError, match=r"network\.name=dirac"):
        vector_field(gan, 1.0)
    callback = portrait()
    quiet_trainer(callbacks=[callback], max_steps=2).fit(gan, datamodule=data)
    assert callback.trajectory == []


@pytest.mark.usefixtures("drawn_figures")
def test_the_portrait_is_drawn_when_due(tmp_path: Path) -> None:
    gan, data = dirac()
    quiet_trainer(callbacks=[PhasePortrait(tmp_path, 20)]).fit(gan, datamodule=data)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"portrait_{update:07d}.png" for update in (20, 40, 50)]
    with Image.open(tmp_path / names[0]) as first, Image.open(tmp_path / names[1]) as second:
        assert first.width > 800
        assert first.height > 400
        assert np.abs(np.asarray(first).astype(int) - np.asarray(second)).max() > 100


@pytest.mark.parametrize("end", [0.0, 1.0, 1e30, math.inf, math.nan])
@pytest.mark.usefixtures("drawn_figures")
def test_any_end_can_be_drawn(end: float) -> None:
    way = np.array([[0, 1.0, 1.0], [1, end, end]])
    standings = np.array([[-1.0, 0.0], [1.0, 1.0]])
    picture = draw_portrait(way, standings, np.array([[0.0, 0.0], [math.nan, math.nan]]))
    assert picture.dtype == np.uint8


def test_a_resumed_portrait_has_the_complete_trajectory(tmp_path: Path) -> None:
    whole, part, rest = portrait(), portrait(), portrait()
    gan, data = dirac()
    quiet_trainer(callbacks=[whole]).fit(gan, datamodule=data)
    gan, data = dirac("gan", "trainer.max_updates=20")
    callbacks = [part, Checkpoints(tmp_path, 0, 1)]
    quiet_trainer(callbacks=callbacks, enable_checkpointing=True).fit(gan, datamodule=data)
    (checkpoint,) = tmp_path.iterdir()
    gan, data = dirac()
    trainer = quiet_trainer(callbacks=[rest])
    trainer.fit(gan, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    assert len(part.trajectory) == 21
    assert rest.trajectory == whole.trajectory
