"""The GANs of `examples/`: written outside of the package, with all commands and all properties."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT, TINY_OVERRIDES, Once, run_cli

from gan_lightning.testing import check_datamodule, check_gan, check_network

EXAMPLES = CHECKOUT / "examples"

NARROW = {
    "lsgan": ("network.width=4",),
    "began": ("network.width=4", "network.code=8"),
    "cyclegan": ("network.width=4", "network.blocks=1"),
}
"""Overrides that make the networks of each example small."""

NO_TRAVERSAL = "translates images and has no codes to vary; use `sample`"


@pytest.fixture(autouse=True)
def _examples_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the modules of `examples/` be imported, as pytest does for a file next to its test."""
    monkeypatch.syspath_prepend(EXAMPLES)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name in NARROW:
            del sys.modules[name]


def words(name: str) -> list[str]:
    tiny = [word for word in TINY_OVERRIDES if not word.startswith("trainer.")]
    return [
        str(EXAMPLES / f"{name}.yaml"),
        *tiny,
        *NARROW[name],
        "pictures.every_n_updates=2",
        "log.wandb=disabled",
    ]


def succeed(*arguments: str) -> str:
    outcome = run_cli(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out


@pytest.fixture(scope="module")
def runs(once: Once) -> dict[str, Path]:
    """Train every example for four updates."""

    def train(folder: Path) -> dict[str, Path]:
        for name in NARROW:
            output = str(folder / name)
            succeed("train", *words(name), "trainer.max_updates=4", "--output", output)
        return {name: folder / name for name in NARROW}

    return once("examples", train)


def test_they_have_the_properties_of_gans() -> None:
    """One of them in two processes, too; the others share the code that would differ."""
    from began import BEGAN
    from cyclegan import CycleGAN
    from lsgan import LeastSquaresGAN

    check_gan(LeastSquaresGAN)
    check_gan(BEGAN, processes=False)
    check_gan(CycleGAN, config={"identity_weight": 0.5}, processes=False)


def test_their_networks_and_data_have_the_properties_of_these() -> None:
    from began import BEGANNetworks
    from cyclegan import ResidualNetworks, UnpairedDigits

    check_network(BEGANNetworks, config={"width": 4, "code": 8}, shapes=[(1, 32, 32), (3, 64, 64)])
    check_network(ResidualNetworks, config={"width": 4, "blocks": 1}, shapes=[(1, 32, 32)])
    check_datamodule(UnpairedDigits)


def test_lsgan_returns_the_losses_of_equation_2() -> None:
    from lsgan import squared_distance

    scores = torch.tensor([1.0, 3.0])
    assert squared_distance(scores, 0.0) == 5
    assert squared_distance(scores, 1.0) == 2


def test_began_moves_k_towards_the_balance() -> None:
    from began import BEGAN

    gan = BEGAN(BEGAN.Config(proportional_gain=0.1, diversity_ratio=0.5), "mlp", (2,))
    terms = [{"real": torch.tensor(3.0)}, {"generated": torch.tensor(0.5)}]
    gan.after_round(*terms)
    assert gan.k == pytest.approx(0.1 * (0.5 * 3 - 0.5))
    gan.after_round({"real": torch.tensor(0.0)}, {"generated": torch.tensor(9.0)})
    assert gan.k == 0
    assert "k" in gan.state_dict()


def test_cyclegan_shares_no_image_between_its_domains() -> None:
    from cyclegan import UnpairedDigits, UnpairedDigitsConfig

    data = UnpairedDigits(UnpairedDigitsConfig())
    targets, sources = data.training_data()[0], 255 - data.source_data()
    keys = [{row.numpy().tobytes() for row in part} for part in (targets, sources)]
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("name", ["began", "cyclegan"])
@pytest.mark.usefixtures("empty_folder")
def test_a_resumed_run_equals_an_uninterrupted_one(name: str, runs: dict[str, Path]) -> None:
    succeed("train", *words(name), "trainer.max_updates=2", "--output", "half")
    succeed("train", *words(name), "trainer.max_updates=4", "--resume", "half")
    weights = Path("half", "generator.safetensors").read_bytes()
    assert weights == (runs[name] / "generator.safetensors").read_bytes()


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.usefixtures("empty_folder")
def test_every_command_works_with_it(name: str, runs: dict[str, Path]) -> None:
    run = str(runs[name])
    assert "samples/duplicates" in succeed("evaluate", run)
    succeed("sample", run, "--count", "4", "--output", "samples.npz")
    traversal = run_cli("traverse", run, "--output", "traversal.png")
    if name == "cyclegan":
        assert NO_TRAVERSAL in traversal.err
    else:
        assert traversal.code == 0, traversal.err
    succeed("report", run, "--output", "report.html")
    succeed("timelapse", run, "--output", "timelapse.gif")
    succeed("export", run, "--output", "exported")


@pytest.mark.usefixtures("empty_folder")
def test_a_game_of_two_generators_is_verified() -> None:
    verified = run_cli("verify", *words("cyclegan"), "trainer.max_updates=2", "--seeds", "0")
    assert verified.code in (0, 1), verified.err  # the claim needs longer training
    assert "seed 0" in verified.out


@pytest.mark.usefixtures("empty_folder")
def test_runs_of_different_classes_are_compared(runs: dict[str, Path]) -> None:
    compared = succeed("compare", str(runs["lsgan"]), str(runs["began"]))
    assert "lsgan" in compared
    assert "began" in compared


def test_a_translator_has_a_playground(runs: dict[str, Path]) -> None:
    serving: Any = pytest.importorskip("gan_lightning.play.serving")
    assert serving.build_page(str(runs["cyclegan"]), directions=2) is not None
