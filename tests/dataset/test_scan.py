"""The scan: ids and paths from what is on disk."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinagot.dataset.patterns import PathPattern, is_plain_name
from sinagot.dataset.records import RecordIds
from sinagot.dataset.scan import Listing, find_ids, glob_matches, scan
from sinagot.errors import AmbiguousRecordError, ConfigurationError, InvalidIdError

ANY = RecordIds(r"(?s).+")
REC = RecordIds(r"REC-\d+")
BIDS_PATH = "sub-{subject}/ses-{session}/sub-{subject}_ses-{session}_task-{task}[_run-{run}]_eeg.vhdr"
BIDS_ID = "sub-{subject}_ses-{session}[_run-{run}]"
#: Names as nasty as a disk can hold them.
HOSTILE = st.text(
    st.sampled_from("ab+()[]{}*?|^$\\.-_ ~#%'\"\n\té\u0065\u0301日😀") | st.characters(codec="utf-8"),
    min_size=1,
    max_size=8,
).filter(lambda name: is_plain_name(name) and name.strip(".") != "" and name != ".sinagot")


def make(root: Path, *paths: str) -> Listing:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    return Listing(str(root))


def literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# ---------------------------------------------------------------------- what is formatted is found


@given(HOSTILE, HOSTILE, st.text("+()[] é.", max_size=3), st.booleans())
def test_what_is_formatted_is_found(record_id: str, folder: str, around: str, is_folder: bool) -> None:
    """Whatever an id and a folder are called, the scan finds the id whose path was made, and no other."""
    source = f"{literal(folder)}/{around}{{id}}{around}" + ("/raw.csv" if is_folder else "")
    for pattern in (PathPattern(source), PathPattern(f"{source}[_x-{{x}}]")):
        try:
            path = pattern.format({"id": record_id})
        except InvalidIdError:
            continue
        with tempfile.TemporaryDirectory() as root:
            listing = make(Path(root), path)
            assert find_ids(listing, [pattern], ANY) == [record_id]
            assert [found for _, found in scan(listing, pattern, ANY)] == [path]
            assert glob_matches(listing, pattern, {"id": record_id}, ANY) == [path]
            assert listing.problems == []


@given(
    st.sets(
        st.tuples(
            st.text("ab1", min_size=1, max_size=2),
            st.text("xy-", min_size=1, max_size=2),
            st.sampled_from(["", "1", "2"]),
        )
    ),
    st.sampled_from(
        [BIDS_PATH, "[run-{run}/]{subject}/{session}.csv", "{session}[_{run}]_{subject}/{subject}[-{run}]"]
    ),
)
def test_entities_that_are_formatted_are_found(records: set[tuple[str, str, str]], source: str) -> None:
    """Uneven data comes back as it was written: each record once, with its values, and nothing made up."""
    ids = RecordIds(None, BIDS_ID)
    pattern = PathPattern(source).bind(task="rest")
    expected = {}
    with tempfile.TemporaryDirectory() as root:
        for record in records:
            values = dict(zip(("subject", "session", "run"), record, strict=True))
            record_id = ids.compose(values)
            assert record_id is not None
            expected[record_id] = ({"id": record_id, **values}, pattern.format(values))
        listing = make(Path(root), *(path for _, path in expected.values()))
        assert find_ids(listing, [pattern], ids, is_unique=True) == sorted(expected)
        assert sorted(scan(listing, pattern, ids), key=lambda found: found[1]) == sorted(
            expected.values(), key=lambda found: found[1]
        )
        assert [glob_matches(listing, pattern, ids.values(each), ids) for each in expected] == [
            [path] for _, path in expected.values()
        ]


@given(
    st.sets(st.text("ab1-_.", min_size=1, max_size=5).filter(is_plain_name), max_size=8),
    st.sampled_from([r"\w+", r"(\w)+", "[ab]+-?", r"(?i)A.*", r"a1?", r"\d|b"]),
    st.sampled_from(["", "a", "."]),
    st.sampled_from(["", ".b", "_1"]),
)
def test_the_fast_ways_ask_the_same_question(names: set[str], expression: str, head: str, tail: str) -> None:
    """All at once, one by one or with free fields: an id is what the expression matches as a whole."""
    ids = RecordIds(expression)
    expected = sorted(
        name[len(head) : len(name) - len(tail)]
        for name in names
        if name.startswith(head)
        and name.endswith(tail)
        and ids.matches(name[len(head) : len(name) - len(tail)])
    )
    with tempfile.TemporaryDirectory() as root:
        listing = make(Path(root), *names)
        assert find_ids(listing, [PathPattern(f"{head}{{id}}{tail}")], ids) == expected
        assert find_ids(listing, [PathPattern(f"{head}{{id}}{tail}[/{{x}}]")], ids) == expected


def test_unicode_forms_are_names_of_their_own(tmp_path: Path) -> None:
    """Composed and decomposed accents are two names on disk, and two ids that both lead to their file."""
    forms = [unicodedata.normalize(form, "Zoé") for form in ("NFC", "NFD")]
    listing = make(tmp_path, *(f"{name}.csv" for name in forms))
    assert find_ids(listing, [PathPattern("{id}.csv")], ANY) == sorted(forms)


def test_names_that_are_not_utf8_are_skipped_and_noted(tmp_path: Path) -> None:
    """One bad name costs itself only, in a flat folder, in folders, and among free fields."""
    for folder in (b"flat", b"deep", b"free"):
        os.mkdir(os.fsencode(tmp_path) + b"/" + folder)
        for name in (b"ok", b"caf\xe9"):
            path = os.fsencode(tmp_path) + b"/" + folder + b"/" + name
            if folder == b"deep":
                os.mkdir(path)
                path += b"/raw"
            Path(os.fsdecode(path)).touch()
    listing = Listing(str(tmp_path))
    for source in ("flat/{id}", "deep/{id}/raw", "free/{id}[-{x}]"):
        assert find_ids(listing, [PathPattern(source)], ANY) == ["ok"]
    assert listing.problems == [
        f"{name}/caf\\xe9: skipped, its name is not UTF-8" for name in ("flat", "deep", "free")
    ]


# ---------------------------------------------------------------------- exactly what was asked for


def test_an_id_never_matches_a_longer_one(tmp_path: Path) -> None:
    """REC-1 is not REC-10, in listings and among free fields."""
    listing = make(
        tmp_path, "REC-1.csv", "REC-10.csv", "xREC-1.csv", "REC-1.csv.bak", "REC-1_a.tsv", "REC-10_b.tsv"
    )
    assert find_ids(listing, [PathPattern("{id}.csv")], REC) == ["REC-1", "REC-10"]
    free = PathPattern("{id}_{x}.tsv")
    assert glob_matches(listing, free, REC.values("REC-1"), REC) == ["REC-1_a.tsv"]


def test_a_file_belongs_to_the_id_that_a_scan_gives_it_to(tmp_path: Path) -> None:
    """Where an id begins like another, its files are not the other's, though a free field could hold the rest."""
    ids = RecordIds(r"REC-\d(-[A-Z])?")
    listing = make(tmp_path, "REC-1-A-x.csv", "REC-1-y.csv", "REC-1-A.csv")
    pattern = PathPattern("{id}-{free}.csv")
    assert glob_matches(listing, pattern, ids.values("REC-1"), ids) == ["REC-1-A.csv", "REC-1-y.csv"]
    assert glob_matches(listing, pattern, ids.values("REC-1-A"), ids) == ["REC-1-A-x.csv"]
    assert glob_matches(listing, pattern, {"id": "REC-1"}) == ["REC-1-A-x.csv", "REC-1-A.csv", "REC-1-y.csv"]
    assert [values for values, path in scan(listing, pattern, ids) if path == "REC-1-A-x.csv"] == [
        {"id": "REC-1-A", "free": "x"}
    ]


