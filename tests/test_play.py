"""What a person's controls make of a generator, without a page."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import factories
import numpy as np
import pytest
import torch
from bad_inputs import mistake
from conftest import TinyRun, command
from torch import nn

from gan_lightning.callbacks.figures import to_uint8
from gan_lightning.config.experiments import experiment_path, read_yaml
from gan_lightning.config.load import load_config
from gan_lightning.data import BaseDataModule
from gan_lightning.gans import GAN, GANS, Pix2Pix
from gan_lightning.play.controls import Choice, Slider
from gan_lightning.play.latents import interpolated, principal_directions
from gan_lightning.play.markup import data_url, figure, pixels_of
from gan_lightning.play.playground import Playground, Shown
from gan_lightning.play.serving import play
from gan_lightning.play.translator import Translator
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.types import Condition


def initialised(experiment: str, path: Path, *overrides: str) -> RunDirectory:
    """Make the run folder of an experiment that is about to make its first update."""
    config = load_config(read_yaml(experiment_path(experiment)), overrides)
    learner, _ = build(config)
    folder = RunDirectory.create(experiment, path)
    folder.write_config(config)
    content: dict[str, Any] = {"state_dict": learner.state_dict()}
    learner.on_save_checkpoint(content)
    folder.checkpoints.mkdir()
    torch.save(content, folder.checkpoints / "update_0000000.ckpt")
    return folder


NOISE_MAKERS = sorted(name for name, gan in GANS.items() if gan is not Pix2Pix)
DIGITS = {"name": "mnist", "batch_size": 8}
DOMAINS = {"name": "mnist_domains", "batch_size": 8}
IMAGES = {"infogan": DIGITS, "cgan": DIGITS, "gan": DIGITS, "cogan": DOMAINS}


@cache
def built(model: str, images: bool = False) -> tuple[GAN, BaseDataModule]:
    sections = {"data": IMAGES[model]} if images else {}
    gan, data = build(factories.make_config(model, **sections))
    assert isinstance(gan, GAN)
    return gan, data


@cache
def playground(model: str, images: bool = False) -> Playground:
    return Playground(*built(model, images), directions=2)


def moved(ground: Playground, place: int, value: float, sample: int = 0) -> Shown:
    values = [0.0] * len(ground.controls)
    if place >= 0:
        values[place] = value
    return ground.show(sample, 1, 0.0, values)


def differ(first: Shown, second: Shown) -> bool:
    pairs = zip(first.picture, second.picture, strict=True)
    return any(not np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("model", "images"),
    [*((model, False) for model in NOISE_MAKERS), *((model, True) for model in IMAGES)],
)
def test_every_control_changes_the_picture(model: str, images: bool) -> None:
    ground = playground(model, images)
    still = moved(ground, -1, 0)
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in still.picture)
    assert [control.part for control in ground.controls].count("latent") == 2
    for place, control in enumerate(ground.controls):
        extreme = control.reach if isinstance(control, Slider) else len(control.names) - 1
        assert differ(still, moved(ground, place, extreme)), control
        with pytest.raises(ValueError, match="must lie in"):
            moved(ground, place, extreme + 1)
    assert differ(still, moved(ground, -1, 0, sample=1))
    assert not differ(still, moved(ground, -1, 0))


@pytest.mark.parametrize("model", sorted(IMAGES))
def test_the_way_ends_at_the_other_sample(model: str) -> None:
    ground = playground(model, True)
    values = [0.0] * len(ground.controls)
    arrived, there = ground.show(3, 8, 1.0, values), ground.show(8, 3, 0.0, values)
    assert not differ(arrived, there)
    domains = max(1, len(ground.domains))
    for end, shown in (
        (slice(None, domains), ground.show(3, 8, 0.0, values)),
        (slice(-domains, None), arrived),
    ):
        np.testing.assert_array_equal(np.stack(shown.picture), np.stack(shown.between[end]))


@pytest.mark.parametrize("model", ["cgan", "infogan"])
def test_alternatives_are_what_each_choice_shows(model: str) -> None:
    ground = playground(model, True)
    shown = moved(ground, -1, 0)
    assert isinstance(ground.choice, Choice)
    assert len(shown.alternatives) == len(ground.choice.names)
    place = ground.controls.index(ground.choice)
    for name, picture in enumerate(shown.alternatives):
        np.testing.assert_array_equal(moved(ground, place, name).picture[0], picture)


def test_codes_are_what_the_model_is_given() -> None:
    gan, _ = built("infogan", True)
    ground = playground("infogan", True)
    values = {"Code c1, of 3 categories": 2, "Code c2, of 4 categories": 3}
    values |= {"Code c3, continuous": -1.5, "Code c4, continuous": 0.5}
    shown = ground.show(6, 1, 0.0, [values.get(control.label, 0) for control in ground.controls])
    latent = gan.prior(1, torch.Generator().manual_seed(6)).latent
    assert latent is not None
    codes = Condition(
        latent=latent,
        categorical=torch.tensor([[2, 3]]),
        continuous=torch.tensor([[-1.5, 0.5]]),
    )
    expected = to_uint8(gan.sample(1, codes, seed=0).data)[0]
    assert np.abs(shown.picture[0].astype(int) - expected).max() <= 1  # another batch size rounds


def test_a_latent_is_shown_in_both_domains() -> None:
    gan, _ = built("cogan", True)
    ground = playground("cogan", True)
    assert ground.domains == ("digits", "edges")
    assert ground.choice is None
    latent = gan.prior(1, torch.Generator().manual_seed(4)).latent
    assert latent is not None
    pair = Condition(latent=latent.expand(2, -1), labels=torch.arange(2))
    expected = to_uint8(gan.sample(2, pair, seed=0).data)
    shown = np.stack(moved(ground, -1, 0, sample=4).picture)
    assert np.abs(shown.astype(int) - expected).max() <= 1


def test_directions_are_where_the_features_vary() -> None:
    gan, _ = built("gan")
    first = next(layer for layer in gan.generator.modules() if isinstance(layer, nn.Linear))
    planted = torch.tensor([[0.6, 0, 0.8, 0], [0, 1, 0, 0]])
    before = first.weight.clone()
    state = torch.get_rng_state()
    try:
        with torch.no_grad():
            outer = torch.linspace(-1, 1, len(first.weight))[:, None]
            first.weight.copy_(3 * outer * planted[0] + outer.flip(0).abs() * planted[1])
        found = principal_directions(gan, 2)
        again = principal_directions(gan, 2)
    finally:
        with torch.no_grad():
            first.weight.copy_(before)
    assert torch.equal(found, again)
    assert torch.equal(torch.get_rng_state(), state)
    assert ((found * planted).sum(1) > 0.98).all(), found
    assert principal_directions(gan, 0).shape == (0, 4)
    assert principal_directions(gan, 9).shape == (4, 4)


def test_ways_by_prior() -> None:
    start, end = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])
    places = torch.tensor([0, 1 / 3, 0.5, 1])
    round_way = interpolated(start, end, places, "normal")
    third, half = torch.tensor([3**0.5 / 2, 0.5, 0]), torch.tensor([0.5**0.5, 0.5**0.5, 0])
    torch.testing.assert_close(round_way, torch.stack([start, third, half, end]))
    straight = interpolated(start, end, places, "uniform")
    torch.testing.assert_close(straight[1:3], torch.tensor([[2 / 3, 1 / 3, 0], [0.5, 0.5, 0]]))
    opposite = interpolated(start, -start, places, "normal")
    torch.testing.assert_close(opposite[[0, 2, 3], 0], torch.tensor([1.0, 0.0, -1.0]))


@cache
def translator() -> tuple[Translator, GAN, BaseDataModule]:
    network = {"name": "pix2pix", "width": 4, "patch": 16, "initialisation": "default"}
    gan, data = build(factories.make_config("pix2pix", network=network))
    assert isinstance(gan, Pix2Pix)
    return Translator(gan, data), gan, data


def test_a_drawing_of_test_edges_is_their_translation() -> None:
    ground, gan, data = translator()
    test = data.test_data()
    assert test.source is not None
    assert test.labels is not None
    rows = [int((test.labels == digit).nonzero()[0]) for digit in range(10)]
    for row, example in zip(rows, ground.examples, strict=True):
        drawn = pixels_of(data_url(example), ground.shape)
        seen, made = ground.translate(drawn, noise=5)
        source = test.source[row : row + 1]
        np.testing.assert_array_equal(seen, to_uint8(source)[0])
        expected = gan.sample(1, Condition(source=source), seed=5).data
        np.testing.assert_array_equal(made, to_uint8(expected)[0])
        assert np.ptp(made) > 20


def test_strokes_become_edges_as_in_training() -> None:
    ground, _, data = translator()
    test = data.test_data()
    assert test.source is not None
    seen, made = ground.translate(to_uint8(test.data[:1])[0], strokes=True)
    np.testing.assert_array_equal(seen, to_uint8(test.source[:1])[0])
    np.testing.assert_array_equal(made, ground.translate(seen)[1])


def test_noise_is_another_translation() -> None:
    ground, _, _ = translator()
    first, second = (ground.translate(ground.examples[0], noise)[1] for noise in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("channels", [1, 3])
def test_addresses_hold_pictures_exactly(channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    np.testing.assert_array_equal(pixels_of(data_url(picture), picture.shape), picture)
    with pytest.raises(ValueError, match="7 x 5 pixels; it must be 5 x 7"):
        pixels_of(data_url(picture), (7, 5, channels))


@pytest.mark.parametrize("url", ["", "data:image/png;base64,AAAA", "file:///etc/passwd"])
def test_what_is_no_drawing(url: str) -> None:
    with pytest.raises(ValueError, match="drawing"):
        pixels_of(url, (5, 7, 1))


def test_names_are_written_as_text() -> None:
    picture = np.zeros((2, 2, 1), np.uint8)
    html = figure("<b>", [picture], ['"><script>'])
    assert "<b>" not in html
    assert "<script>" not in html


@pytest.mark.usefixtures("empty_folder")
def test_runs_that_cannot_be_played() -> None:
    for experiment, said in (
        ("classifier_mnist", ("generates nothing to play with", "cgan", "infogan")),
        ("dirac_vanilla", ("numbers on a line", "infogan_mnist or gan_ring")),
    ):
        initialised(experiment, Path(experiment))
        mistake(["play", experiment, "--port", "0"], *said)
    mistake(["play", "nowhere", "--port", "0"], "there is no run 'nowhere'")


@pytest.mark.usefixtures("empty_folder")
def test_mistakes_of_a_play(ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(ring_run.folder)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        mistake(["play", folder, "--port", port], f"127.0.0.1:{port}", "--port", "is free")
    mistake(["play", folder, "--port", "70000"], "--port is 70000", "65535")
    mistake(["play", folder, "--host", "no such host"], "--host is 'no such host'", "127.0.0.1")
    mistake(["play", folder, "--host", "192.0.2.1"], "--host 192.0.2.1", "127.0.0.1")
    mistake(["play", folder, "--port", "0", "--directions", "-1"], "--directions is -1")
    mistake(["play", folder, "--port", "0", "--checkpoint", "bets"], "'bets'", "best, latest")
    monkeypatch.setitem(sys.modules, "gradio", None)
    mistake(["play", folder, "--port", "0"], "pip install 'gan-lightning[play]'")


def test_a_signal_before_it_waits_ends_it_too(
    ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda address: signal.raise_signal(signal.SIGINT))
    run = str(ring_run.folder)
    play(run, checkpoint="latest", directions=1, host="127.0.0.1", port=0, open_browser=True)
    assert capsys.readouterr().out.endswith("\nstopped\n")


def test_ctrl_c_ends_it_in_one_line(ring_run: TinyRun, tmp_path: Path) -> None:
    words = command("play", str(ring_run.folder), "--port", "0", "--no-browser")
    process = subprocess.Popen(
        words,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "Ctrl-C ends it" in line, (line, process.stderr)
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        with urllib.request.urlopen(address, timeout=30) as page:
            assert b"GAN on a ring" in page.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out.split(), err) == (0, ["stopped"], "")
    assert list(tmp_path.iterdir()) == []
