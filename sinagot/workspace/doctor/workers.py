"""What the workers of a Dask cluster are: versions, folders, clocks, threads, compared with this process.

Knows a Dask client by the few methods that it calls; must not know jobs. Workers are asked for nothing that needs
sinagot there, so that its absence can be told.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sinagot.config.quantities import bytes_text
from sinagot.dataset.findings import NOTE, OK, PROBLEM, WARNING, Answer, Finding, brief
from sinagot.dataset.probes import probe_folder
from sinagot.engine.executors.greeting import Greeting, Look, doubts_about
from sinagot.errors import SinagotError
from sinagot.workspace.choices import ExecutorChoice
from sinagot.workspace.contracts import House
from sinagot.workspace.doctor.environment import PACKAGES, installed_version

__all__ = ["NAMES", "examine_client", "examine_workers"]

#: Names of all findings of this module.
NAMES = (
    "cluster",
    "workers",
    "worker versions",
    "worker folders",
    "worker clocks",
    "worker threads",
    "worker memory",
)

#: Seconds to wait for the first worker, and for a new file to be seen.
_PATIENCE = 30.0
_LATENCY = 5.0
_SKEW_TOLD = 2.0
_PLACE = "Dask"
#: Packages whose versions decide whether jobs may run on a worker.
_DECIDING = ("sinagot", "dask", "distributed")
_LITTLE_MEMORY = 512 << 20


def examine_workers(workspace: House, address: str | None = None) -> Iterator[Finding]:
    """Start or reach the cluster that runs would use, and look at its workers.

    Parameters
    ----------
    workspace : Workspace
        Says which cluster.
    address : str, optional
        A running scheduler, instead of the configured cluster.

    Yields
    ------
    Finding
        One a thing that was looked at; a cluster that can't be had is a problem.
    """
    choice = ExecutorChoice(workspace, mode="dask", workers=None, client=None, address=address, debug=False)
    if choice.here:
        yield Finding(_PLACE, "cluster", "none: the scheduler single-threaded runs jobs in this process")
        return
    try:
        with workspace.executor(choice.key, choice.make) as executor:
            client: Any = getattr(executor, "client", None)
            configuration = workspace.configuration
            folders = [str(configuration.data_path), str(configuration.scripts_path)]
            yield from examine_client(client, str(configuration.state_path), folders)
    except SinagotError as error:
        yield Finding(_PLACE, "cluster", str(error), PROBLEM, "see [dask.cluster], or --address.")


def examine_client(
    client: Any, state: str, folders: Iterable[str], patience: float = _PATIENCE
) -> Iterator[Finding]:
    """Look at the workers that a client reaches.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    state : str
        The state folder: a new file in it must be seen by all.
    folders : iterable of str
        Further folders that must be there.
    patience : float
        Seconds to wait for the first worker.

    Yields
    ------
    Finding
        One a thing that was looked at.
    """
    yield Finding(_PLACE, "cluster", str(client.scheduler_info()["address"]))
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError:
        advice = "runs wait for workers: start some, or look into their logs."
        yield Finding(_PLACE, "workers", f"none within {brief(patience)}", PROBLEM, advice)
        return
    workers: Mapping[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    names = {address: f"{facts.get('host', '?')} ({address})" for address, facts in workers.items()}
    threads = sum(int(facts["nthreads"]) for facts in workers.values())
    yield Finding(_PLACE, "workers", f"{len(workers)}, with {threads} threads together")
    yield Finding(_PLACE, "worker versions", *_judge_versions(client, names))
    yield Finding(_PLACE, "worker folders", *_judge_folders(client, names, state, folders))
    yield Finding(_PLACE, "worker clocks", *_judge_clocks(client, names))
    yield Finding(_PLACE, "worker threads", *_judge_threads(client, names))
    yield Finding(
        _PLACE, "worker memory", *judge_memory([int(facts["memory_limit"]) for facts in workers.values()])
    )


def _ask(client: Any, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Call a function on every worker; one that cannot answer is left out."""
    return dict(client.run(function, *arguments, on_error="ignore"))


def _judge_versions(client: Any, names: Mapping[str, str]) -> Answer:
    answers = client.get_versions(packages=list(PACKAGES))["workers"]
    here = {package: installed_version(package) or "none" for package in PACKAGES}
    ours = {"python": _python(client.get_versions()["client"])} | here
    theirs = {}
    for address in names:
        answer = answers.get(address)
        if isinstance(answer, dict):
            found = {package: answer["packages"].get(package) or "none" for package in PACKAGES}
            theirs[names[address]] = {"python": _python(answer)} | found
    return judge_versions(ours, theirs)


def _python(answer: Mapping[str, Any]) -> str:
    return ".".join(str(answer["host"]["python"]).split(".")[:3])


