"""Makes what is measured: workspaces with many records, the same graph for ninja and make, folders full of names.

The steps are those of `probes/bodies.py`, pasted into the scripts, so that peers do the same work without sinagot.
"""

from __future__ import annotations

import inspect
import itertools
import json
import os
import random
import shutil
from pathlib import Path

from probes import bodies

_MOST_LINKS = 50_000  # ext4 allows 65,000 to one file
_CHANGES = itertools.count()

_TOML = """[records]
id_pattern = 'REC-\\d+'
[path]
dataset = "./dataset"
scripts = "./scripts"
[log]
level = "WARNING"
[steps]
scripts = [{steps}]
"""

_SCRIPT = """from sinagot import ScriptTemplate


{body}

class Script(ScriptTemplate):
    PATH_IN = {input}
    PATH_OUT = {output}

    def run(self):
        {name}(self.path.input, self.path.output)
"""

#: Three functions, and what calls them: a pipeline, or a script.
_STAGES = """def read(path):
    with open(path) as file:
        return file.read()


def change(text):
    return text.upper()


def write(text, path):
    with open(path, "w") as file:
        file.write(text)


"""
_PIPELINE = """from sinagot.pipeline import Pipeline, Stage
from sinagot.pipeline.input import dependency, path_in, path_out

pipeline = Pipeline(
    "change",
    paths={"raw": ("raw", "{id}.csv"), "changed": ("changed", "{id}.csv")},
    stages={
        "read": Stage(read, [path_in("raw", "path")]),
        "change": Stage(change, [dependency("read", "text")]),
        "write": Stage(write, [dependency("change", "text"), path_out("changed", "path")]),
    },
)
"""
_CALLS = """from sinagot import ScriptTemplate


class Script(ScriptTemplate):
    PATH_IN = ("raw", "{id}.csv")
    PATH_OUT = ("changed", "{id}.csv")

    def run(self):
        write(change(read(self.path.input)), self.path.output)
"""


def record_ids(count: int) -> list[str]:
    return [f"REC-{number:07d}" for number in range(count)]


def make_world(
    folder: Path, records: int, *, raw: str = "country,size\nFR,12\n", burning: bool = False
) -> Path:
    """Make a workspace of two tiny steps (or of one that only burns CPU time) that has not run yet."""
    steps = {"first": ("raw", "first"), "second": ("first", "second")}
    body = bodies.work
    if burning:
        steps, body = {"burn": ("raw", "burn")}, bodies.burn
    (folder / "scripts").mkdir(parents=True)
    (folder / "dataset" / "raw").mkdir(parents=True)
    (folder / "workspace.toml").write_text(_TOML.format(steps=", ".join(f'"{step}"' for step in steps)))
    for step, (source, target) in steps.items():
        script = _SCRIPT.format(
            body=inspect.getsource(body),
            name=body.__name__,
            input=(source, "{id}.csv"),
            output=(target, "{id}.csv"),
        )
        (folder / "scripts" / f"{step}.py").write_text(script)
    for record_id in record_ids(records):
        (folder / "dataset" / "raw" / f"{record_id}.csv").write_text(raw)
    return folder


def make_stage_world(folder: Path, records: int, *, as_pipeline: bool) -> Path:
    """Make a workspace of one step with three functions, as stages of a pipeline or called by a script."""
    make_world(folder, records)
    for script in (folder / "scripts").iterdir():
        script.unlink()
    (folder / "workspace.toml").write_text(_TOML.format(steps='"change"').replace('"WARNING"', '"INFO"'))
    (folder / "scripts" / "change.py").write_text(_STAGES + (_PIPELINE if as_pipeline else _CALLS))
    return folder