def test_free_folders_belong_to_their_id(tmp_path: Path) -> None:
    """A free field may stand in a folder's name, with a literal name below it."""
    listing = make(tmp_path, "REC-1_a/raw.csv", "REC-1_b/raw.csv", "REC-10_c/raw.csv", "REC-1_d/other.csv")
    found = glob_matches(listing, PathPattern("{id}_{x}/raw.csv"), REC.values("REC-1"), REC)
    assert found == ["REC-1_a/raw.csv", "REC-1_b/raw.csv"]


def test_composed_ids_may_stand_in_a_path_as_a_whole(tmp_path: Path) -> None:
    """The id's field and the fields of its entities go together in one workspace."""
    listing = make(tmp_path, "sub-1_ses-a.csv", "sub-1_ses-a_run-2.csv", "sub-1.csv", "1/sub-1_ses-a/a.csv")
    ids = RecordIds(None, BIDS_ID)
    assert find_ids(listing, [PathPattern("{id}.csv")], ids) == ["sub-1_ses-a", "sub-1_ses-a_run-2"]
    assert find_ids(listing, [PathPattern("{subject}/{id}/{session}.csv")], ids) == ["sub-1_ses-a"]


def test_a_repeated_id_must_agree(tmp_path: Path) -> None:
    """The same field has the same value wherever it stands."""
    listing = make(tmp_path, "A/A.csv", "A/B.csv", "B/A.csv", "C/C-C.csv", "D/D-C.csv", "E-E", "E-F")
    ids = RecordIds("[A-Z]")
    assert find_ids(listing, [PathPattern("{id}/{id}.csv")], ids) == ["A"]
    assert find_ids(listing, [PathPattern("{id}/{id}-{id}.csv")], ids) == ["C"]
    assert find_ids(listing, [PathPattern("{id}-{id}")], ids) == ["E"]


