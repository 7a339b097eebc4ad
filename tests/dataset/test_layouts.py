"""Layouts: the ways a pattern divides into folders."""

from __future__ import annotations

from sinagot.dataset.patterns import PathPattern
from sinagot.dataset.segments import Field, Part


def test_parts_within_a_name_do_not_multiply_layouts() -> None:
    """An optional part of a file's name costs nothing: it is settled when names are read."""
    (layout,) = PathPattern("a/{id}[_{x}][_{y}].csv").layouts
    assert layout.absent == {} and len(layout.segments) == 2
    assert layout.segments[1][1] == Part(("_", Field("x")), ("x",))


def test_optional_folders_make_layouts_the_deepest_first() -> None:
    """A part with a slash, or one that is all of a name, is there or not."""
    for source in ("a/[x-{x}/]{id}", "a/[x-{x}]/{id}", "a[/x-{x}]/{id}"):
        assert [(len(x.segments), x.absent) for x in PathPattern(source).layouts] == [(3, {}), (2, {"x": ""})]


def test_a_layout_never_needs_what_it_says_is_absent() -> None:
    """A field that stands outside optional parts is always there."""
    assert [layout.absent for layout in PathPattern("[s-{s}/]{s}_{id}").layouts] == [{}]


def test_a_part_with_two_fields_may_lack_either() -> None:
    """An optional folder with two fields is absent for want of the one or the other."""
    layouts = PathPattern("[{a}[/{c}]-{b}/]{id}").layouts
    assert [layout.absent for layout in layouts] == [{}, {"c": ""}, {"a": ""}, {"b": ""}]
