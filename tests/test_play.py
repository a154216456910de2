"""`play` without a browser: controls, pictures, drawings, and the command line."""

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
from gan_lightning.gans.controls import Choice, Slider
from gan_lightning.gans.directions import principal_directions
from gan_lightning.play.latents import interpolate
from gan_lightning.play.markup import decode_data_url, encode_data_url, image_row
from gan_lightning.play.playground import Pictures, Playground
from gan_lightning.play.serving import play
from gan_lightning.play.translator import Translator
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.build import build
from gan_lightning.types import Condition
from gan_lightning.utils.optional import install_command


def untrained_run(experiment: str, path: Path, *overrides: str) -> RunDirectory:
    """Create the run directory of an experiment before its first update."""
    config = load_config(read_yaml(experiment_path(experiment)), overrides)
    model, _ = build(config)
    folder = RunDirectory.create(experiment, path)
    folder.write_config(config)
    content: dict[str, Any] = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(content)
    folder.checkpoints.mkdir()
    torch.save(content, folder.checkpoints / "update_0000000.ckpt")
    return folder


LATENT_GANS = sorted(set(GANS) - {"pix2pix", "cyclegan"})
DIGITS = {"name": "mnist", "batch_size": 8}
DOMAINS = {"name": "mnist_domains", "batch_size": 8}
IMAGES = {"infogan": DIGITS, "cgan": DIGITS, "gan": DIGITS, "cogan": DOMAINS}


@cache
def build_gan(model: str, images: bool = False) -> tuple[GAN, BaseDataModule]:
    sections = {"data": IMAGES[model]} if images else {}
    gan, data = build(factories.make_config(model, **sections))
    assert isinstance(gan, GAN)
    return gan, data


@cache
def playground(model: str, images: bool = False) -> Playground:
    return Playground(*build_gan(model, images), directions=2)


def generate(ground: Playground, control: int, value: float, sample: int = 0) -> Pictures:
    """Set one control, all others 0; -1 for no control."""
    values = [0.0] * len(ground.controls)
    if control >= 0:
        values[control] = value
    return ground.generate(sample, 1, 0.0, values)


def differ(first: Pictures, second: Pictures) -> bool:
    pairs = zip(first.main, second.main, strict=True)
    return any(not np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("model", "images"),
    [*((model, False) for model in LATENT_GANS), *((model, True) for model in IMAGES)],
)
def test_every_control_changes_the_picture(model: str, images: bool) -> None:
    ground = playground(model, images)
    initial = generate(ground, -1, 0)
    assert all(picture.dtype == np.uint8 and picture.ndim == 3 for picture in initial.main)
    assert [control.part for control in ground.controls].count("latent") == 2
    for index, control in enumerate(ground.controls):
        extreme = control.limit if isinstance(control, Slider) else len(control.options) - 1
        assert differ(initial, generate(ground, index, extreme)), control
        with pytest.raises(ValueError, match="must be in"):
            generate(ground, index, extreme + 1)
    assert differ(initial, generate(ground, -1, 0, sample=1))
    assert not differ(initial, generate(ground, -1, 0))


@pytest.mark.parametrize("model", sorted(IMAGES))
def test_the_interpolation_ends_at_the_other_sample(model: str) -> None:
    ground = playground(model, True)
    values = [0.0] * len(ground.controls)
    start, end = ground.generate(3, 8, 0.0, values), ground.generate(3, 8, 1.0, values)
    assert not differ(end, ground.generate(8, 3, 0.0, values))
    domains = max(1, len(ground.domains))
    for rows, pictures in ((slice(None, domains), start), (slice(-domains, None), end)):
        np.testing.assert_array_equal(
            np.stack(pictures.main), np.stack(pictures.interpolation[rows])
        )


@pytest.mark.parametrize("model", ["cgan", "infogan"])
def test_alternatives_are_the_pictures_of_each_option(model: str) -> None:
    ground = playground(model, True)
    pictures = generate(ground, -1, 0)
    assert isinstance(ground.choice, Choice)
    assert len(pictures.alternatives) == len(ground.choice.options)
    choice = ground.controls.index(ground.choice)
    for option, picture in enumerate(pictures.alternatives):
        np.testing.assert_array_equal(generate(ground, choice, option).main[0], picture)


def test_controls_set_the_codes_of_the_generator() -> None:
    gan, _ = build_gan("infogan", True)
    ground = playground("infogan", True)
    values = {"Code c1, 3 categories": 2, "Code c2, 4 categories": 3}
    values |= {"Code c3, continuous": -1.5, "Code c4, continuous": 0.5}
    settings = [values.get(control.label, 0) for control in ground.controls]
    pictures = ground.generate(6, 1, 0.0, settings)
    latent = gan.prior(1, torch.Generator().manual_seed(6)).latent
    assert latent is not None
    codes = Condition(
        latent=latent,
        categorical=torch.tensor([[2, 3]]),
        continuous=torch.tensor([[-1.5, 0.5]]),
    )
    expected = to_uint8(gan.sample(1, codes, seed=0).data)[0]
    assert (
        np.abs(pictures.main[0].astype(int) - expected).max() <= 1
    )  # batch sizes round differently


def test_a_latent_is_shown_in_both_domains() -> None:
    gan, _ = build_gan("cogan", True)
    ground = playground("cogan", True)
    assert ground.domains == ("digits", "edges")
    assert ground.choice is None
    latent = gan.prior(1, torch.Generator().manual_seed(4)).latent
    assert latent is not None
    pair = Condition(latent=latent.expand(2, -1), labels=torch.arange(2))
    expected = to_uint8(gan.sample(2, pair, seed=0).data)
    images = np.stack(generate(ground, -1, 0, sample=4).main)
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_directions_are_those_along_which_features_vary() -> None:
    gan, _ = build_gan("gan")
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


