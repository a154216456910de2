"""The pages of `play` in a browser: what moves, what it asks of whom, who can read it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gradio")

from process_pool import TIMEOUT
from test_play import initialised

from gan_lightning.callbacks.figures import to_uint8
from gan_lightning.play.markup import pixels_of
from gan_lightning.play.serving import page_of, serve
from gan_lightning.runs.directory import RunDirectory
from gan_lightning.training.restore import load_model
from gan_lightning.types import Condition

Picture = np.ndarray[Any, np.dtype[np.uint8]]

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass
class Seen:
    """A page that is open, and what it has asked for and complained of."""

    page: Any
    folder: RunDirectory
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def address(self, place: int = 0) -> str:
        """Return the address of a large picture, which holds its pixels."""
        found = self.page.locator("#picture img").nth(place).get_attribute("src")
        assert found is not None
        return str(found)

    def after(self, act: Callable[[], object], place: int = 0) -> str:
        """Do something that must change a large picture, and return its new address."""
        before = self.address(place)
        act()
        self.page.wait_for_function(
            "([place, before]) => document.querySelectorAll('#picture img')[place].src !== before",
            arg=[place, before],
            timeout=1000 * TIMEOUT,
        )
        return self.address(place)


@pytest.fixture(scope="module")
def opened(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Seen]]:
    """Open the page of an experiment's run, once."""
    pages: dict[str, Seen] = {}
    served = []

    def open_page(experiment: str) -> Seen:
        if experiment not in pages:
            path = tmp_path_factory.mktemp(experiment) / "run"
            folder = initialised(experiment, path, "network.initialisation=default")
            served.append(serve(page_of(str(folder.path), directions=2), "127.0.0.1", 0))
            seen = Seen(browser.new_page(viewport=DESK), folder)
            seen.page.on("request", lambda request: seen.asked.append(request.url))
            seen.page.on(
                "console",
                lambda said: seen.complaints.append(said.text) if said.type == "error" else None,
            )
            seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
            seen.page.goto(served[-1].address)
            seen.page.wait_for_selector("#picture img", timeout=1000 * TIMEOUT)
            pages[experiment] = seen
        return pages[experiment]

    yield open_page
    for seen in pages.values():
        seen.page.close()
    for server in served:
        server.close()


def slider(seen: Seen, name: str) -> Any:
    return seen.page.get_by_role("slider", name=name)


def test_sliders_move_the_codes(opened: Callable[[str], Seen]) -> None:
    seen = opened("infogan_mnist")
    code = slider(seen, "Code c2, continuous")
    first = seen.address()
    moved = seen.after(lambda: code.fill("1.5"))
    assert seen.after(lambda: code.press("ArrowLeft")) != moved
    assert seen.after(lambda: code.fill("0")) == first
    direction = slider(seen, "Direction 1")
    seen.after(lambda: direction.fill("4"))
    back = seen.page.get_by_role("button", name="Back to the sample itself")
    assert seen.after(back.click) == first
    assert direction.input_value() == "0"


def test_categories_are_picked(opened: Callable[[str], Seen]) -> None:
    seen = opened("infogan_mnist")
    first = seen.address()
    picked = seen.after(lambda: seen.page.get_by_role("radio", name="7").check())
    chosen = seen.page.locator("#rows .chosen")
    assert chosen.get_by_role("img").get_attribute("src") == picked
    assert "7" in chosen.inner_text()
    assert seen.after(lambda: seen.page.get_by_role("radio", name="0").check()) == first


def test_the_way_to_another_sample(opened: Callable[[str], Seen]) -> None:
    seen = opened("infogan_mnist")
    way = slider(seen, "From this sample to the other one")
    first = seen.address()
    seen.after(lambda: way.fill("0.5"))
    there = seen.after(lambda: way.fill("1"))
    assert seen.after(lambda: way.fill("0")) == first
    another = seen.page.get_by_role("button", name="Another sample")
    assert seen.after(another.click) == there
    number = seen.page.get_by_role("spinbutton", name="Sample", exact=True)
    assert number.input_value() == "1"
    assert seen.after(lambda: number.fill("0")) == first


