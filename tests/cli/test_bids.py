"""What the names in a BIDS tree say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinagot.cli.bids import look


def touch(folder: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_entities_of_all_recordings_are_required_and_of_some_optional(tmp_path: Path) -> None:
    """What every recording has stands plainly, what some have in brackets, what none has not at all."""
    touch(
        tmp_path,
        "sub-1/ses-a/meg/sub-1_ses-a_task-rest_run-1_meg.fif",
        "sub-1/ses-a/meg/sub-1_ses-a_task-rest_run-2_meg.fif",
        "sub-2/ses-b/meg/sub-2_ses-b_task-faces_meg.fif",
        "sub-2/ses-b/meg/sub-2_ses-b_task-faces_channels.tsv",
    )
    tree = look(str(tmp_path))
    assert (tree.kind, tree.tasks, tree.found) == ("meg", ("faces", "rest"), 3)
    assert tree.id == "sub-{subject}_ses-{session}[_run-{run}]"
    assert tree.path == (
        "sub-{subject}/ses-{session}/{modality}/sub-{subject}_ses-{session}_task-{task}[_run-{run}]_meg.fif"
    )


def test_some_people_have_sessions(tmp_path: Path) -> None:
    """A session that only some have is an optional folder and an optional part of the name."""
    touch(tmp_path, "sub-1/eeg/sub-1_task-rest_eeg.edf", "sub-2/ses-b/eeg/sub-2_ses-b_task-rest_eeg.edf")
    assert look(str(tmp_path)).path == (
        "sub-{subject}[/ses-{session}]/{modality}/sub-{subject}[_ses-{session}]_task-{task}_eeg.edf"
    )


def test_the_commonest_ending_stands_for_a_recording(tmp_path: Path) -> None:
    """Of several kinds of file the one that most recordings have is taken; others are left for the user."""
    touch(
        tmp_path,
        "sub-1/eeg/sub-1_task-rest_eeg.set",
        "sub-2/eeg/sub-2_task-rest_eeg.set",
        "sub-3/eeg/sub-3_task-other_eeg.edf",
    )
    tree = look(str(tmp_path))
    assert tree.path.endswith("_eeg.set")
    assert (tree.tasks, tree.found) == (("rest",), 2)


@pytest.mark.parametrize(
    "name", ["sub-1/anat/sub-1_T1w.nii.gz", "sub-1/eeg/sub-1_eeg.edf", "sub-1", "notes.txt"]
)
def test_without_recordings_the_commonest_form_is_given(tmp_path: Path, name: str) -> None:
    """A tree without recordings of a task gets the pattern of EEG with optional sessions and runs."""
    touch(tmp_path, name)
    tree = look(str(tmp_path))
    assert (tree.kind, tree.tasks, tree.found) == ("eeg", (), 0)
    assert tree.id == "sub-{subject}[_ses-{session}][_run-{run}]"


def test_strange_names_are_passed_over(tmp_path: Path) -> None:
    """A file whose name is not of BIDS, or has an entity that we do not know, is no recording."""
    touch(
        tmp_path,
        "sub-1/eeg/sub-1_task-rest_eeg.vhdr",
        "sub-1/eeg/sub-1_task-rest_zzz-1_eeg.vhdr",
        "sub-1/eeg/copy of sub-1_task-rest_eeg.vhdr",
    )
    assert look(str(tmp_path)).found == 1