def test_interpolation_by_prior() -> None:
    start, end = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])
    fractions = torch.tensor([0, 1 / 3, 0.5, 1])
    spherical = interpolate(start, end, fractions, "normal")
    third, half = torch.tensor([3**0.5 / 2, 0.5, 0]), torch.tensor([0.5**0.5, 0.5**0.5, 0])
    torch.testing.assert_close(spherical, torch.stack([start, third, half, end]))
    linear = interpolate(start, end, fractions, "uniform")
    torch.testing.assert_close(linear[1:3], torch.tensor([[2 / 3, 1 / 3, 0], [0.5, 0.5, 0]]))
    opposite = interpolate(start, -start, fractions, "normal")
    torch.testing.assert_close(opposite[[0, 2, 3], 0], torch.tensor([1.0, 0.0, -1.0]))


@cache
def translator() -> tuple[Translator, GAN, BaseDataModule]:
    network = {"name": "pix2pix", "width": 4, "patch": 16, "initialisation": "default"}
    gan, data = build(factories.make_config("pix2pix", network=network))
    assert isinstance(gan, Pix2Pix)
    return Translator(gan, data), gan, data


def test_a_drawing_is_translated_as_the_same_source_image() -> None:
    translation, gan, data = translator()
    test = data.test_data()
    assert test.source is not None
    assert test.labels is not None
    rows = [int((test.labels == digit).nonzero()[0]) for digit in range(10)]
    for row, example in zip(rows, translation.examples, strict=True):
        drawing = decode_data_url(encode_data_url(example), translation.shape)
        source_image, generated = translation.translate(drawing, seed=5)
        source = test.source[row : row + 1]
        np.testing.assert_array_equal(source_image, to_uint8(source)[0])
        expected = gan.sample(1, Condition(source=source), seed=5).data
        np.testing.assert_array_equal(generated, to_uint8(expected)[0])
        assert np.ptp(generated) > 20


def test_strokes_become_edges_as_in_the_training_data() -> None:
    translation, _, data = translator()
    test = data.test_data()
    assert test.source is not None
    source_image, generated = translation.translate(to_uint8(test.data[:1])[0], strokes=True)
    np.testing.assert_array_equal(source_image, to_uint8(test.source[:1])[0])
    np.testing.assert_array_equal(generated, translation.translate(source_image)[1])


def test_translations_depend_on_the_dropout_seed() -> None:
    translation, _, _ = translator()
    first, second = (translation.translate(translation.examples[0], s)[1] for s in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("channels", [1, 3])
def test_data_urls_are_lossless(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    url = encode_data_url(image)
    np.testing.assert_array_equal(decode_data_url(url, image.shape), image)
    with pytest.raises(ValueError, match="7 x 5 pixels; it must be 5 x 7"):
        decode_data_url(url, (7, 5, channels))


@pytest.mark.parametrize("url", ["", "data:image/png;base64,AAAA", "file:///etc/passwd"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="drawing"):
        decode_data_url(url, (5, 7, 1))


def test_names_are_escaped() -> None:
    html = image_row("<b>", [np.zeros((2, 2, 1), np.uint8)], ['"><script>'])
    assert "<b>" not in html
    assert "<script>" not in html


@pytest.mark.usefixtures("empty_folder")
def test_runs_without_a_page() -> None:
    for experiment, message in (
        ("classifier_mnist", ("generates nothing", "cgan", "infogan")),
        ("dirac_vanilla", ("generates scalars", "infogan_mnist or gan_ring")),
    ):
        untrained_run(experiment, Path(experiment))
        mistake(["play", experiment, "--port", "0"], *message)
    mistake(["play", "nowhere", "--port", "0"], "there is no run 'nowhere'")


@pytest.mark.usefixtures("empty_folder")
def test_invalid_options_of_play(ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(ring_run.folder)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        mistake(["play", folder, "--port", port], f"127.0.0.1:{port}", "--port", "is free")
    mistake(["play", folder, "--port", "70000"], "--port is 70000", "65535")
    mistake(["play", folder, "--host", "no such host"], "--host is 'no such host'", "127.0.0.1")
    mistake(["play", folder, "--host", "192.0.2.1"], "--host 192.0.2.1", "127.0.0.1")
    mistake(["play", folder, "--port", "0", "--directions", "-1"], "--directions is -1")
    mistake(["play", folder, "--port", "0", "--checkpoint", "bets"], "'bets'", "best, latest")
    monkeypatch.setitem(sys.modules, "gradio", None)
    mistake(["play", folder, "--port", "0"], install_command("play"))


def test_a_signal_just_before_the_wait_stops_the_server(
    ring_run: TinyRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda address: signal.raise_signal(signal.SIGINT))
    run = str(ring_run.folder)
    play(run, checkpoint="latest", directions=1, host="127.0.0.1", port=0, open_browser=True)
    assert capsys.readouterr().out.endswith("\nstopped\n")


def test_ctrl_c_stops_the_server_without_a_traceback(ring_run: TinyRun, tmp_path: Path) -> None:
    arguments = command("play", str(ring_run.folder), "--port", "0", "--no-browser")
    process = subprocess.Popen(
        arguments,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "press Ctrl-C to stop" in line, (line, process.stderr)
        address = next(
            word for word in line.split() if word.startswith("http://127.0.0.1:")
        ).rstrip(";")
        with urllib.request.urlopen(address, timeout=30) as page:
            assert b"GAN on a ring" in page.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out.split(), err) == (0, ["stopped"], "")
    assert list(tmp_path.iterdir()) == []
