"""The bilinear game: its players, and the closed-form contraction of each update rule."""

from __future__ import annotations

import cmath
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from factories import quiet_trainer
from pytorch_lightning import Callback, LightningModule, Trainer

from gan_lightning.callbacks import PhasePortrait
from gan_lightning.callbacks.vector_field import dirac_parameters
from gan_lightning.config.load import load_config
from gan_lightning.data import BaseDataModule, Dirac
from gan_lightning.data.dirac import DiracConfig
from gan_lightning.evaluation import evaluate
from gan_lightning.gans import GAN
from gan_lightning.gans.update_rules import UPDATE_RULES
from gan_lightning.networks.bilinear import BilinearNetworks, BilinearNetworksConfig
from gan_lightning.training.build import build

RATE, WEIGHT, ROUNDS, SHARE = 0.3, 0.5, 4, 0.4
"""eta of both players; gamma or lambda; k and alpha of lookahead."""

UPDATES, SETTLED = 120, 40


def bilinear(rule: str, *overrides: str, dimensions: int = 2) -> tuple[GAN, BaseDataModule]:
    """Build the game from x = (1, ..., 1), y = (0.5, ..., 0.5)."""
    sgd = {"name": "sgd", "learning_rate": RATE}
    source = {
        "model": {
            "name": "wgan",
            "latent_size": 1,
            "clip": 1e6,
            "discriminator_steps": 1,
            "discriminator_optimizer": sgd,
            "generator_optimizer": sgd,
            "update_rule": {
                "name": rule,
                "weight": WEIGHT,
                "lookahead_updates": ROUNDS,
                "lookahead_rate": SHARE,
            },
        },
        "network": {"name": "bilinear", "y": [0.5]},
        "data": {"name": "dirac", "batch_size": 1, "dimensions": dimensions},
        "trainer": {"max_updates": UPDATES, "rounds_per_batch": 1, "precision": "32-true"},
    }
    gan, data = build(load_config(source, overrides))
    assert isinstance(gan, GAN)
    return gan, data


