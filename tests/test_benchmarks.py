import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from process_pool import SERVER

from gan_lightning.config.experiments import experiment_names, experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.data import DATASETS
from gan_lightning.gans import GANS
from gan_lightning.networks import NETWORKS
from gan_lightning.training.build import build

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
UPDATES = 3


@pytest.fixture
def loops(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import loops

    return loops


def weights_after(loops, loop, experiment, overrides):
    weights = {}

    def tick(model, updates):
        if updates >= UPDATES:
            weights.update(model.state_dict())
            raise loops.Finished

    config = load_config(read_yaml(experiment_path(experiment)), ["log.wandb=disabled", *overrides])
    with pytest.raises(loops.Finished):
        loop(config, tick)
    return weights


SMALL = ["data.batch_size=8", "trainer.precision=32-true"]
NARROW = [*SMALL, "network.width=8"]
SMALL_CONFIGS = {
    "infogan_mnist": ["data.batch_size=8", "trainer.precision=bf16-mixed"],
    "gan_mnist": SMALL,
    "gan_ring": ["data.batch_size=16", "trainer.rounds_per_batch=1"],
    "minibatch_ring": [f"trainer.rounds_per_batch={UPDATES}"],
    "packed_ring": ["data.batch_size=16", "trainer.rounds_per_batch=1"],
    "unrolled_ring": ["data.batch_size=16", "trainer.rounds_per_batch=1"],
    "wgan_ring": ["data.batch_size=16", "trainer.rounds_per_batch=1"],
    "wgan_gp_mnist": NARROW,
    "wgan_gp_ring": ["data.batch_size=16", "trainer.rounds_per_batch=1"],
    "ebgan_pt_mnist": SMALL,
    "began_fashion_mnist": [*NARROW, "data.name=mnist"],
    "dragan_fashion_mnist": [*NARROW, "data.name=mnist"],
    "projected_fashion_mnist": [*NARROW, "data.name=mnist"],
    "acgan_mnist": NARROW,
    "cgan_mnist": SMALL,
    "cogan_edges": NARROW,
    "semi_supervised_mnist": SMALL,
    "pix2pix_edges_mnist": NARROW,
    "cyclegan_openmoji": [
        *(*SMALL, "network.width=4", "network.blocks=1", "network.patch=16"),
        *("data.name=mnist_pairs", "model.pool_size=16"),
    ],
}
"""An experiment of every GAN, with overrides that make it small."""


@pytest.mark.parametrize("experiment", SMALL_CONFIGS)
def test_bare_loop_gives_the_weights_of_the_trainer(loops, experiment):
    expected = weights_after(loops, loops.trainer, experiment, SMALL_CONFIGS[experiment])
    bare = weights_after(loops, loops.bare, experiment, SMALL_CONFIGS[experiment])
    assert expected.keys() == bare.keys()
    for name, value in expected.items():
        # the bare loop does not update the counters of the averaged models
        if value.is_floating_point() or not name.startswith(("ema.", "averaged_classifier.")):
            torch.testing.assert_close(bare[name], value, rtol=0, atol=1e-7, msg=name)


CYCLEGAN = """
title: CycleGAN with pools that are full after two updates
model: {name: cyclegan, pool_size: 8, identity_weight: 2.5}
network: {name: cyclegan, width: 4, blocks: 1, patch: 16}
data: {name: mnist_pairs, batch_size: 4}
trainer: {max_updates: 4, precision: 32-true}
"""


def test_bare_loop_exchanges_the_images_of_a_full_pool_as_the_trainer_does(loops, tmp_path):
    path = tmp_path / "cyclegan.yaml"
    path.write_text(CYCLEGAN)
    expected = weights_after(loops, loops.trainer, str(path), [])
    bare = weights_after(loops, loops.bare, str(path), [])
    assert expected["targets.images"].abs().sum(dim=(1, 2, 3)).all()
    for name, value in expected.items():
        torch.testing.assert_close(bare[name], value, rtol=0, atol=1e-6, msg=name)


def test_every_gan_with_an_experiment_has_a_hand_written_version(loops):
    names = {load_config(read_yaml(experiment_path(n)), []).model.name for n in SMALL_CONFIGS}
    played = {read_yaml(path)["model"]["name"] for path in experiment_names().values()}
    assert names == set(GANS) & played


@pytest.mark.parametrize(
    "experiment", ["infogan_mnist", "wgan_ring", "pix2pix_edges_mnist", "semi_supervised_mnist"]
)
def test_textbook_loop_trains(loops, experiment):
    config = load_config(read_yaml(experiment_path(experiment)), ["data.batch_size=8"])
    before = build(config)[0].state_dict()
    after = weights_after(loops, loops.textbook, experiment, ["data.batch_size=8"])
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(value, before[name]) for name, value in after.items())


def test_a_ratio_is_the_median_over_starts_of_the_medians_over_blocks(loops):
    from timing import Spread, Timing

    slow, fast = [[2.0, 4.0, 6.0], [3.0, 3.0, 9.0], [5.0, 5.0, 5.0]], [1.0, 1.0, 2.0]
    timing = Timing([{"slow": blocks, "fast": fast} for blocks in slow])
    assert timing.ratios("slow", "fast") == Spread(median=3.0, min=3.0, max=5.0)
    assert timing.median("slow") == 5.0