def test_a_class_is_picked(opened: Callable[[str], Seen]) -> None:
    seen = opened("cgan_mnist")
    picked = seen.after(lambda: seen.page.get_by_role("radio", name="4").check())
    alternatives = seen.page.locator("#rows section").first.get_by_role("img")
    assert alternatives.count() == 10
    assert alternatives.nth(4).get_attribute("src") == picked


def test_a_drawing_is_translated(opened: Callable[[str], Seen]) -> None:
    seen = opened("pix2pix_edges_mnist")
    page = seen.page
    seen.after(lambda: page.get_by_role("button", name="Take source 4").click())
    gan, data, _ = load_model(seen.folder)
    test = data.test_data()
    row = int((test.labels == 3).nonzero()[0])
    source = test.source[row : row + 1]
    np.testing.assert_array_equal(picture(seen, 0), to_uint8(source)[0])
    expected = gan.sample(1, Condition(source=source), seed=0).data
    np.testing.assert_array_equal(picture(seen, 1), to_uint8(expected)[0])
    assert np.ptp(picture(seen, 1)) > 20

    seen.after(lambda: page.get_by_role("button", name="Clear").click())
    assert not picture(seen, 0).any()
    board = page.get_by_role("img", name="Drawing board")
    box = board.bounding_box()
    left, middle = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left + box["width"] / 2, middle, steps=5)
    page.mouse.up()
    wait_for_the_drawing(seen)
    rows, columns = picture(seen, 0)[..., 0].nonzero()
    assert set(rows) <= {14, 15, 16, 17}
    assert set(range(9, 23)) <= set(columns) <= set(range(7, 25))

    ends = page.get_by_role("radio", name=re.compile("whose edges"))
    line = picture(seen, 0)
    seen.after(ends.check)
    assert (picture(seen, 0).astype(int) + line <= 255).all()
    seen.after(lambda: page.get_by_role("radio", name=re.compile("line by line")).check())
    seen.after(lambda: page.get_by_role("button", name="Undo").click())
    assert not picture(seen, 0).any()

    board.focus()
    seen.after(lambda: page.keyboard.press("Space"))
    assert 1 <= (picture(seen, 0) > 0).sum() <= 9
    assert seen.after(lambda: page.get_by_role("button", name="Another draw").click(), 1)


def wait_for_the_drawing(seen: Seen) -> None:
    """Wait until the first picture is what is on the board; some answers come before that."""
    pixels = """() => {
      const {width, height} = document.querySelector("canvas");
      const pen = document.querySelector("canvas").getContext("2d");
      return Array.from(pen.getImageData(0, 0, width, height).data);
    }"""
    board = np.array(seen.page.evaluate(pixels), np.uint8).reshape(32, 32, 4)[..., :1]
    end = time.monotonic() + TIMEOUT
    while not np.array_equal(picture(seen, 0), board):
        assert time.monotonic() < end, "the drawing has not come"
        seen.page.wait_for_timeout(50)


def picture(seen: Seen, place: int) -> Picture:
    return pixels_of(seen.address(place), (32, 32, 1))


@pytest.mark.parametrize("experiment", ["infogan_mnist", "cgan_mnist", "pix2pix_edges_mnist"])
def test_a_page_asks_nobody_and_can_be_read(experiment: str, opened: Callable[[str], Seen]) -> None:
    seen = opened(experiment)
    outside = [
        url for url in seen.asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
    ]
    assert outside == []
    assert seen.complaints == []
    assert len(seen.asked) > 3
    nameless = "img:not([alt]), img[alt='']"
    assert seen.page.locator(nameless).count() == 0
    for control in seen.page.locator("input:visible, button:visible, canvas").all():
        snapshot = control.aria_snapshot()
        assert re.match(r"- '?\w+ \"", snapshot) or "text:" in snapshot, snapshot
    for view in (PHONE, DESK):
        seen.page.set_viewport_size(view)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert seen.page.evaluate(wide) <= 0
    seen.page.set_viewport_size(PHONE)
    seen.page.mouse.move(200, 700)
    seen.page.mouse.wheel(0, 600)
    seen.page.wait_for_function("window.scrollY > 200")
    assert 0 <= seen.page.locator("#picture img").first.bounding_box()["y"] < 200
    seen.page.set_viewport_size(DESK)
