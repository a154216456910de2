import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import CHECKOUT
from process_pool import TIMEOUT

from gan_lightning.config.experiments import experiment_path, read_yaml
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

    def tick(learner, updates):
        if updates >= UPDATES:
            weights.update(learner.state_dict())
            raise loops.Finished

    config = load_config(read_yaml(experiment_path(experiment)), ["log.wandb=disabled", *overrides])
    with pytest.raises(loops.Finished):
        loop(config, tick)
    return weights


SMALL = ["data.batch_size=8", "trainer.precision=32-true"]
NARROW = [*SMALL, "network.width=8"]
WORK = {
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
    "acgan_mnist": NARROW,
    "cgan_mnist": SMALL,
    "cogan_edges": NARROW,
    "semi_supervised_mnist": SMALL,
    "pix2pix_edges_mnist": NARROW,
}
"""Experiments of every GAN, and what makes them small."""


@pytest.mark.parametrize("experiment", WORK)
def test_bare_loop_does_the_trainers_work(loops, experiment):
    ours = weights_after(loops, loops.trainer, experiment, WORK[experiment])
    bare = weights_after(loops, loops.bare, experiment, WORK[experiment])
    assert ours.keys() == bare.keys()
    for name, value in ours.items():
        # the counters inside a running average are kept by PyTorch's class
        if value.is_floating_point() or not name.startswith(("ema.", "averaged_classifier.")):
            torch.testing.assert_close(bare[name], value, rtol=0, atol=1e-7, msg=name)


def test_every_gan_has_a_game_by_hand(loops):
    written = {load_config(read_yaml(experiment_path(name)), []).model.name for name in WORK}
    assert written == set(GANS)


@pytest.mark.parametrize(
    "experiment", ["infogan_mnist", "wgan_ring", "pix2pix_edges_mnist", "semi_supervised_mnist"]
)
def test_textbook_loop_trains(loops, experiment):
    config = load_config(read_yaml(experiment_path(experiment)), ["data.batch_size=8"])
    before = build(config)[0].state_dict()
    after = weights_after(loops, loops.textbook, experiment, ["data.batch_size=8"])
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(value, before[name]) for name, value in after.items())


def test_what_is_measured_is_kept_and_made_a_page_of(tmp_path):
    arguments = ["--only", "steps", "--experiments", "gan_ring", "--repeats", "2", "--threads", "1"]
    script = "import step; step.PLANS['gan_ring'] = step.Plan(20, 20, 0.05)\n"
    script += "import performance; performance.main()"
    command = [sys.executable, "-c", script, *arguments, "--docs", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), str(CHECKOUT)])}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["gan_ring", "256"]
    kept = json.loads((tmp_path / "performance.json").read_text())["steps"]["rows"]["gan_ring"]
    assert set(kept["milliseconds"]) == {"trainer", "bare", "textbook"}
    assert all(value > 0 for value in kept["milliseconds"].values())
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
    print("a line that nobody reads")
    ones, zeros = torch.ones(len(imgs), 1), torch.zeros(len(imgs), 1)
    fake = generator(torch.tensor(np.random.normal(size=(len(imgs), 100))).float())
    g_loss = loss(discriminator(fake), ones)
    d_loss = SHARE * (loss(discriminator(imgs.flatten(1)), ones)
                      + loss(discriminator(fake.detach()), zeros))
"""


@pytest.fixture
def tables_put_back():
    before = [(table, dict(table)) for table in (GANS, NETWORKS, DATASETS)]
    yield
    for table, entries in before:
        table.clear()
        table.update(entries)


@pytest.mark.usefixtures("tables_put_back")
def test_every_series_that_grows_can_train(loops):
    import growth
    import synthetic

    DATASETS["noise"] = synthetic.Noise  # what another test's import has put in is taken out again
    for series in growth.SERIES:
        smallest = [*series.overrides, f"{series.key}={series.values[0]}", "data.batch_size=4"]
        assert weights_after(loops, loops.trainer, series.experiment, smallest)


@pytest.mark.usefixtures("tables_put_back")
@pytest.mark.parametrize(("share", "same"), [("0.5", True), ("0.6", False)])
def test_a_peers_losses_are_compared_with_ours(share, same, monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from peers.same_work import same_losses

    script = tmp_path / "implementations" / "gan" / "gan.py"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT.replace("SHARE", share))
    before = Path.cwd()
    assert (same_losses(tmp_path, "gan") < 1e-5) is same
    assert Path.cwd() == before
    assert not capsys.readouterr().out


@pytest.fixture
def grid(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import ebgan_grid

    monkeypatch.setattr(ebgan_grid, "FOLDER", tmp_path)
    setting = {name: values[0] for name, values in ebgan_grid.GRID.items()}
    return ebgan_grid, setting, tmp_path


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


def test_grid_keeps_no_row_of_a_run_that_a_signal_ended(grid, monkeypatch):
    module, setting, _ = grid
    ended = SimpleNamespace(interrupted=15, measures={})
    monkeypatch.setattr(module, "train", lambda *args, **options: ended)
    with pytest.raises(SystemExit, match="143"):
        module.measured("EBGAN", setting, updates=3)


def test_the_prediction_counts_what_is_sent(monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import scaling

    monkeypatch.setattr(sys, "argv", ["scaling.py", "--width", "4", "--gpus", "2", "8", "64"])
    scaling.main()
    counts, predictions = capsys.readouterr().out.split("\n\n")
    assert len(counts.splitlines()) == 3
    shares = [float(line.split()[-2].rstrip("%")) for line in predictions.splitlines()[2:]]
    assert shares == sorted(shares, reverse=True)