@pytest.mark.usefixtures("restored_tables")  # importing the benchmarks registers a dataset
def test_measurements_are_stored_and_the_page_is_generated(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import performance
    import timing
    import training_step

    monkeypatch.setattr(timing, "get_context", lambda method: SERVER)  # saves three long imports
    monkeypatch.setitem(training_step.PLANS, "gan_ring", training_step.Plan(20, 20, 0.05))
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    arguments = "--only training_step --experiments gan_ring --repeats 1 --threads 1 --docs"
    performance.main([*arguments.split(), str(tmp_path)])
    assert capsys.readouterr().out.split()[:2] == ["gan_ring", "256"]
    parts = json.loads((tmp_path / "performance.json").read_text())
    row = parts["training_step"]["rows"]["gan_ring"]
    assert set(row["milliseconds"]) == {"trainer", "bare", "textbook"}
    assert all(value > 0 for value in row["milliseconds"].values())
    page = (tmp_path / "performance.md").read_text()
    assert "| gan_ring | 256 |" in page


SCRIPT = """
import argparse, numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
parser = argparse.ArgumentParser()
parser.add_argument("--batch_size", type=int)
parser.add_argument("--lr", type=float, default=2e-4)
opt = parser.parse_args()
def hidden(*widths):
    layers = []
    for before, after in zip(widths, widths[1:]):
        norm = [nn.BatchNorm1d(after, 0.8)] if before != 100 and widths[0] == 100 else []
        layers += [nn.Linear(before, after), *norm, nn.LeakyReLU(0.2)]
    return layers
generator = nn.Sequential(*hidden(100, 128, 256, 512, 1024), nn.Linear(1024, 784), nn.Tanh())
discriminator = nn.Sequential(*hidden(784, 512, 256), nn.Linear(256, 1))
digits = datasets.MNIST("nowhere", train=True, download=True, transform=transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize([0.5], [0.5])]))
loss = nn.BCEWithLogitsLoss()
for imgs, _ in DataLoader(digits, batch_size=opt.batch_size, shuffle=True):
    print("progress")
    ones, zeros = torch.ones(len(imgs), 1), torch.zeros(len(imgs), 1)
    fake = generator(torch.tensor(np.random.normal(size=(len(imgs), 100))).float())
    g_loss = loss(discriminator(fake), ones)
    d_loss = WEIGHT * (loss(discriminator(imgs.flatten(1)), ones)
                      + loss(discriminator(fake.detach()), zeros))
"""


@pytest.fixture
def restored_tables():
    before = [(table, dict(table)) for table in (GANS, NETWORKS, DATASETS)]
    yield
    for table, entries in before:
        table.clear()
        table.update(entries)


@pytest.mark.usefixtures("restored_tables")
def test_every_series_of_complexity_can_train(loops):
    import complexity
    import synthetic

    DATASETS["noise"] = synthetic.Noise  # restored_tables may have removed it
    for series in complexity.SERIES:
        smallest = [*series.overrides, f"{series.key}={series.values[0]}", "data.batch_size=4"]
        assert weights_after(loops, loops.trainer, series.experiment, smallest)


@pytest.mark.usefixtures("restored_tables")
@pytest.mark.parametrize(("weight", "equal"), [("0.5", True), ("0.6", False)])
def test_losses_of_a_peer_script_are_compared(weight, equal, monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from peers.same_work import loss_difference

    script = tmp_path / "implementations" / "gan" / "gan.py"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT.replace("WEIGHT", weight))
    before = Path.cwd()
    assert (loss_difference(tmp_path, "gan") < 1e-5) is equal
    assert Path.cwd() == before
    assert not capsys.readouterr().out


@pytest.fixture
def grid(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import ebgan_grid

    monkeypatch.setattr(ebgan_grid, "FOLDER", tmp_path)
    setting = {name: values[0] for name, values in ebgan_grid.GRID.items()}
    return ebgan_grid, setting, tmp_path


@pytest.mark.usefixtures("drawn_figures")
def test_grid_page_counts_the_settings_above_half_of_the_best_score(grid):
    module, setting, folder = grid
    scores = {"GAN": ["0.4", "1.1"], "EBGAN": ["1.3", "2.0"], "EBGAN-PT": ["0.99"]}
    rows = [
        {"method": method, **setting, module.SCORE: score, "classes/covered": "10"}
        for method, values in scores.items()
        for score in values
    ]
    module.write_page(rows, updates=7)
    page = (folder / "ebgan_grid.md").read_text()
    for line in ("| GAN | 2 | 1 |", "| EBGAN | 2 | 2 |", "| EBGAN-PT | 1 | 0 |"):
        assert line in page
    assert (folder / "ebgan_grid.png").stat().st_size > 1000


def test_grid_writes_no_row_for_a_run_that_a_signal_interrupted(grid, monkeypatch):
    module, setting, _ = grid
    interrupted = SimpleNamespace(stop_signal=15, measures={})
    monkeypatch.setattr(module, "train", lambda *args, **options: interrupted)
    with pytest.raises(SystemExit, match="143"):
        module.measure("EBGAN", setting, updates=3)


def test_scaling_prints_counts_and_predictions(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import scaling

    monkeypatch.setattr(sys, "argv", ["scaling.py", "--width", "4", "--gpus", "2", "8", "64"])
    scaling.main()
    counts, predictions = capsys.readouterr().out.split("\n\n")
    assert len(counts.splitlines()) == 3
    efficiency = [float(line.split()[-2].rstrip("%")) for line in predictions.splitlines()[2:]]
    assert efficiency == sorted(efficiency, reverse=True)
