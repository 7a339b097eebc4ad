"""Laws of pages that no build can check: the picture names modules that exist, the gallery shows the examples that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "explanation" / "data-flow.svg"
GALLERY = ROOT / "docs" / "gallery"
EXAMPLES = sorted(path.name for path in (ROOT / "example").iterdir() if (path / "README.md").exists())


def test_picture_of_the_data_flow_names_modules_that_exist() -> None:
    """Each `package.module` of the picture is a module of the package or of its engine; `, .name` is of the package before."""
    texts = re.findall(r">([a-z_]+\.[a-z_]+(?:, \.[a-z_]+)*)<", PICTURE.read_text(encoding="utf-8"))
    texts.remove("workspace.toml")
    assert len(texts) > 20
    absent = []
    for text in texts:
        package, _, names = text.partition(".")
        for name in names.split(", ."):
            places = (ROOT / "sinagot" / above / package / f"{name}.py" for above in ("", "engine"))
            if not any(place.is_file() for place in places):
                absent.append(f"{package}.{name}")
    assert not absent


@pytest.mark.parametrize("example", EXAMPLES)
def test_gallery_shows_each_example_with_all_its_files(example: str) -> None:
    """A page includes files of the example, and its tree has every script and no other."""
    (page,) = (
        page
        for page in GALLERY.glob("*.md")
        if f"}} ../../example/{example}/" in page.read_text(encoding="utf-8")
    )
    (tree,) = re.findall(rf"```text\n{example}/\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    shown = sorted(re.findall(r"[─] (?:scripts/\w+/)?(\w+\.py)\b", tree))
    there = (ROOT / "example" / example).rglob("*.py")
    assert shown == sorted(path.name for path in there if "dataset" not in path.parts)