def judge_versions(ours: Mapping[str, str], theirs: Mapping[str, Mapping[str, str]]) -> Answer:
    """Compare the versions of this process with those of workers.

    Parameters
    ----------
    ours : mapping of str to str
        Package (and ``python``) -> version.
    theirs : mapping
        Name of a worker -> the same of it.

    Returns
    -------
    Answer
        A problem when a run would refuse one of them.
    """
    worst, words = OK, []
    greeting = Greeting(_deciding(ours), "")
    for worker, versions in theirs.items():
        other = [
            f"{name} {versions.get(name, 'none')} (here {mine})"
            for name, mine in ours.items()
            if versions.get(name, "none") != mine
        ]
        if other:
            words.append(f"{worker}: {', '.join(other)}")
            refusal, _ = doubts_about(Look(worker, _deciding(versions), True), greeting)
            worst = PROBLEM if refusal or worst == PROBLEM else WARNING
    if not words:
        return Answer("as here")
    advice = {
        PROBLEM: "a run gives no job to such a worker: install the same versions there.",
        WARNING: "results may differ between workers: install the same versions there.",
    }
    return Answer("; ".join(words), worst, advice[worst])


def _deciding(versions: Mapping[str, str]) -> dict[str, str]:
    python = ".".join(versions.get("python", "?").split(".")[:2])
    return {"python": python} | {name: versions.get(name, "none") for name in _DECIDING}


def _judge_folders(client: Any, names: Mapping[str, str], state: str, folders: Iterable[str]) -> Answer:
    missing = [
        f"{folder} on {names[one]}" for folder in folders for one in _blind(client, names, folder, 0.0)
    ]
    try:
        with probe_folder(state) as probe:
            blind = _blind(client, names, probe, _LATENCY)
            missing += [f"{state} (or what is new in it) on {names[one]}" for one in blind]
    except OSError as error:
        if not missing:
            text = f"the data and the scripts are there; the state folder was not tried: {error.strerror or error}"
            return Answer(text, NOTE)
    if not missing:
        return Answer("the data, the scripts and what is new in the state folder are seen by all")
    advice = "every worker needs them under the same paths as here: a shared file system, mounted alike."
    return Answer(f"not seen: {'; '.join(missing)}", PROBLEM, advice)


def _blind(client: Any, names: Mapping[str, str], path: str, patience: float) -> list[str]:
    """Give the workers that do not see a path, not even a while later."""
    end = time.monotonic() + patience
    while True:
        seen = _ask(client, os.path.isdir, path)
        blind = [address for address in names if seen.get(address) is False]
        if not blind or time.monotonic() >= end:
            return blind
        time.sleep(0.2)


def _judge_clocks(client: Any, names: Mapping[str, str]) -> Answer:
    before = time.time()
    answers = _ask(client, time.time)
    after = time.time()
    offsets = {
        names[address]: float(clock - (before if clock < before else after))
        for address, clock in answers.items()
        if address in names and not before <= clock <= after
    }
    return judge_clocks(offsets)


def judge_clocks(offsets: Mapping[str, float]) -> Answer:
    """Say which workers have another time than this machine.

    Parameters
    ----------
    offsets : mapping of str to float
        Name of a worker -> seconds that it is ahead.

    Returns
    -------
    Answer
        Differences of less than two seconds are not told.
    """
    told = {worker: offset for worker, offset in offsets.items() if abs(offset) >= _SKEW_TOLD}
    if not told:
        return Answer("as here")
    words = [
        f"{worker} is {brief(abs(offset))} {'ahead' if offset > 0 else 'behind'}"
        for worker, offset in told.items()
    ]
    return Answer("; ".join(words), NOTE, "times in logs do not fit each other; set the clocks by NTP.")


def _judge_threads(client: Any, names: Mapping[str, str]) -> Answer:
    answers = _ask(client, os.getenv, "OMP_NUM_THREADS")
    found = sorted({str(answers[address] or "not set") for address in names if address in answers})
    value = f"OMP_NUM_THREADS {', '.join(found) or 'unknown'}"
    if found == ["not set"]:
        return Answer(
            value, NOTE, "numeric libraries take all cores in each worker: set threads = 1 in [run]."
        )
    return Answer(value)


def judge_memory(limits: Iterable[int]) -> Answer:
    """Say how much memory workers may use.

    Parameters
    ----------
    limits : iterable of int
        Bytes of each; 0 is no limit.

    Returns
    -------
    Answer
        The smallest, of those that have a limit.
    """
    told = sorted(limit for limit in limits if limit)
    if not told:
        return Answer("no limit")
    value = bytes_text(told[0]) if told[0] == told[-1] else f"{bytes_text(told[0])} to {bytes_text(told[-1])}"
    if told[0] < _LITTLE_MEMORY:
        return Answer(
            f"{value} each", WARNING, "little for numeric libraries: set memory_limit of the cluster."
        )
    return Answer(f"{value} each")
