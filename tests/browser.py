"""A headless browser for tests of web pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of a Chromium on the PATH, or of the one that Playwright installed."""
    if path := next(filter(None, map(shutil.which, NAMES)), None):
        return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        installed = playwright.chromium.executable_path
    return installed if Path(installed).is_file() else None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a headless Chromium; skip the test if there is none.

    The scope is the module, because Playwright runs an event loop in this thread while the browser
    is open, and tests that start an event loop of their own would fail.
    """
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        names = ", ".join(NAMES)
        pytest.skip(f"none of {names} is on the PATH; run `playwright install chromium`")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
