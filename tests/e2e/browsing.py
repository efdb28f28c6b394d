"""Drives Chromium: visits of the page, what the browser complains about, and what a chart draws."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from pocketquant.servers.connections import wait_until

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
PICTURES = Path("build/page-pictures")
AXE = Path(".venv/page-types/node_modules/axe-core/axe.min.js")
# What lightweight-charts itself says that it draws, in the form of the API's columns.
DRAWN = """() => {
  const {candles, volume} = window.pocketquantChart.drawing;
  const volumes = new Map(volume.data().map((bar) => [bar.time, bar.value]));
  return candles.data().map((bar) =>
    [bar.time, bar.open, bar.high, bar.low, bar.close, volumes.get(bar.time)]);
}"""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page, and what the browser has complained about meanwhile."""

    page: Page
    complaints: list[str]


@contextmanager
def browsing() -> Iterator[Browser]:
    """Run the Chromium of the system; skip the test where there is none, except in CI."""
    program = shutil.which("chromium")
    if not program and "CI" not in os.environ:
        pytest.skip("chromium is not installed")
    assert program, "chromium is not installed"
    expect.set_options(timeout=30_000)  # a machine may be slow
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visiting(chromium: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """Open a page without cookies, keys or history, as a new person would."""
    with chromium.new_context(
        base_url=url, viewport={"width": 1440, "height": 900}, **options
    ) as context:
        page, complaints = context.new_page(), list[str]()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend(complaint(said)))
        try:
            yield Visit(page, complaints)
        finally:
            take_picture(page)


def take_picture(page: Page) -> None:
    """Keep what is on the screen, under the names of the running test, the view and the theme."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[2].partition(" ")[0]
    theme = page.locator("html").get_attribute("data-theme") or "no theme"
    name = "-".join([test, urlsplit(page.url).path, theme])
    page.screenshot(path=PICTURES / f"{re.sub(r'[^A-Za-z0-9_]+', '-', name)}.png")


def complaint(said: ConsoleMessage) -> list[str]:
    """Return the text of an error, unless it only repeats an answer of the API."""
    is_answer = "/api/v1/" in said.location["url"] and said.text.startswith("Failed to load")
    return [said.text] if said.type == "error" and not is_answer else []


def until(page: Page, condition: str, argument: object = None) -> None:
    """Wait until a function of JavaScript holds; Playwright's own wait needs eval in the page."""
    wait_until(condition, lambda: page.evaluate(condition, argument), (), 75.0)


def drawn(page: Page) -> list[list[float]]:
    """Return the bars that the chart draws, the forming one too."""
    until(page, "() => window.pocketquantChart?.bars.value.length > 0")
    found: list[list[float]] = page.evaluate(DRAWN)
    return found


def violations(page: Page) -> list[str]:
    """Return the serious faults that axe-core finds in what is on the screen."""
    if not AXE.exists() and "CI" not in os.environ:
        pytest.skip("axe-core is not installed")
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{fault['id']}: {node['html']}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"]
    ]
