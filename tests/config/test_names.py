"""Laws of names of tasks and modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sinagot.config.names import NEWER, RESERVED, check_names

if TYPE_CHECKING:
    from tests.config.conftest import Desk


TEMPLATE = "[tasks.{task}]\nmodalities = [{modality}]\n[modalities.{modality}]\n"


def scoped(task: str = "RS", modality: str = "EEG") -> str:
    return TEMPLATE.format(task=f"'{task}'", modality=f"'{modality}'")


@pytest.mark.parametrize(
    "name", ["steps", "config", "count", "records", "task", "modality", "id", "logs", "run", "__class__"]
)
def test_task_named_like_a_member_is_refused(desk: Desk, name: str) -> None:
    """A clash with the established surface is an error that names the task or modality, with its line."""
    for text, section, line in ((scoped(task=name), "tasks", 1), (scoped(modality=name), "modalities", 3)):
        error = desk.error(text)
        assert (error.key, error.line) == (f"{section}.{name}", line)
        assert repr(name) in str(error)


def test_newer_member_is_a_warning(desk: Desk) -> None:
    """A clash with a member that came later is a warning that says how to reach the task."""
    (warning,) = desk.load(scoped(task="plan")).warnings
    assert (
        warning
        == f"{desk.file}:1: tasks.plan: a member 'plan' hides the task; reach it by get_subscope(task='plan')"
    )


@pytest.mark.parametrize("name", ["resting state", "2-back", "é", "class", "a.b", "RS"])
def test_name_that_is_no_identifier_is_fine(desk: Desk, name: str) -> None:
    """Any text that can be a folder's name is a name."""
    configuration = desk.load(scoped(task=name))
    assert list(configuration.tasks) == [name]
    assert configuration.warnings == ()


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b"])
def test_name_that_could_leave_its_folder_is_refused(desk: Desk, name: str) -> None:
    """A name with a separator, or none at all, is an error."""
    assert "cannot be the name of a modality" in str(desk.error(scoped(modality=name)))


def test_one_name_is_not_both(desk: Desk) -> None:
    """A name cannot be used for a task and a modality."""
    error = desk.error(scoped(task="EEG", modality="EEG"))
    assert "'EEG' is a task too" in str(error)
    assert error.key == "modalities.EEG"


def test_lists_of_names_do_not_meet() -> None:
    """No name is both refused and only warned about."""
    assert not RESERVED & NEWER
    assert list(check_names(["RS"], ["EEG"])) == []
