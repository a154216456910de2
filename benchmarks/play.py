"""How long a page of `gan-lightning play` takes to answer: from a slider to another picture.

    python benchmarks/play.py RUN... [--repeats 20] [--threads 2]

A slider is moved (of pix2pix: another source is put on the board) in a headless Chromium, from the
event to the new picture in the page; and the same is asked for over HTTP, from a connection of its
own. Model, server and browser share this machine. Milliseconds, the median of the repeats.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
import urllib.request
from statistics import median

import torch

from gan_lightning.play.serving import page_of, serve
from gan_lightning.utils.tables import markdown_table

MOVE = """async repeats => {
  const sliders = [...document.querySelectorAll('input[type=range]')];
  const sources = [...document.querySelectorAll('.examples button')];
  const shown = () => [...document.querySelectorAll('#picture img')].at(-1).src;
  const times = [];
  for (let turn = 0; turn < repeats; turn++) {
    const before = shown();
    const start = performance.now();
    if (sources.length) sources[(turn + 1) % sources.length].click();
    else {
      sliders[0].value = (turn % 2 ? -1 : 1) * sliders[0].max * (1 - 0.02 * turn);
      sliders[0].dispatchEvent(new Event('input', {bubbles: true}));
    }
    while (shown() === before) {
      if (performance.now() - start > 10000) throw new Error('the picture does not change');
      await new Promise(requestAnimationFrame);
    }
    times.push(performance.now() - start);
    await new Promise(done => setTimeout(done, 150));
  }
  return times;
}"""


def in_browser(address: str, chromium: str, repeats: int) -> tuple[list[float], dict[str, object]]:
    """Time moves on a page, and return the first request that one makes.

    Returns:
        Milliseconds of each; and the request's address and data.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[dict[str, object]] = []
        page.goto(address)
        page.wait_for_selector("#picture img")
        page.wait_for_timeout(1000)
        page.on(
            "request",
            lambda request: (
                asked.append({"address": request.url, "data": request.post_data})
                if request.method == "POST"
                else None
            ),
        )
        page.evaluate(MOVE, 3)
        times = page.evaluate(MOVE, repeats)
        browser.close()
    return [float(took) for took in times], asked[0]


def over_http(request: dict[str, object], repeats: int) -> tuple[list[float], int]:
    """Time a request, and count the bytes of its answer."""
    times, size = [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        asked = urllib.request.Request(
            str(request["address"]),
            data=str(request["data"]).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            content = answer.read()
        times.append(1000 * (time.perf_counter() - start))
        size = len(content)
        assert json.loads(content)["data"]
    return times, size


def main() -> None:
    """Time the pages of some runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder or experiment")
    parser.add_argument("--repeats", type=int, default=20, help="of each page")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="path of a Chromium")
    words = parser.parse_args()
    if words.chromium is None:
        parser.error("there is no Chromium on PATH; name one by --chromium PATH")
    rows = []
    for run in words.runs:
        served = serve(page_of(run), "127.0.0.1", 0)
        torch.set_num_threads(words.threads)
        try:
            seen, request = in_browser(served.address, words.chromium, words.repeats)
            answered, size = over_http(request, words.repeats)
        finally:
            served.close()
        row = [run, *(f"{took:.0f}" for took in (median(seen), max(seen), median(answered)))]
        rows.append([*row, f"{size / 1000:.0f}"])
    header = ["run", "browser", "browser, slowest", "HTTP", "answer, kB"]
    print(markdown_table([header, *rows]))


if __name__ == "__main__":
    main()
