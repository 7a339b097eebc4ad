"""Laws of the configuration's snapshot."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sinagot.config.snapshot import save_snapshot

values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**62), 2**62), st.text(max_size=12)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(tables=st.dictionaries(st.text(min_size=1, max_size=8), values, max_size=4))
def test_snapshot_gives_back_exactly_what_was_written(tables, tmp_path_factory) -> None:
    """Whatever stands in a configuration, the file that is named holds it exactly."""
    path = save_snapshot(tables, tmp_path_factory.mktemp("snapshot"))
    text = path.read_text(encoding="utf-8")
    assert (tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)) == tables


def test_ordinary_configuration_is_toml(tmp_path: Path) -> None:
    """A configuration as people write it is kept as TOML, without a second file."""
    tables = {
        "records": {"id_pattern": r"REC-\d+"},
        "modalities": {"EEG": {"task_scripts": {"RS": ["alpha"]}}},
    }
    assert save_snapshot(tables, tmp_path) == tmp_path / "config.toml"
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
