"""Whether anybody can read pages: on light ground and wide, on dark ground and as narrow as a telephone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.dashboard.conftest import Dashboard
from tests.dashboard.running import enter

__all__ = ["check_anybody_can_read"]

#: Ground, width, and the rules of axe-core that are asked; of the second screen those that it may answer otherwise.
_SCREENS: tuple[tuple[str, int, dict[str, Any] | None], ...] = (
    ("light", 1280, None),
    ("dark", 390, {"runOnly": {"type": "rule", "values": ["color-contrast", "scrollable-region-focusable"]}}),
)


def check_anybody_can_read(
    browser: Any,
    dashboard: Dashboard,
    paths: Sequence[str],
    *,
    is_ready: Callable[[Any, str], object] = lambda page, path: None,
) -> None:
    """Check that axe-core finds nothing serious or critical, and that nothing is wider than the screen.

    Parameters
    ----------
    browser : Browser
        Of Playwright.
    dashboard : Dashboard
        Whose pages.
    paths : sequence of str
        Of the pages.
    is_ready : callable
        Waits until a page at a path shows what is to be looked at.
    """
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    enter(page, dashboard, paths[0])
    for scheme, width, options in _SCREENS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        for path in paths:
            page.goto(f"{dashboard.url}{path}")
            is_ready(page, path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, scheme)
            found = Axe().run(page, options=options).response["violations"]
            grave = [
                (one["id"], one["nodes"][0]["html"])
                for one in found
                if one["impact"] in ("serious", "critical")
            ]
            assert not grave, (path, scheme, grave)
    context.close()
