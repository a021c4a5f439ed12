"""Reports opened in a real browser without a network, and what is asked of their pixels."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# The pixels of a canvas, read from a copy: reading the map itself would make Chromium draw it another way.
PIXELS = """const pixelsOf = (canvas) => {
  const copy = document.createElement('canvas'), { width, height } = canvas;
  Object.assign(copy, { width, height });
  const pen = copy.getContext('2d', { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  return pen.getImageData(0, 0, width, height).data;
};
const near = (pixels, i, colour) => pixels[i + 3] > 250
  && colour.match(/\\w\\w/g).every((each, k) => Math.abs(parseInt(each, 16) - pixels[i + k]) < 4);
"""
# How many pixels of the map have about this colour.
COUNT = f"""(colour) => {{ {PIXELS}
  const pixels = pixelsOf(document.querySelector('#map canvas'));
  let count = 0;
  for (let i = 0; i < pixels.length; i += 4) if (near(pixels, i, colour)) count++;
  return count;
}}"""
# A place in the window where the map has about this colour, away from its edges.
PLACE = f"""(colour) => {{ {PIXELS}
  const canvas = document.querySelector('#map canvas'), box = canvas.getBoundingClientRect();
  const seen = document.getElementById('map').getBoundingClientRect(), pixels = pixelsOf(canvas);
  for (let i = 0; i < pixels.length; i += 4) {{
    const x = box.left + (i / 4 % canvas.width) * box.width / canvas.width;
    const y = box.top + Math.floor(i / 4 / canvas.width) * box.height / canvas.height;
    const inside = x > seen.left + 60 && x < seen.right - 20 && y > seen.top + 20 && y < seen.bottom - 40;
    if (inside && near(pixels, i, colour)) return [x, y];
  }}
  return null;
}}"""
COLOUR = "(name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()"
# Whether a canvas shows a picture: more than thirty colours.
PAINTED = f"""(canvas) => {{ {PIXELS}
  const pixels = pixelsOf(canvas), colours = new Set();
  for (let i = 0; i < pixels.length; i += 4) {{
    colours.add(pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2]);
  }}
  return colours.size > 30;
}}"""

CHROMIUM = shutil.which("chromium")


@dataclass
class Opened:
    """A page and everything that it said or asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    """Messages of the console, errors of scripts, dialogs."""
    asked_for: list[str] = field(default_factory=list)
    """Addresses of requests other than the page itself and pictures written into it."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Skips the test where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright: `make report-test` installs it"
    )
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: `make report-test` installs it")
    with playwright.sync_playwright() as driver:
        # Chromium refuses to run as root with its sandbox; the pages are our own.
        arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, file: Path, scheme: str = "light") -> Iterator[Opened]:
    """A report once it is complete, in a context that is offline."""
    context = browser.new_context(viewport={"width": 1360, "height": 950}, color_scheme=scheme, offline=True)
    page = context.new_page()
    found = Opened(page)
    page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (found.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def answer(route: Any) -> None:
        if route.request.url == file.as_uri():
            route.continue_()
        else:
            found.asked_for.append(route.request.url)
            route.abort()

    page.route("**/*", answer)
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-page=ready]", state="attached")
    yield found
    context.close()