class Trajectory(Callback):
    """Records x and -y, the players of min_x max_y x . y, before and after each update."""

    def __init__(self) -> None:
        self.points: list[Any] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._record(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        self._record(pl_module)

    def _record(self, gan: LightningModule) -> None:
        values = {name: value.double().numpy().copy() for name, value in gan.state_dict().items()}
        (x,) = [value for name, value in values.items() if name.endswith(".x")]
        (y,) = [value for name, value in values.items() if name.endswith(".y")]
        self.points.append((x, -y))


@cache
def trajectory(rule: str) -> np.ndarray[Any, Any]:
    """Train, and return (updates + 1, players, dimensions)."""
    gan, data = bilinear(rule)
    recorded = Trajectory()
    quiet_trainer(callbacks=[recorded]).fit(gan, datamodule=data)
    return np.array(recorded.points)


def radius(rule: str) -> float:
    """Return the factor by which a round multiplies the distance, by hand from the linear maps.

    With z = x + iy the field of min_x max_y x y is v = -iz, and its Jacobian is a rotation.
    """
    turn = cmath.exp(1j * math.acos(1 - RATE**2 / 2))  # an eigenvalue of the alternating map
    root = cmath.sqrt((1 + 2j * RATE) ** 2 - 4j * RATE)
    radii: dict[str, float] = {
        "simultaneous": math.sqrt(1 + RATE**2),
        "alternating": abs(turn),
        "extragradient": math.sqrt(1 - RATE**2 + RATE**4),
        "optimistic": max(abs(1 + 2j * RATE + sign * root) / 2 for sign in (1, -1)),
        "lookahead": abs(1 - SHARE + SHARE * turn**ROUNDS) ** (1 / ROUNDS),
        "consensus": abs(1 - RATE * (WEIGHT + 1j)),
        "symplectic": abs(1 - RATE * (WEIGHT + 1j)),
    }
    return radii[rule]


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_the_contraction_of_each_rule_in_closed_form(rule: str) -> None:
    distances = np.linalg.norm(trajectory(rule)[SETTLED:], axis=(1, 2))
    measured = (distances[-1] / distances[0]) ** (1 / (len(distances) - 1))
    assert measured == pytest.approx(radius(rule), rel=0.005)


def test_the_first_rounds_by_hand() -> None:
    """Of z = x + iy in both dimensions; alternating rounds step y first."""
    start = 1 - 0.5j
    turned = 1 + 1j * RATE  # z - eta v(z) = z (1 + i eta)
    expected = {
        "simultaneous": [start, start * turned, start * turned**2],
        "extragradient": [start, start * (1 + 1j * RATE * turned)],
        # the first step before is 0: twice the first step
        "optimistic": [
            start,
            start * (1 + 2j * RATE),
            start * ((1 + 2j * RATE) ** 2 - 1j * RATE),
        ],
        "consensus": [start, start * (1 + RATE * (1j - WEIGHT))],
        "symplectic": [start, start * (1 + RATE * (1j - WEIGHT))],
    }
    for rule, points in expected.items():
        found = trajectory(rule)[: len(points)]
        for player, part in enumerate(("real", "imag")):
            by_hand = [[getattr(z, part)] * 2 for z in np.array(points)]
            np.testing.assert_allclose(found[:, player], by_hand, rtol=1e-5, err_msg=rule)


def test_lookahead_by_hand() -> None:
    x, y = slow = np.array([1.0, -0.5])
    points = [(x, y)]
    for update in range(1, 2 * ROUNDS + 1):
        y = y + RATE * x
        x = x - RATE * y
        if update % ROUNDS == 0:
            x, y = slow = slow + SHARE * (np.array([x, y]) - slow)
        points.append((x, y))
    found = trajectory("lookahead")[: len(points), :, 0]
    np.testing.assert_allclose(found, points, rtol=1e-5)


def test_the_picture_shows_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    from ways_to_step import trajectory as drawn

    z = np.array([1 - 1j, (1 - 1j) * (1 + 0.2j * (1 + 0.2j))])
    np.testing.assert_allclose(
        drawn("extragradient", rounds=1), np.stack([z.real, z.imag], 1), rtol=1e-5
    )


def test_players_are_one_vector_each() -> None:
    family = BilinearNetworks(BilinearNetworksConfig(x=[0.5, -1.0], y=[2.0]))
    generator, discriminator = family.generator(3, (2,)), family.discriminator((2,))
    assert torch.equal(generator(torch.randn(4, 3)), torch.tensor([[0.5, -1.0]]).expand(4, 2))
    points = torch.randn(4, 2)
    torch.testing.assert_close(discriminator(points), 2 * points.sum(1))


def test_a_starting_point_of_another_dimension_is_an_error() -> None:
    family = BilinearNetworks(BilinearNetworksConfig(x=[0.5, -1.0, 3.0]))
    with pytest.raises(ValueError, match=r"network\.x is \[0\.5, -1\.0, 3\.0\], and there are 2"):
        family.generator(3, (2,))


@pytest.mark.parametrize("dimensions", [1, 3])
def test_the_distance_of_both_players_is_measured(dimensions: int) -> None:
    gan, data = bilinear("alternating", dimensions=dimensions)
    found = evaluate(gan, data, 2)
    norm = math.sqrt(dimensions)
    assert found["equilibrium/theta"] == pytest.approx(norm)
    assert found["equilibrium/psi"] == pytest.approx(0.5 * norm)
    assert found["equilibrium/distance"] == pytest.approx(norm * math.hypot(1, 0.5))


def test_a_portrait_needs_one_dimension(tmp_path: Path) -> None:
    (line, _), (plane, data) = bilinear("alternating", dimensions=1), bilinear("alternating")
    players = dirac_parameters(line)
    assert players is not None
    assert players.values() == (1.0, 0.5)
    assert dirac_parameters(plane) is None
    portrait = PhasePortrait(tmp_path, 0)
    quiet_trainer(callbacks=[portrait]).fit(plane, datamodule=data)
    assert portrait.trajectory == []
    assert list(tmp_path.iterdir()) == []


def test_the_point_has_as_many_dimensions_as_the_config_says() -> None:
    data = Dirac(DiracConfig(batch_size=3, dimensions=2))
    assert data.spec.shape == (2,)
    assert torch.equal(data.training_data()[0], torch.zeros(3, 2))
    assert torch.equal(data.test_data().data, torch.zeros(1000, 2))
    assert Dirac(DiracConfig()).spec.shape == (1,)
