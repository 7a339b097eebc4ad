"""Laws of the examples: on the data that they are about, they give the numbers that their README says."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from sinagot import ConfigurationError, Workspace
from sinagot.pipeline import Pipeline

EXAMPLES = Path(__file__).parents[2] / "example"

ALPHA = {
    ("Subject00", "rest"): {"O1": 81.4343, "O2": 205.962, "Pz": 61.0914},
    ("Subject00", "arithmetic"): {"O1": 85.0220, "O2": 180.829, "Pz": 34.2382},
    ("Subject01", "rest"): {"O1": 42.1316, "O2": 50.5021, "Pz": 32.2493},
    ("Subject01", "arithmetic"): {"O1": 25.8035, "O2": 53.3146, "Pz": 24.5309},
    ("Subject04", "rest"): {"O1": 90.6047, "O2": 85.1187, "Pz": 82.3012},
    ("Subject04", "arithmetic"): {"O1": 37.3992, "O2": 42.5532, "Pz": 33.8630},
    ("Subject05", "rest"): {"O1": 192.070, "O2": 202.029, "Pz": 128.909},
    ("Subject05", "arithmetic"): {"O1": 159.013, "O2": 200.584, "Pz": 75.1012},
}
BANDS = ("delta", "theta", "alpha", "beta")
CODES = {"rest": 1, "arithmetic": 2}
CASES = [229, 322, 400, 650, 888, 1128, 1694, 2036, 2502, 3089, 3858, 4636, 5883, 7375]
FALSE_STARTS = {"sub-18_ses-walk_run-1": 2, "sub-20_ses-walk_run-1": 6}


@pytest.fixture
def lay_out(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that copies an example and links data into its dataset folder, as the README says."""

    def do(name: str, *sources: Path) -> Path:
        made = shutil.ignore_patterns("dataset", "__pycache__", ".*")
        root = Path(shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=made))
        (root / "dataset").mkdir()
        for source in sources:
            (root / "dataset" / source.name).symlink_to(source)
        return root

    return do


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_alpha_power_is_that_of_the_data_readme(shared_data: Path, lay_out: Callable[..., Path]) -> None:
    """The 24 values of alpha power at O1, O2 and Pz come out equal to 1e-5, from a script, a pipeline and a flow."""
    root = lay_out("eeg_rest_arithmetic", *(shared_data / "eeg").glob("*"))
    ws = Workspace(root)
    assert ws.records.ids() == ["Subject00", "Subject01", "Subject04", "Subject05"]
    report = ws.steps.run()
    assert (report.counts["done"], report.total) == (32, 32), report.failures and report.failures[0].traceback

    found: dict[tuple[str, str], pd.Series] = {}
    for folder, columns in (
        ("alpha", ["alpha_uv2"]),
        ("bands", [f"{band}_uv2" for band in BANDS]),
        ("monitor", ["alpha_uv2"]),
    ):
        former, found = found, {}
        for record_id, task in ALPHA:
            table = pd.read_csv(root / f"dataset/{folder}/{record_id}_{CODES[task]}.csv", index_col="channel")
            assert list(table.columns) == columns and len(table) == 20 and table.min(axis=None) > 0
            found[record_id, task] = table["alpha_uv2"]
            if former:
                pd.testing.assert_series_equal(table["alpha_uv2"], former[record_id, task], rtol=1e-7)
            for channel, value in ALPHA[record_id, task].items():
                assert table.alpha_uv2[channel] == pytest.approx(value, rel=1e-5), (
                    folder,
                    record_id,
                    task,
                    channel,
                )
        for record_id in ws:
            assert found[record_id, "arithmetic"]["Pz"] < found[record_id, "rest"]["Pz"]

    for record_id, task in ALPHA:
        stem = f"{record_id}_{CODES[task]}"
        lines = (root / f"dataset/monitor/{stem}_running.jsonl").read_text(encoding="utf-8").splitlines()
        seconds = read_json(root / f"dataset/info/{stem}.json")["duration_s"]
        assert [json.loads(line)["from_s"] for line in lines] == list(range(0, int(seconds), 10))
        assert json.loads(lines[-1])["alpha_uv2"] == pytest.approx(found[record_id, task].to_dict())
        warned = (root / f"dataset/monitor/{stem}_warnings.jsonl").read_text(encoding="utf-8")
        assert ("O2" in warned, "jumping" in warned) == (stem == "Subject01_2",) * 2, warned

    info = read_json(root / "dataset/info/Subject04_1.json")
    assert (info["sampling_rate_hz"], info["n_samples"], info["duration_s"]) == (500.0, 85_000, 170.0)
    assert len(info["channels"]) == 21
    pictures = sorted(path.name for path in (root / "dataset/bands").glob("*.png"))
    assert pictures == sorted(f"{record_id}_{CODES[task]}.png" for record_id, task in ALPHA)
    assert ws.rest.EEG.steps.status()["step_status"].tolist() == [30] * 16
    size = (root / "dataset/LOG/Subject00.log").stat().st_size
    assert ws.steps.run().counts["up_to_date"] == 32
    assert (root / "dataset/LOG/Subject00.log").stat().st_size == size
    said = ws["Subject00"].rest.logs_json()
    channels = [line for line in said if line["message"] == "21 channels, 20 of them EEG"]
    assert [line["step_label"] for line in channels] == ["read", "bands"] and channels[1]["stage"] == "read"