def test_brackets_and_braces_are_literal(tmp_path: Path) -> None:
    """Brackets without an entity, doubled braces and glob characters are what they look like."""
    listing = make(tmp_path, "raw [1]/A*{x}.csv", "raw 1/B*{x}.csv", "raw [1]/CC{x}.csv")
    assert find_ids(listing, [PathPattern("raw [1]/{id}*{{x}}.csv")], ANY) == ["A"]


def test_our_own_folder_holds_no_records(tmp_path: Path) -> None:
    """The state folder is never walked, whatever the pattern's shape."""
    listing = make(tmp_path, ".sinagot/raw.csv", "A/raw.csv", ".sinagot.csv")
    assert find_ids(listing, [PathPattern("{id}/raw.csv")], ANY) == ["A"]
    assert find_ids(listing, [PathPattern(".{id}/raw.csv")], ANY) == []
    assert find_ids(listing, [PathPattern("{x}/{id}.csv")], ANY) == ["raw"]
    assert find_ids(listing, [PathPattern("{id}.csv")], ANY) == []
    assert find_ids(listing, [PathPattern("{id}")], ANY) == [".sinagot.csv", "A"]


def test_dots_are_no_ids(tmp_path: Path) -> None:
    """A name that would make an id of dots gives none."""
    listing = make(tmp_path, "x..csv", "x...csv", "xa.csv")
    assert find_ids(listing, [PathPattern("x{id}.csv")], ANY) == ["a"]
    assert find_ids(listing, [PathPattern("x{id}.csv[/{e}]")], ANY) == ["a"]


