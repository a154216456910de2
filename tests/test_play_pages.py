"""The pages of `play` in a browser: events, network requests, accessibility, layout."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from process_pool import TIMEOUT
from test_play import untrained_run

from gan_lightning.callbacks.figures import to_uint8
from gan_lightning.play.markup import decode_data_url
from gan_lightning.play.serving import build_page, serve
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model
from gan_lightning.types import Condition

pytestmark = pytest.mark.skipif(find_spec("gradio") is None, reason="needs the extra `play`")

Picture = np.ndarray[Any, np.dtype[np.uint8]]

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass
class OpenPage:
    """A page in the browser, the URLs that it requested, and the errors of its console."""

    page: Any
    folder: RunDirectory
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def url(self, index: int = 0) -> str:
        """Return the data URL of a large picture."""
        source = self.page.locator("#picture img").nth(index).get_attribute("src")
        assert source is not None
        return str(source)

    def url_after(self, action: Callable[[], object], index: int = 0) -> str:
        """Run an action that must change a large picture, and return its new data URL."""
        before = self.url(index)
        action()
        self.page.wait_for_function(
            "([index, before]) => document.querySelectorAll('#picture img')[index].src !== before",
            arg=[index, before],
            timeout=1000 * TIMEOUT,
        )
        return self.url(index)


@pytest.fixture(scope="module")
def open_page(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], OpenPage]]:
    """Return a function that opens the page of an experiment's run, once for the module."""
    pages: dict[str, OpenPage] = {}
    servers = []

    def open_once(experiment: str) -> OpenPage:
        if experiment not in pages:
            path = tmp_path_factory.mktemp(experiment) / "run"
            folder = untrained_run(experiment, path, "network.initialisation=default")
            servers.append(serve(build_page(str(folder.path), directions=2), "127.0.0.1", 0))
            opened = OpenPage(browser.new_page(viewport=DESKTOP), folder)
            opened.page.on("request", lambda request: opened.requests.append(request.url))
            opened.page.on(
                "console",
                lambda line: opened.errors.append(line.text) if line.type == "error" else None,
            )
            opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
            opened.page.goto(servers[-1].address)
            opened.page.wait_for_selector("#picture img", timeout=1000 * TIMEOUT)
            pages[experiment] = opened
        return pages[experiment]

    yield open_once
    for opened in pages.values():
        opened.page.close()
    for server in servers:
        server.close()


def slider(opened: OpenPage, name: str) -> Any:
    return opened.page.get_by_role("slider", name=name)


def test_sliders_change_the_codes(open_page: Callable[[str], OpenPage]) -> None:
    opened = open_page("infogan_mnist")
    code = slider(opened, "Code c2, continuous")
    first = opened.url()
    moved = opened.url_after(lambda: code.fill("1.5"))
    assert opened.url_after(lambda: code.press("ArrowLeft")) != moved
    assert opened.url_after(lambda: code.fill("0")) == first
    direction = slider(opened, "Direction 1")
    opened.url_after(lambda: direction.fill("4"))
    reset = opened.page.get_by_role("button", name="Reset directions")
    assert opened.url_after(reset.click) == first
    assert direction.input_value() == "0"


def test_radio_buttons_choose_the_category(open_page: Callable[[str], OpenPage]) -> None:
    opened = open_page("infogan_mnist")
    first = opened.url()
    picked = opened.url_after(lambda: opened.page.get_by_role("radio", name="7").check())
    chosen = opened.page.locator("#rows .chosen")
    assert chosen.get_by_role("img").get_attribute("src") == picked
    assert "7" in chosen.inner_text()
    assert opened.url_after(lambda: opened.page.get_by_role("radio", name="0").check()) == first


def test_the_interpolation_to_another_sample(open_page: Callable[[str], OpenPage]) -> None:
    opened = open_page("infogan_mnist")
    fraction = slider(opened, "From this sample to the other sample")
    first = opened.url()
    opened.url_after(lambda: fraction.fill("0.5"))
    end = opened.url_after(lambda: fraction.fill("1"))
    assert opened.url_after(lambda: fraction.fill("0")) == first
    next_sample = opened.page.get_by_role("button", name="Next sample", exact=True)
    assert opened.url_after(next_sample.click) == end
    number = opened.page.get_by_role("spinbutton", name="Sample", exact=True)
    assert number.input_value() == "1"
    assert opened.url_after(lambda: number.fill("0")) == first