@pytest.mark.slow
def test_a_template_runs_the_bands_of_one_task(shared_data: Path, lay_out: Callable[..., Path]) -> None:
    """The YAML pipeline of the example runs its step for the chosen task alone; a second run calls no stage."""
    root = lay_out("eeg_rest_arithmetic", *(shared_data / "eeg").glob("Subject0[01]_?.edf"))
    pipeline = Pipeline.from_loader("bands-of-a-task", root=root)
    result = pipeline.execute(params={"task": "arithmetic"})
    assert result.status == 0, result.error
    outputs = result.context["jobs"]["bands"]["stages"]["bands"]["outputs"]
    assert outputs["done"] == outputs["good"] == ["Subject00", "Subject01"]
    made = sorted(path.name for path in (root / "dataset/bands").iterdir())
    assert made == [f"Subject0{number}_2.{end}" for number in (0, 1) for end in ("csv", "png")]
    for record_id in outputs["done"]:
        table = pd.read_csv(root / f"dataset/bands/{record_id}_2.csv", index_col="channel")
        for channel, value in ALPHA[record_id, "arithmetic"].items():
            assert table.alpha_uv2[channel] == pytest.approx(value, rel=1e-5), (record_id, channel)
        assert {line["run_id"] for line in Workspace(root)[record_id].logs_json()} == {result.run_id}
    again = pipeline.execute(params={"task": "arithmetic"})
    outputs = again.context["jobs"]["bands"]["stages"]["bands"]["outputs"]
    assert outputs["up_to_date"] == ["Subject00", "Subject01"] and not outputs["done"]
    with pytest.raises(ConfigurationError, match=r"rest.*arithmetic"):
        pipeline.execute(params={"task": "sleep"})


def test_matching_pennies(shared_data: Path, lay_out: Callable[..., Path]) -> None:
    """The BIDS tree opens by pattern alone: 7 people, 300 trials each, and the known counts; the raw tree stays as it is."""
    tree = shared_data / "bids/eeg_matchingpennies"
    root = lay_out("bids_matchingpennies", *tree.iterdir())
    before = sorted(path.name for path in (root / "dataset").iterdir())
    ws = Workspace(root)
    assert ws.records.ids() == [f"sub-{number:02}" for number in range(5, 12)]
    assert ws.records.count_raw_data()["count"].tolist() == [7]
    assert ws["sub-05"].entities == {"subject": "05"}
    report = ws.steps.run()
    assert report.counts["done"] == report.total == 7
    made = root / "dataset/derivatives/sinagot"
    results = [
        read_json(made / f"{record}/eeg/{record}_task-matchingpennies_trials.json")
        for record in ws.records.ids()
    ]
    assert {result["trials"] for result in results} == {300}
    assert [result["left"] for result in results] == [179, 141, 150, 125, 153, 141, 154]
    assert [result["match_true"] for result in results] == [170, 162, 201, 164, 152, 183, 168]
    assert sorted(path.name for path in (root / "dataset").iterdir()) == sorted([*before, "derivatives"])
    assert (made / "LOG/sub-05.log").exists() and (made / ".sinagot").is_dir()


