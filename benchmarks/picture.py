"""The picture in the README: `python -m benchmarks.picture` scans the seeds and photographs the page.

Needs Chromium and Playwright (`pip install '.[test]'`).
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import dedup

_ROOT = Path(__file__).parents[1]
_WIDTH, _HEIGHT = 1280, 1500


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__)
    parser.add_argument("--out", type=Path, default=_ROOT / "benchmarks/pictures/report.png")
    out = parser.parse_args().out
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        dedup.scan(str(_ROOT / "seeds")).write(page)
        out.parent.mkdir(exist_ok=True)
        _photograph(page, out, chromium)
    print(out)


def _photograph(page: Path, out: Path, chromium: str | None) -> None:
    """The first family opened, then two of its members side by side, one above the other."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        view.goto(page.as_uri())
        view.wait_for_selector("html[data-ready]")
        view.locator(".family summary").first.click()
        view.screenshot(path=out, full_page=True)
        view.set_viewport_size({"width": _WIDTH, "height": 900})
        view.get_by_role("link", name="Side by side").nth(1).click()
        view.wait_for_selector("#sides .passage")
        view.screenshot(path=out.with_name(f"{out.stem}-sides.png"))
        browser.close()


if __name__ == "__main__":
    main()
