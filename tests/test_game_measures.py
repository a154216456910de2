"""Measures of the game: the field, its spectrum, steps, path angle, duality gap, the callback."""

from __future__ import annotations

import cmath
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import run_cli
from factories import (
    ALL_GANS,
    copy_weights,
    make_config,
    make_gan,
    make_real_batch,
    quiet_trainer,
    weights_equal,
)
from pytorch_lightning import Callback
from torch.autograd.functional import jacobian as autograd_jacobian
from torch.func import functional_call

from gan_lightning.callbacks import GameMeasures, list_checkpoints
from gan_lightning.config.schema import GAME_MEASURES, GameConfig
from gan_lightning.dashboard.panels import panel_of
from gan_lightning.game import (
    GradientField,
    discriminator_auc,
    duality_gap,
    eigenvalues,
    field_minibatch,
    held_out_minibatch,
    initial_point,
    jacobian,
    path_angle,
    probe,
    successive_steps,
    summarise_spectrum,
)
from gan_lightning.gans import GAN, GANS
from gan_lightning.training.build import build
from gan_lightning.training.checks import rounds_per_batch
from gan_lightning.training.train import train
from gan_lightning.types import Batch, Sample

MEASURED = (
    "game.enabled=true",
    "game.every_n_updates=2",
    f"game.measures=[{','.join(GAME_MEASURES)}]",
    "game.samples=8",
    "game.search_steps=2",
    "evaluation.samples=20",
    "evaluation.every_n_updates=2",
    "pictures.every_n_updates=2",
    "log.wandb=disabled",
    "log.every_n_updates=2",
)
INTERVALS = [
    f"{section}.every_n_updates=100" for section in ("evaluation", "pictures", "checkpoints", "log")
]
ORIGIN = Batch(torch.zeros(4, 1))


def dirac(theta: float, psi: float, **config: Any) -> GAN:
    """Return a Dirac GAN at a point."""
    return GANS["gan"](
        {"objective": "minimax", "latent_size": 1, **config},
        {"name": "dirac", "theta": theta, "psi": psi},
        (1,),
    )


@pytest.mark.parametrize("gamma", [0.0, 0.25, 1.0, 3.0])
def test_dirac_spectrum_is_that_of_the_closed_form(gamma: float) -> None:
    """Mescheder et al. 2018: -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2), with f'(0) = 1/2."""
    gan = dirac(0.0, 0.0, regularisation={"r1": gamma})
    with probe(gan, torch.float64):
        found = eigenvalues(GradientField(gan, ORIGIN, 0), 2)
    root = cmath.sqrt(gamma**2 / 4 - 0.25)
    expected = np.array([-gamma / 2 + root, -gamma / 2 - root])
    distances = np.abs(np.sort_complex(found) - np.sort_complex(expected))
    assert distances.max() < 1e-6


def test_arnoldi_finds_the_eigenvalues_of_the_whole_matrix() -> None:
    networks = {"name": "mlp", "generator_hidden": [16, 16], "discriminator_hidden": [16]}
    gan = GANS["gan"]({"latent_size": 2, "regularisation": {"r1": 0.1}}, networks, (2,))
    with probe(gan, torch.float64):
        field = GradientField(gan, make_real_batch(gan, 8), 0)
        assert len(field.start) > 400
        found = eigenvalues(field, 6, tolerance=0)
        every = np.linalg.eigvals(jacobian(field))
    expected = every[np.argsort(-np.abs(every))][:6]
    assert np.abs(found) == pytest.approx(np.abs(expected), rel=1e-4)
    assert np.sort(found.real) == pytest.approx(np.sort(expected.real), rel=1e-4, abs=1e-6)