def test_dual_task(shared_data: Path, lay_out: Callable[..., Path]) -> None:
    """Uneven sessions and runs: 15 recordings of 10 person-sessions, 135 motion files, and two false starts that say so."""
    root = lay_out("bids_dualtask", *(shared_data / "bids/motion_dualtask").iterdir())
    ws = Workspace(root)
    ids = ws.records.ids()
    assert len(ids) == 15
    assert len({record.rpartition("_run-")[0] or record for record in ids}) == 10
    assert "sub-07_ses-walk" in ids and {"subject", "session", "run"} == set(
        ws["sub-18_ses-walk_run-1"].entities
    )
    report = ws.steps.run()
    assert report.counts["done"] == report.total == 30

    made = root / "dataset/derivatives/sinagot"
    starts = {}
    for record_id in ids:
        result = read_json(ws[record_id].EEG.dualWalking.steps.get("events").script.path.output)
        starts[record_id] = (result["events"], result["false_start"])
    assert len(list(made.rglob("*_eventcounts.json"))) == 15
    assert {record_id: facts[0] for record_id, facts in starts.items() if facts[1]} == FALSE_STARTS
    others = [count for count, is_false in starts.values() if not is_false]
    assert (min(others), max(others)) == (1299, 4644)
    for record_id, count in FALSE_STARTS.items():
        assert f"false start: {count} events" in ws[record_id].logs()["message"].tolist()

    tables = list(made.rglob("*_systems.csv"))
    systems = []
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 9
        systems += rows
    assert len(tables) == 15 and len(systems) == 135
    assert {(row["columns"], float(row["sampling_frequency_hz"])) for row in systems} == {("8", 480.0)}


def test_daily_levels(shared_data: Path, lay_out: Callable[..., Path]) -> None:
    """14 days at three levels: the known totals, and agreement on every day but the first."""
    root = lay_out("daily", *(path for path in (shared_data / "daily").iterdir() if path.is_dir()))
    ws = Workspace(root)
    assert len(ws) == 14 and ws.records.ids()[0] == "20200224"
    assert ws.records.count_raw_data()["count"].tolist() == [14, 14, 14]
    report = ws.steps.run()
    assert report.counts["done"] == report.total == 56
    found = [read_json(root / f"dataset/agreement/{day}.json") for day in ws.records.ids()]
    assert [result["agree"] for result in found] == [False] + [True] * 13
    for level in ("andamento-nazionale", "regioni", "province"):
        totals = [int((root / f"dataset/totals/{day}-{level}.txt").read_text()) for day in ws.records.ids()]
        assert totals[1:] == CASES[1:]
        assert totals[0] == (0 if level == "province" else CASES[0])
    assert any("levels differ" in text for text in ws["20200224"].national.logs()["message"])
    assert not any("levels differ" in text for text in ws["20200225"].national.logs()["message"])


def test_daily_check_waits_for_all_levels(shared_data: Path, lay_out: Callable[..., Path]) -> None:
    """A day whose provinces are missing has its other totals, and no check; when they come, the check runs."""
    root = lay_out("daily")
    for level in ("andamento-nazionale", "regioni", "province"):
        (root / f"dataset/dati-{level}").mkdir()
    levels = ("andamento-nazionale", "regioni", "province")
    sources = [shared_data / f"daily/dati-{level}/dpc-covid19-ita-{level}-20200301.csv" for level in levels]
    for source in sources[:2]:
        (root / "dataset" / source.parent.name / source.name).symlink_to(source)
    ws = Workspace(root)
    report = ws.steps.run()
    assert (report.counts["done"], report.counts["missing_input"]) == (2, 2)
    (root / "dataset" / sources[2].parent.name / sources[2].name).symlink_to(sources[2])
    assert ws.steps.run().counts["done"] == 2
    assert read_json(root / "dataset/agreement/20200301.json")["agree"] is True


