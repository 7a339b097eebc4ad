"""`make screenshots`: pictures of the program for these pages, taken from a lab of made-up data.

A lab is made, run, half broken and left while it runs; `sinagot serve` and a terminal are real, the browser is Chromium
(the variable CHROMIUM, else the one on the PATH). Only pictures that a page shows are kept in `_static/screenshots`;
`ARGS=--all` with `--into FOLDER` keeps all. No picture tells a name or a folder of the machine: the lab lies in
`/tmp/lab`, belongs to ada, and where Linux allows it the machine is called lab.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from docs.demo_lab import Lab

HERE = Path(__file__).resolve().parent
TARGET = HERE / "_static" / "screenshots"
#: Bytes of a picture.
MOST = 120_000
_WIDE, _NARROW = {"width": 1120, "height": 760}, {"width": 390, "height": 760}
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
)


class Shot(NamedTuple):
    """A page of the dashboard, and what must be there before it is taken."""

    name: str
    address: str
    ready: str


SHOTS = (
    Shot("overview", "", ".tile"),
    Shot("grid", "grid?sort=status", "#grid[data-ready] .row .badge"),
    Shot("record", "records/{failed}", "h1"),
    Shot("runs", "runs", "main table"),
    Shot("run", "runs/{run}", "h1"),
    Shot("failures", "failures", "h1"),
    Shot("decisions", "decisions", "h1"),
    Shot("configuration", "configuration", "h1"),
)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__.partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="keep also pictures that no page shows")
    parser.add_argument("--into", type=Path, default=TARGET, metavar="FOLDER", help="where to put them")
    parser.add_argument(
        "--lab",
        type=Path,
        default=Path("/tmp/lab/harbor"),  # noqa: S108  (made by us alone, or refused)
        metavar="FOLDER",
        help="a folder that is not there yet; pictures show its name",
    )
    return parser.parse_args()


def shown() -> set[str]:
    """Give the names of the pictures that pages show."""
    found: set[str] = set()
    for page in HERE.rglob("*.md"):
        found.update(re.findall(r"_static/screenshots/([\w-]+)\.png", page.read_text(encoding="utf-8")))
    return found


class Album:
    """Takes pictures in light and dark, and keeps those that are wanted."""

    def __init__(self, browser: Browser, folder: Path, wanted: set[str] | None) -> None:
        self._browser = browser
        self._folder = folder
        self._wanted = wanted
        self.taken: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def page(self, scheme: str, size: dict[str, int]) -> Iterator[Page]:
        """Give a page of a browser of its own."""
        context = self._browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        try:
            page = context.new_page()
            page.set_default_timeout(30_000)
            yield page
        finally:
            context.close()

    def wants(self, name: str) -> bool:
        return self._wanted is None or name in self._wanted

    def keep(self, name: str, page: Page, **options: Any) -> None:
        """Take a picture; it is made smaller when it is too large, and is an error when it stays so."""
        target = self._folder / f"{name}.png"
        page.screenshot(path=target, animations="disabled", caret="hide", **options)
        _squeeze(target)
        if target.stat().st_size > MOST:
            sys.exit(f"{target.name}: {target.stat().st_size:,} bytes; at most {MOST:,} are wanted")
        self.taken.add(name)
        print(f"{target.name}  {target.stat().st_size:,} bytes")


def _squeeze(picture: Path) -> None:
    """Write a PNG with fewer colours; where Pillow is missing it stays as it is."""
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(picture) as image:
        image.convert("RGB").quantize(colors=96, dither=Image.Dither.NONE).save(picture, optimize=True)


def take_dashboard(album: Album, lab: Lab) -> None:
    """Take each page, wide and narrow, light and dark."""
    names = {"failed": lab.failed, "run": lab.last_run()}
    with lab.serving() as link:
        base = link.partition("#")[0]
        for scheme in ("light", "dark"):
            for width, size in (("", _WIDE), ("-narrow", _NARROW)):
                with album.page(scheme, size) as page:
                    page.goto(link)
                    page.wait_for_selector(".tile")
                    for shot in SHOTS:
                        name = f"{shot.name}{width}{'-dark' if scheme == 'dark' else ''}"
                        if album.wants(name):
                            _open(page, base + shot.address.format(**names), shot.ready)
                            album.keep(name, page)


def _open(page: Page, address: str, ready: str) -> None:
    page.goto(address)
    page.wait_for_selector(ready)
    page.wait_for_selector(
        "#live-word:text-matches('^live')"
    )  # a function would be text to evaluate: forbidden


def take_pieces(album: Album, pieces: dict[str, str], width: int) -> None:
    """Take pieces of HTML, each as large as it is."""
    for scheme in ("light", "dark"):
        with album.page(scheme, {"width": width, "height": 200}) as page:
            for piece, html in pieces.items():
                name = f"{piece}{'-dark' if scheme == 'dark' else ''}"
                if album.wants(name):
                    page.set_content(html)
                    box = page.locator("#piece").bounding_box()
                    assert box is not None
                    album.keep(name, page, full_page=True, clip={**box, "height": min(box["height"], 1400)})


def take_report(album: Album, page_of_lab: Path) -> None:
    """Take the top of the page that `sinagot report html` has written."""
    for scheme in ("light", "dark"):
        name = f"report{'-dark' if scheme == 'dark' else ''}"
        if album.wants(name):
            with album.page(scheme, _WIDE) as page:
                page.goto(page_of_lab.as_uri())
                album.keep(name, page)


def main() -> None:
    options = parse()
    from docs import terminals
    from docs.demo_lab import Lab

    chromium = shutil.which(os.environ.get("CHROMIUM") or "chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit(
            "there is no Chromium: install one (Debian: apt-get install chromium), or name it: CHROMIUM=/path"
        )
    from playwright.sync_api import sync_playwright

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lab goes, and what runs there ends
    wanted = None if options.all else shown()
    with Lab.made(options.lab) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        album = Album(browser, options.into, wanted)
        take_pieces(album, {name: terminals.page(text) for name, text in lab.terminal.items()}, 900)
        take_report(album, lab.report())
        take_dashboard(album, lab)
        take_pieces(album, lab.notebook(), 900)
        browser.close()
    missing = sorted((wanted or set()) - album.taken)
    if missing:
        sys.exit(f"pages show pictures that are not made here: {', '.join(missing)}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error}\n{error.stdout or ''}{error.stderr or ''}")