def test_radio_buttons_choose_the_class(open_page: Callable[[str], OpenPage]) -> None:
    opened = open_page("cgan_mnist")
    picked = opened.url_after(lambda: opened.page.get_by_role("radio", name="4").check())
    alternatives = opened.page.locator("#rows section").first.get_by_role("img")
    assert alternatives.count() == 10
    assert alternatives.nth(4).get_attribute("src") == picked


def test_a_drawing_is_translated(open_page: Callable[[str], OpenPage]) -> None:
    opened = open_page("pix2pix_edges_mnist")
    page = opened.page
    opened.url_after(lambda: page.get_by_role("button", name="Load example 4").click())
    gan, data, _ = load_model(opened.folder)
    test = data.test_data()
    row = int((test.labels == 3).nonzero()[0])
    source = test.source[row : row + 1]
    np.testing.assert_array_equal(picture(opened, 0), to_uint8(source)[0])
    expected = gan.sample(1, Condition(source=source), seed=0).data
    np.testing.assert_array_equal(picture(opened, 1), to_uint8(expected)[0])
    assert np.ptp(picture(opened, 1)) > 20

    opened.url_after(lambda: page.get_by_role("button", name="Clear").click())
    assert not picture(opened, 0).any()
    canvas = page.get_by_role("img", name="Drawing canvas")
    box = canvas.bounding_box()
    left, middle = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left + box["width"] / 2, middle, steps=5)
    page.mouse.up()
    wait_for_the_drawing(opened)
    rows, columns = picture(opened, 0)[..., 0].nonzero()
    assert set(rows) <= {14, 15, 16, 17}
    assert set(range(9, 23)) <= set(columns) <= set(range(7, 25))

    strokes = page.get_by_role("radio", name=re.compile("whose edges"))
    line = picture(opened, 0)
    opened.url_after(strokes.check)
    assert (picture(opened, 0).astype(int) + line <= 255).all()
    opened.url_after(lambda: page.get_by_role("radio", name=re.compile("line by line")).check())
    opened.url_after(lambda: page.get_by_role("button", name="Undo").click())
    assert not picture(opened, 0).any()

    canvas.focus()
    opened.url_after(lambda: page.keyboard.press("Space"))
    assert 1 <= (picture(opened, 0) > 0).sum() <= 9
    assert opened.url_after(lambda: page.get_by_role("button", name="Next seed").click(), 1)


def wait_for_the_drawing(opened: OpenPage) -> None:
    """Wait until the source image is the drawing; responses to parts of it may arrive first."""
    pixels = """() => {
      const {width, height} = document.querySelector("canvas");
      const pen = document.querySelector("canvas").getContext("2d");
      return Array.from(pen.getImageData(0, 0, width, height).data);
    }"""
    drawing = np.array(opened.page.evaluate(pixels), np.uint8).reshape(32, 32, 4)[..., :1]
    end = time.monotonic() + TIMEOUT
    while not np.array_equal(picture(opened, 0), drawing):
        assert time.monotonic() < end, "the drawing does not arrive"
        opened.page.wait_for_timeout(50)


def picture(opened: OpenPage, index: int) -> Picture:
    return decode_data_url(opened.url(index), (32, 32, 1))


@pytest.mark.parametrize("experiment", ["infogan_mnist", "cgan_mnist", "pix2pix_edges_mnist"])
def test_pages_are_self_contained_and_accessible(
    experiment: str, open_page: Callable[[str], OpenPage]
) -> None:
    opened = open_page(experiment)
    external = [
        url
        for url in opened.requests
        if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
    ]
    assert external == []
    assert opened.errors == []
    assert len(opened.requests) > 3
    without_alt = "img:not([alt]), img[alt='']"
    assert opened.page.locator(without_alt).count() == 0
    for control in opened.page.locator("input:visible, button:visible, canvas").all():
        snapshot = control.aria_snapshot()
        assert re.match(r"- '?\w+ \"", snapshot) or "text:" in snapshot, snapshot
    for view in (PHONE, DESKTOP):
        opened.page.set_viewport_size(view)
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert opened.page.evaluate(overflow) <= 0
    opened.page.set_viewport_size(PHONE)
    opened.page.mouse.move(200, 700)
    opened.page.mouse.wheel(0, 600)
    opened.page.wait_for_function("window.scrollY > 200")
    assert 0 <= opened.page.locator("#picture img").first.bounding_box()["y"] < 200
    opened.page.set_viewport_size(DESKTOP)