def test_recording_that_is_a_folder(shared_data: Path, lay_out: Callable[..., Path]) -> None:
    """A folder is an input and an output: the known facts come out, the copy has the same signal and another date."""
    root = lay_out("mff", *(shared_data / "mff").glob("*.mff"))
    ws = Workspace(root)
    assert ws.records.ids() == ["example_3"]
    assert ws.steps.run().counts["done"] == 2
    info = read_json(root / "dataset/info/example_3.json")
    assert {
        key: info[key] for key in ("sampling_rate_hz", "n_channels", "n_samples", "duration_s", "n_files")
    } == {
        "sampling_rate_hz": 250,
        "n_channels": 257,
        "n_samples": 224,
        "duration_s": 0.896,
        "n_files": 12,
    }
    assert info["recording_time"] == "2020-01-29T06:19:39.202537-08:00"
    copy = root / "dataset/anonymised/example_3-anon.mff"
    source = shared_data / "mff/example_3.mff"
    assert {path.name for path in copy.iterdir()} == {path.name for path in source.iterdir()}
    assert (copy / "signal1.bin").read_bytes() == (source / "signal1.bin").read_bytes()
    assert b"2020-01-01T06:19:39.202537" in (copy / "info.xml").read_bytes()
    assert ws.records.ids() == ["example_3"]
    assert ws.steps.run().counts["up_to_date"] == 2


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the dataset of the SoNeTAA example, once."""
    spec = importlib.util.spec_from_file_location(
        "example_sonetaa_simulate", EXAMPLES / "sonetaa/simulate.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dataset = tmp_path_factory.mktemp("sonetaa") / "dataset"
    module.simulate(dataset)
    return dataset


@pytest.fixture
def sonetaa(simulated: Path, lay_out: Callable[..., Path]) -> Path:
    """Give a fresh SoNeTAA workspace; what is recorded is linked, the forms are copied since they can be changed."""
    root = lay_out("sonetaa", simulated / "MFF", simulated / "HDC")
    shutil.copytree(simulated / "clinical", root / "dataset/clinical")
    return root


def test_sonetaa_runs_and_finds_what_was_put_in(sonetaa: Path) -> None:
    """Every unit with data runs; alpha follows the rhythm that was put in, mismatch the answer, locking the pull."""
    ws = Workspace(sonetaa)
    ids = ["REC-200331-A", "REC-200401-A", "REC-200401-B", "REC-200402-A"]
    assert ws.records.ids() == ids
    report = ws.steps.run()
    assert report.ok and report.counts["failed"] == 0
    assert report.counts["done"] == 4 * 2 + 4 * 2 + 3 * 3
    assert report.counts["missing_input"] == 3
    assert ws.HDC.EEG.ids() == ws.behavior.ids() == ["REC-200331-A", "REC-200401-B", "REC-200402-A"]

    alpha = {}
    for record_id in ids:
        with open(
            sonetaa / f"dataset/results/{record_id}-RS-alpha.csv", newline="", encoding="utf-8"
        ) as file:
            alpha[record_id] = {row["channel"]: float(row["power_uv2"]) for row in csv.DictReader(file)}["O1"]
    amplitudes = {"REC-200331-A": 12.0, "REC-200401-A": 8.0, "REC-200401-B": 15.0, "REC-200402-A": 10.0}
    assert sorted(ids, key=alpha.__getitem__) == sorted(ids, key=amplitudes.__getitem__)
    for record_id, amplitude in amplitudes.items():
        assert alpha[record_id] == pytest.approx(amplitude**2 / 2, rel=0.2)
    mismatch = {
        record: float((sonetaa / f"dataset/results/{record}-MMN-mismatch.txt").read_text()) for record in ids
    }
    assert sorted(ids, key=mismatch.__getitem__) == [
        "REC-200401-B",
        "REC-200331-A",
        "REC-200401-A",
        "REC-200402-A",
    ]
    assert max(mismatch.values()) < 0


def test_sonetaa_plugins_give_tables(sonetaa: Path) -> None:
    """`clinical` is a table of the forms that can be assigned; `processed` gives the results of steps as tables."""
    ws = Workspace(sonetaa)
    assert ws.clinical.data.index.tolist() == ["REC-200331-A", "REC-200401-A", "REC-200402-A"]
    assert ws.clinical.data.loc["REC-200401-A", "score"] == 21
    record = ws["REC-200331-A"]
    assert record.clinical.data.name == "REC-200331-A" and record.clinical.data["handedness"] == "right"
    assert ws["REC-200401-B"].clinical.data is None
    ws["REC-200401-B"].clinical.data = {"age": 50, "handedness": "left", "score": 3}
    record.clinical.data = pd.Series({"age": 32, "handedness": "right", "score": 15})
    assert Workspace(sonetaa).clinical.data["score"].to_dict() == {
        "REC-200331-A": 15,
        "REC-200401-A": 21,
        "REC-200401-B": 3,
        "REC-200402-A": 9,
    }

    assert ws.processed.get_processed_data(data_key="mismatch").empty
    ws.steps.run()
    mismatch = ws.processed.get_processed_data(data_key="mismatch")
    assert mismatch.index.name == "record_id" and len(mismatch) == 4
    text = (sonetaa / "dataset/results/REC-200331-A-MMN-mismatch.txt").read_text()
    assert mismatch.loc["REC-200331-A", "mismatch"] == float(text)
    assert mismatch["task"].unique().tolist() == ["MMN"] and mismatch["modality"].unique().tolist() == ["EEG"]
    alpha = record.processed.get_processed_data("alpha")
    assert alpha["channel"].tolist() == ["Fz", "Cz", "Pz", "O1", "O2"]
    assert set(alpha.index) == {"REC-200331-A"}
    quality = ws.processed.get_processed_data(data_key="quality")
    assert len(quality) == 20 and list(quality.columns) == ["channel", "rms_uv"]
    coupling = ws.processed.get_processed_data(data_key="coupling")
    assert list(coupling.columns) == ["locking", "lag_ms"] and len(coupling) == 3


def test_sonetaa_custom_classes(sonetaa: Path) -> None:
    """`behavior` has classes of its own with a fixed task: extra methods, texts, and units."""
    ws = Workspace(sonetaa)
    record = ws["REC-200331-A"]
    assert (
        repr(record.behavior) == "<BehaviorRecord instance | id: REC-200331-A, task: HDC, modality: behavior>"
    )
    assert repr(ws.behavior) == "<BehaviorRecordCollection instance | task: HDC, modality: behavior>"
    assert record.behavior.is_unit and ws.behavior.is_unit
    assert repr(record.HDC.behavior) == repr(record.behavior)
    assert record.behavior.coupling() is None and ws.behavior.ranking() == []
    assert ws.behavior.steps.run().counts["done"] == 3
    coupling = record.behavior.coupling()
    assert coupling == {"locking": pytest.approx(0.9609), "lag_ms": pytest.approx(27.9)}
    ranking = ws.behavior.ranking()
    assert [record_id for record_id, _ in ranking] == ["REC-200331-A", "REC-200401-B", "REC-200402-A"]
    assert repr(ws.RS.EEG) == "<RecordCollection instance | task: RS, modality: EEG>"
    assert repr(ws.records.first().EEG) == "<Record instance | id: REC-200331-A, task: None, modality: EEG>"
    with pytest.raises(AttributeError):
        ws.RS.behavior  # noqa: B018


def test_harbor_demo_tells_what_happened(harbor: Path) -> None:
    """The demo runs the workspace twice and exits with 0: results, status and logs are where it says."""
    env = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, str(harbor / "demo.py")],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "3 records, steps count, mean" in done.stdout
    assert "<RunReport instance | ok: 6 up to date>" in done.stdout
    assert "30 DONE" in done.stdout
    ws = Workspace(harbor)
    assert set(ws.steps.status()["step_status"]) == {30}
    for record_id in ws:
        with open(harbor / f"dataset/raw/{record_id}.csv", newline="", encoding="utf-8") as file:
            raw = list(csv.DictReader(file))
        with open(harbor / f"dataset/count/{record_id}.csv", newline="", encoding="utf-8") as file:
            assert sum(int(row["count"]) for row in csv.DictReader(file)) == len(raw)
        with open(harbor / f"dataset/mean/{record_id}.csv", newline="", encoding="utf-8") as file:
            assert {row["country"] for row in csv.DictReader(file)} == {row["country"] for row in raw}


@pytest.fixture
def code_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the code-first example and make its modules importable."""
    made = shutil.ignore_patterns("computed", "LOG", ".*", "__pycache__")
    folder = Path(shutil.copytree(EXAMPLES / "code_first", tmp_path / "code_first", ignore=made))
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_first_workflow_gives_what_its_readme_says(code_first: Path) -> None:
    """The smallest code-first example runs on its own data."""
    import first_flow

    ws = first_flow.TestWorkspace(code_first / "first")
    assert list(ws) == ["001", "002"]
    assert ws["001"].final_data == 36
    assert (code_first / "first" / "computed" / "multiplied_data-001.csv").exists()


