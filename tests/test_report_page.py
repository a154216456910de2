"""A report in a browser: mouse and keyboard, desktop and phone, light and dark mode."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TinyRun, run_cli
from playwright.sync_api import Browser, Page

SCREENS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
    "night": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}


class Opened:
    """A report in a browser, with what it complained of and asked for."""

    def __init__(self, browser: Browser, path: Path, *, still: bool = False, **screen: Any) -> None:
        self.page: Page = browser.new_context(**screen).new_page()
        if still:  # time passes when the test says so
            self.page.clock.install(time=0)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")
        if still:
            self.page.clock.pause_at(10_000)


def until(page: Page, condition: str) -> None:
    """Wait for a JavaScript condition; playwright's own way to do so is one that the page bars."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never came true: {condition}")


@pytest.fixture(scope="module")
def report(trained: Callable[[str], TinyRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of points, of the same points again, and of digits."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    runs = [str(trained(name).folder) for name in ("gan_ring", "unrolled_ring", "infogan_mnist")]
    outcome = run_cli("report", *runs, "--output", str(path))
    assert outcome.code == 0, outcome.err
    return path


@pytest.fixture(scope="module")
def desk(browser: Browser, report: Path) -> Opened:
    return Opened(browser, report, **SCREENS["desk"])


@pytest.fixture(params=SCREENS)
def opened(
    request: pytest.FixtureRequest,
    browser: Browser,
    report: Path,
) -> Iterator[Opened]:
    opened = Opened(browser, report, **SCREENS[request.param])
    yield opened
    opened.page.context.close()


def test_a_page_is_whole_on_every_screen(opened: Opened, report: Path) -> None:
    page = opened.page
    assert opened.said == []
    assert {url.partition(":")[0] for url in opened.asked} <= {"file", "data", "blob"}
    assert [url for url in opened.asked if url.startswith("file")] == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#metrics tbody th").evaluate_all(
        "all => all.every((one) => one.getBoundingClientRect().width > 60)"
    )
    charts = page.locator("[data-figure]").count()
    assert charts >= 8
    assert page.locator("[data-figure] .main-svg").count() >= charts
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    assert page.locator("img").evaluate_all("all => all.every((one) => one.naturalWidth > 50)")
    # a wide picture beside another one fits, or on a phone is scrolled to its end
    wide = page.locator("#images-traversal img:not([hidden])")
    edges = """(image) => {
      const region = image.closest(".scroll"), other = image.closest("figure").cloneNode(true);
      region.closest(".frames").append(other);
      const hidden = region.scrollWidth - region.clientWidth;
      region.scrollLeft = hidden;
      const inside = region.getBoundingClientRect().right - image.getBoundingClientRect().right;
      const share = image.width / region.closest(".frames").clientWidth;
      other.remove();
      return [hidden, inside, share];
    }"""
    hidden, inside, share = wide.evaluate(edges)
    assert (hidden > 0) == (page.viewport_size == SCREENS["phone"]["viewport"])
    assert inside >= -1
    assert share >= 0.99
    assert page.locator("button, input, summary").evaluate_all(
        "all => all.filter((one) => !one.closest('.modebar'))"
        ".every((one) => one.getBoundingClientRect().height >= 24)"
    )


def test_charts_follow_day_and_night(desk: Opened) -> None:
    colours = []
    for scheme in ("light", "dark"):
        desk.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        until(
            desk.page,
            "document.querySelector('[data-figure]')._fullLayout.font.color =="
            "getComputedStyle(document.documentElement).getPropertyValue('--text').trim()",
        )
        colours.append(desk.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(20, 22, 26)"]


def test_the_toolbar_of_a_chart_covers_nothing_and_uploads_nothing(desk: Opened) -> None:
    chart = desk.page.locator("[data-figure=chart-1]")
    chart.hover()
    until(
        desk.page,
        "getComputedStyle(document.querySelector('[data-figure=chart-1] .modebar')).opacity == 1",
    )
    toolbar = chart.locator(".modebar, .modebar-group")
    grounds = toolbar.evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    assert len(grounds) > 2
    assert set(grounds) == {"rgba(0, 0, 0, 0)"}
    buttons = chart.locator(".modebar-btn").evaluate_all("all => all.map((x) => x.dataset.title)")
    assert set(buttons) == {
        *("Download plot as a PNG", "Zoom", "Pan"),
        *("Zoom in", "Zoom out", "Reset axes"),
    }


def test_a_picture_follows_the_arrow_keys(desk: Opened) -> None:
    section = desk.page.locator("#images-samples")
    slider, shown = section.locator("input[type=range]"), section.locator("img:not([hidden])")
    seen = []
    for key in ("End", "ArrowLeft", "ArrowRight"):
        slider.press(key)
        assert shown.count() == 1
        seen.append((shown.get_attribute("data-update"), slider.get_attribute("aria-valuetext")))
        assert f"at update {seen[-1][0]}" in section.locator("figcaption").inner_text()
    assert seen == [("4", "4"), ("2", "2"), ("4", "4")]


def test_points_follow_the_arrow_keys(desk: Opened, trained: Callable[[str], TinyRun]) -> None:
    slider = desk.page.locator("#points input[type=range]")
    for key, update in (("Home", 2), ("End", 4)):
        slider.press(key)
        for place, experiment in enumerate(("gan_ring", "unrolled_ring")):
            shown = desk.page.locator(f"#points [data-of-run='{place}'] .chart").evaluate(
                "chart => { const { x, y } = chart._fullData[1]; return [[...x], [...y]]; }"
            )
            kept = np.load(trained(experiment).folder / f"samples/points_{update:07d}.npy")
            np.testing.assert_allclose(np.transpose(shown), kept[:1000], rtol=1e-6)


def test_a_run_is_hidden_and_shown_by_keyboard(desk: Opened) -> None:
    page, button = desk.page, desk.page.locator(".runs button").nth(2)
    state = (
        "[...document.querySelectorAll('[data-figure]')].flatMap((chart) => chart.data)"
        ".filter((trace) => trace.meta?.run === 2).map((trace) => trace.visible)"
    )
    for pressed in ("false", "true"):
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == pressed
        assert set(page.evaluate(state)) == {pressed == "true"}
        assert page.locator("#images-samples figure").is_visible() == (pressed == "true")


def test_a_click_on_the_legend_hides_a_run(desk: Opened) -> None:
    chart = desk.page.locator("[data-figure=chart-1]")
    state = "chart => chart._fullData.map((trace) => [trace.name, trace.visible])"
    assert {visible for _, visible in chart.evaluate(state)} == {True}
    chart.locator(".legendtoggle").first.click()
    until(
        desk.page,
        "document.querySelector('[data-figure=chart-1]')._fullData[0].visible === 'legendonly'",
    )
    hidden = {name for name, visible in chart.evaluate(state) if visible is not True}
    assert hidden
    assert len({name.partition(":")[0] for name in hidden}) == 1
    assert len(hidden) < len(chart.evaluate(state))


@pytest.mark.parametrize(("motion", "wait"), [("no-preference", 300), ("reduce", 1200)])
def test_play_goes_through_the_pictures(
    motion: str,
    wait: int,
    browser: Browser,
    report: Path,
) -> None:
    opened = Opened(browser, report, still=True, **SCREENS["desk"], reduced_motion=motion)
    page = opened.page
    section = page.locator("#images-traversal")
    button, slider = section.locator(".play"), section.locator("input")
    button.press("Enter")
    assert (slider.input_value(), button.inner_text()) == ("0", "⏸ Pause")
    page.clock.run_for(wait - 50)
    assert slider.input_value() == "0"
    page.clock.run_for(100)
    assert slider.input_value() == "1"
    page.clock.run_for(wait)
    assert "Play" in button.inner_text()
    assert opened.said == []
    page.context.close()


def test_the_page_lets_nothing_out_or_in(desk: Opened) -> None:
    refused = desk.page.evaluate(
        """async () => {
          const refused = [];
          addEventListener("securitypolicyviolation", (event) =>
            refused.push(event.effectiveDirective));
          const picture = new Image();
          picture.src = "http://127.0.0.1:9/x.png";
          const script = document.createElement("script");
          script.textContent = "window.intruded = true";
          document.body.append(script);
          await fetch("http://127.0.0.1:9/x").catch(() => null);
          await new Promise((done) => setTimeout(done, 50));
          return [...refused, String(window.intruded)];
        }"""
    )
    assert set(refused) == {"img-src", "script-src-elem", "connect-src", "undefined"}


def test_every_slider_and_chart_is_named(desk: Opened) -> None:
    names = desk.page.locator("input, [role=img], [role=region]").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    assert len(names) >= 8
    assert all(names)
    words = [re.sub(r"\d[\d,.]*", "", name) for name in names if "by generator updates" in name]
    assert len(words) >= 6