def reset(folder: Path) -> Path:
    """Remove everything that a run made, of ours or of a peer."""
    for path in (folder / "dataset").iterdir():
        if path.name != "raw":
            shutil.rmtree(path)
    for path in folder.glob(".[!.]*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def make_flat(folder: Path, files: int, *, shuffled: bool) -> Path:
    """Make a workspace with many files in one folder, made in the order of their names or in none."""
    make_world(folder, 0)
    names = record_ids(files)
    if shuffled:
        random.Random(0).shuffle(names)
    raw = str(folder / "dataset" / "raw")
    first = ""
    for number, name in enumerate(names):
        path = f"{raw}/{name}.csv"
        if number % _MOST_LINKS:
            os.link(first, path)  # as good as a file for those who only list, and made faster
        else:
            first = path
            Path(path).touch()
    return folder


def make_folders(folder: Path, records: int) -> Path:
    """Make a workspace with a folder for each record, in which its raw file lies."""
    make_world(folder, 0)
    script = folder / "scripts" / "first.py"
    script.write_text(script.read_text().replace("('raw', '{id}.csv')", "('raw', '{id}', 'data.csv')"))
    for name in record_ids(records):
        (folder / "dataset" / "raw" / name).mkdir()
        (folder / "dataset" / "raw" / name / "data.csv").touch()
    return folder


def write_build_files(folder: Path, records: int, ninja: str = ":", make: str = "cp $< $@") -> None:
    """Write the graph of a workspace for ninja and for make, over the same files.

    Where the outputs are there, ninja's first build has only to note them, so its command does nothing.
    """
    edges = [
        (f"dataset/{target}/{name}.csv", f"dataset/{source}/{name}.csv")
        for source, target in (("raw", "first"), ("first", "second"))
        for name in record_ids(records)
    ]
    rules = [f"rule first\n command = {ninja}\n", f"rule second\n command = {ninja}\n"]
    rules += [f"build {target}: {target.split('/')[1]} {source}\n" for target, source in edges]
    (folder / "build.ninja").write_text("".join(rules))
    goals = " ".join(target for target, _ in edges)
    rules = [
        f".SUFFIXES:\nall: {goals}\n",
        *(f"{target}: {source}\n\t{make}\n" for target, source in edges),
    ]
    (folder / "Makefile").write_text("".join(rules))


def make_built(folder: Path, records: int) -> Path:
    """Make a folder in which all outputs are there, and a graph for ninja that copies what is newer."""
    make_world(folder, records)
    data = folder / "dataset"
    for step in ("first", "second"):
        (data / step).mkdir()
        for name in record_ids(records):
            (data / step / f"{name}.csv").write_text("COUNTRY,SIZE\nFR,12\n")
    write_build_files(folder, records, ninja="test $in -nt $out && cp $in $out; :")
    return folder


def change_input(folder: Path, records: int) -> tuple[Path, str]:
    """Write the raw file of some record anew; gives the last of its outputs and the new text."""
    number = next(_CHANGES)
    name = f"REC-{number * 7919 % records:07d}.csv"
    text = f"country,size\nFR,{1000 + number}\n"
    (folder / "dataset" / "raw" / name).write_text(text)
    return folder / "dataset" / "second" / name, text


def write_logs(folder: Path, records: int, lines: int) -> int:
    """Write logs as long runs leave them, three lines an attempt; gives their size in bytes."""
    log = folder / "dataset" / "LOG"
    log.mkdir()
    size = 0
    for name in record_ids(records):
        text = "".join(json.dumps(_log_line(name, number)) + "\n" for number in range(lines))
        (log / f"{name}.log").write_text(text)
        size += len(text)
    return size


def _log_line(name: str, number: int) -> dict[str, object]:
    status = (0, 20, 30)[number % 3]
    line: dict[str, object] = {
        "log_from": "sinagot",
        "record_id": name,
        "scope": "unit",
        "task": None,
        "modality": None,
        "step_label": "first" if number % 2 else "second",
        "step_status": status,
        "message": {0: "Init run", 20: "Processing run", 30: "Run finished"}[status],
        "time": f"2026-01-02T03:{number // 60 % 60:02d}:{number % 60:02d}.{number:06d}+00:00",
        "workspace_version": "0.1.0",
        "level": "INFO",
        "run_id": "20260102T030405-0a1b2c",
        "attempt": f"20260102T030405-0a1b2c-4242-{number // 3}",
        "host": "anywhere",
        "pid": 4242,
    }
    if status == 30:
        line |= {"duration_s": 0.000123, "cpu_s": 0.0, "peak_memory_mb": 31.5}
        line |= {"inputs": [f"/data/raw/{name}.csv"], "outputs": [f"/data/first/{name}.csv"]}
        line |= {"script_hash": "0" * 64, "params": {}}
    return line