@pytest.mark.slow
def test_code_first_alpha_power_is_that_of_the_data_readme(shared_data: Path, code_first: Path) -> None:
    """Through classes the 24 values are the same to 1e-5; one table has all people and tasks, and there is a picture."""
    pytest.importorskip("mne")
    import eeg_flow

    root = code_first / "recordings"
    (root / "eeg").mkdir(parents=True)
    for file in (shared_data / "eeg").glob("*.edf"):
        (root / "eeg" / file.name).symlink_to(file)
    with eeg_flow.EEGWorkspace(root) as ws:
        assert len(ws) == 8
        report = ws.compute(workers=2)
        assert report.counts["done"] == 8, report.failures and report.failures[0].traceback
        table = pd.concat(ws.table.values()).set_index(["subject", "task", "channel"])["alpha_uv2"]
        for (subject, task), channels in ALPHA.items():
            for channel, value in channels.items():
                assert table[subject, task, channel] == pytest.approx(value, rel=1e-5), (
                    subject,
                    task,
                    channel,
                )
        stored = pd.read_csv(root / "tables" / "alpha.csv")
        assert list(stored.columns) == ["workflow_id", "subject", "task", "channel", "alpha_uv2"]
        assert len(stored) == 8 * 20
        assert eeg_flow.draw(ws).stat().st_size > 1000
        assert ws.steps.run(printing=False).counts["done"] == 0