def test_field_and_derivative_are_those_of_autograd() -> None:
    """Of a GAN without detached terms, whose Jacobian autograd can compute exactly."""
    networks = {"name": "mlp", "generator_hidden": [3], "discriminator_hidden": [4]}
    gan = GANS["gan"]({"latent_size": 2}, networks, (2,))
    real = make_real_batch(gan, 8)
    with probe(gan, torch.float64):
        field = GradientField(gan, real, 0)
        players = gan.discriminator, gan.generator
        named = [dict(player.named_parameters()) for player in players]
        latent = field.condition.latent

        def losses(point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            parts = iter(point.split([w.numel() for part in named for w in part.values()]))
            weights = [{name: next(parts).view_as(w) for name, w in part.items()} for part in named]
            fake = functional_call(gan.generator, weights[1], (latent,))
            scores = [
                functional_call(gan.discriminator, weights[0], (side,))
                for side in (real.data.double(), fake)
            ]
            softplus = torch.nn.functional.softplus
            return (
                softplus(-scores[0]).mean() + softplus(scores[1]).mean(),
                softplus(-scores[1]).mean(),
            )

        def vector(point: torch.Tensor) -> torch.Tensor:
            own = [torch.autograd.grad(loss, point, create_graph=True)[0] for loss in losses(point)]
            count = field.sizes[0]
            return torch.cat([own[0][:count], own[1][count:]])

        point = field.start.clone().requires_grad_(True)
        assert torch.allclose(field(), vector(point).detach(), atol=1e-12)
        exact = autograd_jacobian(vector, field.start)
        assert np.allclose(jacobian(field), -exact.numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ALL_GANS)
def test_measures_leave_no_trace_in_training(name: str, tmp_path: Path) -> None:
    """With the callback and without, all weights are equal in all bits; every GAN has measures."""
    weights = []
    for enabled in (False, True):
        model, data = build(make_config(name, "trainer.max_updates=3"))
        config = GameConfig(True, 2, ["accuracy", "gradients"], samples=4)
        callback = GameMeasures(tmp_path, data, config)
        trainer = quiet_trainer(callbacks=[callback] if enabled else [])
        trainer.fit(model, datamodule=data)
        weights.append(copy_weights(model))
    assert weights_equal(*weights)
    measured = {key: value for key, value in trainer.callback_metrics.items() if "game/" in key}
    assert len(measured) == 6
    assert all(value.isfinite() for value in measured.values())


class MeasuresAtTheStart(Callback):
    """Measures the first two steps of a Dirac GAN."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        with probe(pl_module, torch.float64):
            field = GradientField(pl_module, ORIGIN, 0)
            self.measures = successive_steps(pl_module, field)


def test_steps_of_a_rotating_game_turn_and_those_of_a_slope_do_not() -> None:
    for point, cosine in (((1.0, 0.0), 0.98), ((0.0, 0.0), 0.0)):
        gan = dirac(
            *point,
            discriminator_optimizer={"name": "sgd", "learning_rate": 0.1},
            generator_optimizer={"name": "sgd", "learning_rate": 0.1},
        )
        data = build(make_config("gan", data={"name": "dirac"}, network={"name": "dirac"}))[1]
        callback = MeasuresAtTheStart()
        quiet_trainer(callbacks=[callback], max_steps=1).fit(gan, datamodule=data)
        measured = callback.measures
        # the gradient of softplus(psi theta) in psi is sigmoid(psi theta) theta
        expected = abs(point[0]) / 2
        assert measured["game/gradient_norm/discriminator"] == pytest.approx(expected, abs=1e-6)
        assert measured["game/step_cosine/discriminator"] >= cosine


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    gan = make_gan("gan")
    real, fake = torch.randn(40, 2), torch.randn(30, 2).round()
    with torch.no_grad():
        scores = [gan.discriminate(side) for side in (real, fake)]
    pairs = scores[0][:, None] - scores[1][None]
    expected = ((pairs > 0).double() + 0.5 * (pairs == 0).double()).mean().item()
    found = discriminator_auc(gan, Batch(real), Sample(fake, make_gan("gan").prior(30)))
    assert found == pytest.approx(expected, abs=1e-12)


def test_duality_gap_of_the_linear_dirac_game_is_its_closed_form() -> None:
    """M = psi theta with a sign: k steps of rate eta gain k eta theta^2 and k eta psi^2."""
    optimizer = {"name": "sgd", "learning_rate": 0.1}
    gan = GANS["gan"](
        {
            "objective": "wasserstein",
            "latent_size": 1,
            "discriminator_optimizer": optimizer,
            "generator_optimizer": optimizer,
        },
        {"name": "dirac", "theta": 2.0, "psi": 3.0},
        (1,),
    )
    before = copy_weights(gan)
    gap = duality_gap(gan, ORIGIN, ORIGIN, steps=5)
    assert weights_equal(before, copy_weights(gan))
    assert gap["game/gain/discriminator"] == pytest.approx(0.5 * 2.0**2, rel=1e-5)
    assert gap["game/gain/generator"] == pytest.approx(0.5 * 3.0**2, rel=1e-5)
    assert gap["game/duality_gap"] == pytest.approx(0.5 * (2.0**2 + 3.0**2), rel=1e-5)


def test_path_angle_tells_attraction_from_rotation() -> None:
    """Through the equilibrium the field of R1 is along the path of psi; without R1 across it."""
    for gamma, expected in ((1.0, 1 / np.sqrt(1.25)), (0.0, 0.0)):
        gan = dirac(0.0, 0.0, regularisation={"r1": gamma})
        with probe(gan, torch.float64):
            field = GradientField(gan, ORIGIN, 0)
            start = torch.tensor([1.0, 0.0]).double()  # psi, theta
            path = path_angle(field, start, (0.5, 1.0, 1.5))
        # v at psi is (gamma psi, -psi / 2); before the end it points against the path
        assert path.cosines == pytest.approx([-expected, 0.0, expected], abs=1e-6)
        assert path.norms[1] == pytest.approx(0.0, abs=1e-9)


def test_initial_point_is_where_training_started() -> None:
    gan = make_gan("gan")
    with probe(gan, torch.float64):
        start = GradientField(gan, make_real_batch(gan, 4), 0).start
    assert torch.equal(start.float(), initial_point(gan))


@pytest.mark.usefixtures("drawn_figures")
def test_a_resumed_run_measures_the_same(tmp_path: Path) -> None:
    measured = []
    for name, goals in (("whole", [4]), ("parts", [2, 4])):
        folder, resumed = tmp_path / name, None
        for goal in goals:
            config = make_config("gan", f"trainer.max_updates={goal}", *MEASURED)
            outcome = train(config, "test", None if resumed else folder, resume=resumed)
            resumed = outcome.run_directory
        with (folder / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        last = list_checkpoints(outcome.run_directory.checkpoints)[-1]
        state = torch.load(last, weights_only=True)["callbacks"]["GameMeasures"]
        games = [
            {key: value for key, value in row.items() if key.startswith("game/")} for row in rows
        ]
        measured.append((games, state["spectra"]))
        assert (folder / "samples" / "game_0000004.png").is_file()
        assert not [key for key in (*games[0], "game") if panel_of(key) is None]
    (rows, spectra), (rows_of_parts, spectra_of_parts) = measured
    assert rows == rows_of_parts
    assert all(rows[-1].values())
    assert [update for update, _ in spectra] == [2, 4]
    for (update, values), (other_update, others) in zip(spectra, spectra_of_parts, strict=True):
        assert update == other_update
        assert torch.equal(values, others)


def test_game_is_measured_at_its_updates_in_batches_of_rounds() -> None:
    config = make_config("gan", "trainer.rounds_per_batch=0", "trainer.max_updates=100", *INTERVALS)
    assert rounds_per_batch(config, is_image=False) == 20
    config.game.enabled, config.game.every_n_updates = True, 25
    assert rounds_per_batch(config, is_image=False) == 5


def test_a_classifier_has_no_game() -> None:
    outcome = run_cli("train", "classifier_mnist", "game.enabled=true", "log.wandb=disabled")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "game.enabled is true, and model.name is" in outcome.err


def test_minibatches_have_what_a_gan_needs() -> None:
    for name in ("gan", "semi_supervised", "pix2pix"):
        model, data = build(make_config(name))
        assert isinstance(model, GAN)
        for minibatch in (field_minibatch, held_out_minibatch):
            real = minibatch(data, 6, 0, model.device)
            assert real.data.shape == (6, *data.spec.shape)
            assert (real.labelled is None) == (name != "semi_supervised")
            assert (real.source is None) == (name != "pix2pix")
            assert torch.equal(minibatch(data, 6, 0, model.device).data, real.data)


def test_summary_of_a_spectrum() -> None:
    found = summarise_spectrum(np.array([3j, -3j, -4 + 0j]))
    assert found == {
        "game/eigenvalue_real": 0.0,
        "game/eigenvalue_imaginary": 3.0,
        "game/rotation": pytest.approx(18 / 34),
    }
    assert summarise_spectrum(np.array([])) == {}
