"""Measure the latency of a page of `gan-lightning play`: from a slider event to the new picture.

    python benchmarks/play.py RUN... [--repeats 20] [--threads 2]

In a headless Chromium, a slider is moved (for pix2pix another example is put on the canvas), and
the time from the event to the new picture is measured. The same request is also sent over HTTP on a
connection of its own. Model, server and browser share this machine. The table shows the median
milliseconds over the repeats.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
import urllib.request
from statistics import median

import torch

from gan_lightning.play.serving import build_page, serve
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


def time_in_browser(
    address: str, chromium: str, repeats: int
) -> tuple[list[float], dict[str, object]]:
    """Time moves of a control on a page, and record the first request that one of them sends.

    Returns:
        The milliseconds of each move, and the address and data of the request.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        requests: list[dict[str, object]] = []
        page.goto(address)
        page.wait_for_selector("#picture img")
        page.wait_for_timeout(1000)
        page.on(
            "request",
            lambda request: (
                requests.append({"address": request.url, "data": request.post_data})
                if request.method == "POST"
                else None
            ),
        )
        page.evaluate(MOVE, 3)
        times = page.evaluate(MOVE, repeats)
        browser.close()
    return [float(milliseconds) for milliseconds in times], requests[0]


def time_over_http(request: dict[str, object], repeats: int) -> tuple[list[float], int]:
    """Return the milliseconds of each repeat of a request, and the bytes of the response."""
    times, size = [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        http_request = urllib.request.Request(
            str(request["address"]),
            data=str(request["data"]).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(http_request, timeout=30) as response:
            content = response.read()
        times.append(1000 * (time.perf_counter() - start))
        size = len(content)
        assert json.loads(content)["data"]
    return times, size


def main() -> None:
    """Time the pages of the given runs, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run directory or an experiment")
    parser.add_argument("--repeats", type=int, default=20, help="moves per page")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="path of Chromium")
    options = parser.parse_args()
    if options.chromium is None:
        parser.error("no Chromium on PATH; name one by --chromium PATH")
    rows = []
    for run in options.runs:
        server = serve(build_page(run), "127.0.0.1", 0)
        torch.set_num_threads(options.threads)
        try:
            browser, request = time_in_browser(server.address, options.chromium, options.repeats)
            http, size = time_over_http(request, options.repeats)
        finally:
            server.close()
        times = median(browser), max(browser), median(http)
        rows.append([run, *(f"{milliseconds:.0f}" for milliseconds in times), f"{size / 1000:.0f}"])
    header = ["run", "browser, ms", "browser, slowest, ms", "HTTP, ms", "response, kB"]
    print(markdown_table([header, *rows]))


if __name__ == "__main__":
    main()
