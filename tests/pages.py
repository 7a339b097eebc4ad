"""What is asked of every piece of HTML: it is well formed, needs nothing from elsewhere, and runs no script."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "meta", "link", "input", "col", "wbr"}


class Page(HTMLParser):
    """A piece of HTML, read as strictly as it is written."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.html = html
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "iframe", "object", "embed", "link", "img"}, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in {"src", "href", "srcset", "action"}, name
            assert "javascript:" not in (value or "")
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """What people read."""
        return re.sub(r"\s+", " ", " ".join(self.texts)).strip()


def read_page(html: str) -> Page:
    """Check a piece of HTML and give what is in it."""
    page = Page(html)
    html.encode("utf-8")
    assert "url(" not in html and "@import" not in html and "http" not in html
    assert not any(ord(one) < 32 and one not in "\n\t" for one in html)
    assert html.count("<style>") <= 1
    return page