def test_literal_names_are_looked_up_and_never_searched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only folders in which a field stands are listed, and each once."""
    listing = make(tmp_path, "a/b/REC-1/c/raw.csv", "a/b/REC-2/c/other.csv", "a/b/x/c/raw.csv")
    read: list[str] = []
    real = os.scandir

    def counting(path: str) -> Any:
        read.append(os.path.relpath(path, tmp_path))
        return real(path)

    monkeypatch.setattr(os, "scandir", counting)
    assert find_ids(listing, [PathPattern("a/b/{id}/c/raw.csv"), PathPattern("a/b/{id}")], REC) == ["REC-1"]
    assert [path for _, path in scan(listing, PathPattern("a/b/{id}/c/raw.csv"), REC)] == [
        "a/b/REC-1/c/raw.csv"
    ]
    assert read == ["a/b"]


def test_loops_and_dangling_links_are_harmless(tmp_path: Path) -> None:
    """A link to its own parent is a folder like others, never followed deeper than the pattern."""
    listing = make(tmp_path, "A/raw.csv", "C/x")
    (tmp_path / "up").symlink_to(".")
    (tmp_path / "C" / "raw.csv").symlink_to("gone")
    (tmp_path / "B").symlink_to("A")
    (tmp_path / "D").symlink_to("gone")
    assert find_ids(listing, [PathPattern("{id}/raw.csv")], ANY) == ["A", "B"]
    deeper = {path for _, path in scan(listing, PathPattern("{x}/{id}/raw.csv"), ANY)}
    assert deeper == {"up/A/raw.csv", "up/B/raw.csv"}


def test_a_path_that_two_readings_fit_is_found_once(tmp_path: Path) -> None:
    """Where either of two optional folders may be meant, the first reading counts."""
    listing = make(tmp_path, "x/A")
    pattern = PathPattern("[{a}/][{b}/]{id}")
    assert list(scan(listing, pattern, ANY)) == [
        ({"id": "A", "a": "x", "b": ""}, "x/A"),
        ({"id": "x", "a": "", "b": ""}, "x"),
    ]


def test_what_is_no_id_owns_no_files(tmp_path: Path) -> None:
    """A text that the rule refuses has no inputs, even if a file looks like it."""
    listing = make(tmp_path, "no_a.csv")
    assert glob_matches(listing, PathPattern("{id}_{x}.csv"), {"id": "no"}, REC) == []


def test_an_unreadable_folder_hides_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other folders are scanned; the one that cannot be read is told by name."""
    listing = make(tmp_path, "s1/A.csv", "s2/B.csv")
    real = os.scandir

    def refusing(path: str) -> Any:
        if path.endswith("s1"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert find_ids(listing, [PathPattern("{session}/{id}.csv")], ANY) == ["B"]
    assert listing.problems == ["s1: cannot be read (Permission denied)"]


def test_absolute_patterns_and_parents_are_followed(tmp_path: Path) -> None:
    """The user's own pattern may lead out of the data folder."""
    make(tmp_path, "shared/A/x-1.csv", "data/y")
    listing = Listing(str(tmp_path / "data"))
    outside = str(tmp_path / "shared")
    for source in (
        "../shared/{id}",
        f"{outside}/{{id}}",
        f"{outside}/{{id}}/x-{{n}}.csv",
        "../shared/{id}/x-1.csv",
    ):
        assert find_ids(listing, [PathPattern(source)], ANY) == ["A"]
    first = PathPattern(f"/{{x}}{outside[outside.index('/', 1) :]}/{{id}}")
    assert [path for _, path in scan(listing, first, RecordIds("A"))] == [f"{outside}/A"]
    assert glob_matches(listing, first, {"id": "A"}, RecordIds("A")) == [f"{outside}/A"]


# ---------------------------------------------------------------------- several inputs


def test_an_id_has_every_input(tmp_path: Path) -> None:
    """With several patterns, ids are those for which each has a match; they come sorted."""
    listing = make(tmp_path, "b/2.csv", "a/2.csv", "a/1.csv", "a/3.csv", "b/3-x/raw", "b/3.csv")
    a, b = PathPattern("a/{id}.csv"), PathPattern("b/{id}.csv")
    assert find_ids(listing, [a], ANY) == ["1", "2", "3"] == find_ids(listing, [a, a], ANY)
    assert find_ids(listing, [a, b], ANY) == ["2", "3"] == find_ids(listing, [b, a], ANY)
    assert find_ids(listing, [a, PathPattern("b/{id}-{free}/raw")], ANY) == ["3"]


def test_a_common_input_must_be_there_once_for_all(tmp_path: Path) -> None:
    """A path without fields gives no ids; without it there are none."""
    listing = make(tmp_path, "1.csv", "2.csv", "montage.txt")
    one = PathPattern("{id}.csv")
    assert find_ids(listing, [PathPattern("montage.txt"), one], ANY) == ["1", "2"]
    assert find_ids(listing, [one, PathPattern("absent.txt")], ANY) == []
    assert find_ids(listing, [one, PathPattern("mont{any}.txt")], ANY) == ["1", "2"]
    assert find_ids(listing, [one, PathPattern("no{any}.txt")], ANY) == []


def test_a_shared_input_serves_the_records_of_its_entities(tmp_path: Path) -> None:
    """One file a subject is an input of all sessions of that subject, and of no others."""
    ids = RecordIds(None, BIDS_ID)
    listing = make(
        tmp_path,
        *(f"eeg/sub-{s}_ses-{n}_eeg.edf" for s in "12" for n in "ab"),
        "eeg/sub-1_ses-a_run-1_eeg.edf",
        "anat/sub-1.nii",
        "sub-2_ses-b_scans.tsv",
    )
    eeg = PathPattern("eeg/sub-{subject}_ses-{session}[_run-{run}]_eeg.edf")
    shared = find_ids(listing, [PathPattern("anat/sub-{subject}.nii"), eeg], ids)
    assert shared == ["sub-1_ses-a", "sub-1_ses-a_run-1", "sub-1_ses-b"]
    assert find_ids(listing, [eeg, PathPattern("sub-{subject}_ses-{session}_scans.tsv")], ids) == [
        "sub-2_ses-b"
    ]
    assert find_ids(listing, [PathPattern("sub-{subject}_ses-{session}_scans.tsv")], ids) == ["sub-2_ses-b"]


def test_a_path_that_tells_no_id_is_an_error(tmp_path: Path) -> None:
    """Where nothing binds the id, the error names what is missing, and the path."""
    listing = make(tmp_path, "a.csv")
    with pytest.raises(ConfigurationError, match=r"'a.csv': one path has to hold \{id\}"):
        find_ids(listing, [PathPattern("a.csv", where="step a: PATH_IN")], REC)
    with pytest.raises(ConfigurationError, match=r"\{session\} and \{subject\}"):
        list(scan(listing, PathPattern("{subject}.csv"), RecordIds(None, BIDS_ID)))
    with pytest.raises(ConfigurationError, match="no path at all"):
        find_ids(listing, [], REC)


# ---------------------------------------------------------------------- entities


def test_two_files_for_one_id_propose_the_missing_entity(tmp_path: Path) -> None:
    """An id that leaves an entity out is not silently half of the data."""
    listing = make(
        tmp_path, *(f"sub-1/ses-a/sub-1_ses-a_task-x{run}_eeg.vhdr" for run in ("_run-1", "_run-2"))
    )
    pattern = PathPattern(BIDS_PATH).bind(task="x")
    short = RecordIds(None, "sub-{subject}_ses-{session}")
    with pytest.raises(AmbiguousRecordError) as caught:
        find_ids(listing, [pattern], short, is_unique=True)
    assert caught.value.entity == "run" and caught.value.record_id == "sub-1_ses-a"
    assert all(path in str(caught.value) for path in caught.value.paths) and len(caught.value.paths) == 2
    assert f'id = "{BIDS_ID}"' in str(caught.value)
    assert find_ids(listing, [pattern], short) == ["sub-1_ses-a"]
    assert len(find_ids(listing, [pattern], RecordIds(None, BIDS_ID), is_unique=True)) == 2


def test_two_files_for_a_plain_id_name_the_field(tmp_path: Path) -> None:
    """Without a template the message still says which field differs."""
    listing = make(tmp_path, "REC-1_a.csv", "REC-1_b.csv")
    with pytest.raises(AmbiguousRecordError, match="make x a part of the id"):
        find_ids(listing, [PathPattern("{id}_{x}.csv")], REC, is_unique=True)


def test_a_free_field_gives_all_matches_sorted(tmp_path: Path) -> None:
    """A field that is no part of the id stands for all its values; absent entities stay absent."""
    ids = RecordIds(None, BIDS_ID)
    names = [f"sub-1_ses-a_ts-{n}{run}_motion.tsv" for run in ("", "_run-1") for n in (10, 2, 1)]
    listing = make(tmp_path, *names)
    pattern = PathPattern("sub-{subject}_ses-{session}_ts-{ts}[_run-{run}]_motion.tsv")
    assert glob_matches(listing, pattern, ids.values("sub-1_ses-a"), ids) == sorted(names[:3])
    assert glob_matches(listing, pattern, ids.values("sub-1_ses-a_run-1"), ids) == sorted(names[3:])
    assert glob_matches(listing, pattern, ids.values("sub-2_ses-a"), ids) == []
    assert glob_matches(listing, pattern, {"subject": "1"}) == sorted(names)
    with pytest.raises(InvalidIdError):
        glob_matches(listing, pattern, {"subject": "../x"})
    own = RecordIds(None, BIDS_ID, {"ts": r"\d"})
    assert glob_matches(listing, pattern, own.values("sub-1_ses-a"), own) == sorted(names[1:3])


def test_optional_folders_of_absent_entities_are_left_out(tmp_path: Path) -> None:
    """A known value chooses the folder; a known absence chooses the path without it."""
    listing = make(tmp_path, "1/a-x.csv", "ses-b/1/a-y.csv")
    pattern = PathPattern("[ses-{session}/]{id}/a-{free}.csv")
    assert glob_matches(listing, pattern, {"id": "1", "session": ""}) == ["1/a-x.csv"]
    assert glob_matches(listing, pattern, {"id": "1", "session": "b"}) == ["ses-b/1/a-y.csv"]
    assert glob_matches(listing, pattern, {"id": "1"}) == ["1/a-x.csv", "ses-b/1/a-y.csv"]
    assert glob_matches(listing, PathPattern("{id}_{x}"), {"id": "", "x": "1"}) == []


def test_entities_in_a_path_agree_with_the_id_in_it(tmp_path: Path) -> None:
    """A file in the folder of another subject is not that record's file; the id settles what follows it."""
    ids = RecordIds(r"(?P<subject>s\d)-(?P<run>\d)")
    listing = make(tmp_path, "s1/s1-1.csv", "s2/s1-2.csv", "s1-3/1.csv", "s1-3/3.csv", "s1/s2-1-x.csv")
    assert find_ids(listing, [PathPattern("{subject}/{id}.csv")], ids) == ["s1-1"]
    assert list(scan(listing, PathPattern("{id}/{run}.csv"), ids)) == [
        ({"id": "s1-3", "subject": "s1", "run": "3"}, "s1-3/3.csv")
    ]


def test_an_id_that_reads_back_differently_is_noted(tmp_path: Path) -> None:
    """An ambiguous template costs the files that it cannot tell apart, and says how to mend it."""
    listing = make(tmp_path, "2020/01-A.csv", "2020/A.csv")
    pattern = PathPattern("{date}/{letter}.csv")
    assert find_ids(listing, [pattern], RecordIds(None, "{date}-{letter}")) == ["2020-A"]
    assert len(listing.problems) == 1 and "[records.entities]" in listing.problems[0]
    assert find_ids(listing, [pattern], RecordIds(None, "{date}-{letter}", {"date": r"\d+"})) == [
        "2020-01-A",
        "2020-A",
    ]
    assert find_ids(listing, [pattern], RecordIds(r"\d+-A", "{date}-{letter}")) == ["2020-A"]


def test_many_questions_about_one_folder_stay_exact(tmp_path: Path) -> None:
    """Asking for each record of a flat folder gives each its own files."""
    names = [f"{kind}_REC-{n}_{x}.tsv" for n in range(8) for x in "ab" for kind in "pq"]
    listing = make(tmp_path, *names)
    pattern = PathPattern("{kind}_{id}_{x}.tsv")
    for n in range(8):
        expected = sorted(name for name in names if f"REC-{n}_" in name)
        assert glob_matches(listing, pattern, {"id": f"REC-{n}"}, REC) == expected


# ---------------------------------------------------------------------- the real trees


def test_motion_dualtask_has_fifteen_recordings_and_nine_trackers_each(shared_data: Path) -> None:
    """The uneven BIDS tree comes out as it is: 15 recordings, 135 motion files."""
    listing, ids = Listing(str(shared_data / "bids/motion_dualtask")), RecordIds(None, BIDS_ID)
    stem = "sub-{subject}/ses-{session}/%s/sub-{subject}_ses-{session}_task-{task}"
    eeg = PathPattern(stem % "eeg" + "[_run-{run}]_eeg.vhdr").bind(task="dualWalking")
    motion = PathPattern(stem % "motion" + "_tracksys-{tracksys}[_run-{run}]_motion.tsv").bind(
        task="dualWalking"
    )
    found = find_ids(listing, [eeg], ids, is_unique=True)
    assert len(found) == 15 and found == find_ids(listing, [eeg, motion], ids) and found == sorted(found)
    assert {"sub-18_ses-walk_run-1", "sub-10_ses-walk"} <= set(found)
    matches = [glob_matches(listing, motion, ids.values(each), ids) for each in found]
    assert [len(each) for each in matches] == [9] * 15 and len(
        {path for each in matches for path in each}
    ) == 135
    with pytest.raises(AmbiguousRecordError, match="add run to the id"):
        find_ids(listing, [eeg], RecordIds(None, "sub-{subject}_ses-{session}"), is_unique=True)
    assert listing.problems == []


def test_one_template_serves_trees_with_and_without_sessions(shared_data: Path) -> None:
    """Optional folders: seven people without sessions, five with."""
    path = "sub-{subject}[/ses-{session}]/eeg/sub-{subject}[_ses-{session}]_task-{task}[_run-{run}]_eeg.vhdr"
    ids = RecordIds(None, "sub-{subject}[_ses-{session}][_run-{run}]")
    found = {}
    for tree in ("eeg_matchingpennies", "motion_dualtask"):
        found[tree] = find_ids(
            Listing(str(shared_data / "bids" / tree)), [PathPattern(path)], ids, is_unique=True
        )
    assert found["eeg_matchingpennies"] == [f"sub-{n:02}" for n in range(5, 12)]
    assert len(found["motion_dualtask"]) == 15


def test_labels_stand_for_tasks_and_days_are_records(shared_data: Path) -> None:
    """EDF files by task code, CSV files by day and level, a recording that is a folder."""
    edf = PathPattern("{id}_{task}.edf").bind(task="1")
    found = find_ids(
        Listing(str(shared_data / "eeg")), [edf, PathPattern("subject-info.csv")], RecordIds(r"Subject\d{2}")
    )
    assert found == ["Subject00", "Subject01", "Subject04", "Subject05"]
    day = PathPattern(("dati-{modality}", "dpc-covid19-ita-{modality}-{id}.csv"))
    days = RecordIds(r"\d{8}")
    for level in ("andamento-nazionale", "regioni", "province"):
        found = find_ids(Listing(str(shared_data / "daily")), [day.bind(modality=level)], days)
        assert len(found) == 14 and (found[0], found[-1]) == ("20200224", "20200308")
    assert find_ids(
        Listing(str(shared_data / "mff")), [PathPattern("{id}.mff")], RecordIds(r"example_\d")
    ) == ["example_3"]
