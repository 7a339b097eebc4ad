"""What runs rely on when they write, asked of a drive one by one, and what each answer means.

Knows what claims, outputs and logs need; the experiments are those of `sinagot.dataset.probes`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sinagot.dataset import probes, trials
from sinagot.dataset.findings import NOTE, OK, PROBLEM, WARNING, Answer, brief

__all__ = ["Check", "judge_clock", "judge_stamps", "writing_checks"]

_SLOW_SYNC = 0.05  # seconds
#: Time stamps in the file server's clock may lag behind by a tick of its kernel.
_TICK = 0.05
_SKEW_TOLD = 2.0
_SKEW_BAD = 60.0
#: The longest name that claims and marks get, and what a plain disk allows, in bytes.
_NAME_NEEDED = 200
_NAME_USUAL = 255

_DIGEST = 'set check = "digest" in [run], or for the steps that it concerns'
_STATE_ELSEWHERE = "Set [path] state to a folder on another drive that all machines see."

Check = Callable[[str], Answer]


def writing_checks(by_digest: bool) -> dict[str, Check]:
    """Give the checks that write, by name, in the order in which they are shown.

    Parameters
    ----------
    by_digest : bool
        Changed inputs are told by their content.

    Returns
    -------
    dict of str to callable
        Each takes a folder of its own to write in.
    """
    return {
        "create": _create,
        "sync": _sync,
        "time stamps": partial(_time_stamps, by_digest=by_digest),
        "clock": _clock,
        "rename": _rename,
        "exclusive create": _exclusive,
        "hard links": _links,
        "locks": _locks,
        "symbolic links": _symlinks,
        "case of names": _case,
        "accents in names": _forms,
        "names not in UTF-8": _bytes,
        "longest name": _name,
    }


def _create(folder: str) -> Answer:
    times, _ = probes.quick_stamps(folder)
    return Answer(f"{brief(times.middle)} a small file (worst {brief(times.worst)})")


def _sync(folder: str) -> Answer:
    times = probes.sync_times(folder)
    value = f"{brief(times.middle)} a small file (worst {brief(times.worst)})"
    if times.middle < _SLOW_SYNC:
        return Answer(value)
    return Answer(
        value,
        NOTE,
        'the level "full" of durability pays this several times for each job; the default, "lazy", not.',
    )


def _time_stamps(folder: str, by_digest: bool) -> Answer:
    _, stamps = probes.quick_stamps(folder)
    unseen = probes.unseen_rewrites(folder)
    return judge_stamps(probes.stamp_unit(stamps), unseen, by_digest)


def judge_stamps(unit: int, unseen: int, by_digest: bool) -> Answer:
    """Say how fine time stamps are, and whether quick changes can be told by them.

    Parameters
    ----------
    unit : int
        Nanoseconds that all stamps are multiples of.
    unseen : int
        Of 50 quick rewrites of the same size, those that left the time stamp as it was.
    by_digest : bool
        Changed inputs are told by their content.

    Returns
    -------
    Answer
        With the advice to compare contents where time stamps do not do.
    """
    value = f"{brief(unit / 1e9)}; {unseen} of 50 quick rewrites unseen"
    if by_digest:
        return Answer(value, OK, 'check = "digest" is set: changes are told by content.')
    if unit >= 1_000_000_000:
        advice = f'a change within the same second that keeps the size is not noticed by rerun = "outdated": {_DIGEST}.'
        return Answer(value, WARNING, advice)
    if unseen:
        advice = (
            "a file that is changed twice within milliseconds, and keeps its size, looks unchanged to "
            f'rerun = "outdated". Where programs write that fast, {_DIGEST}.'
        )
        return Answer(value, NOTE, advice)
    return Answer(value)


def _clock(folder: str) -> Answer:
    return judge_clock(
        probes.clock_offset(folder), probes.stamp_unit(probes.quick_stamps(folder, 8)[1]) / 1e9
    )


def judge_clock(offset: float, unit: float) -> Answer:
    """Say whether the clocks of this machine and of the file server agree.

    Parameters
    ----------
    offset : float
        Seconds that the server is ahead.
    unit : float
        Seconds that time stamps are multiples of.

    Returns
    -------
    Answer
        A warning from a minute on.
    """
    if -max(_TICK, unit) <= offset <= _TICK:
        return Answer("no difference")
    value = f"the file server is {brief(abs(offset))} {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) < _SKEW_TOLD:
        return Answer(value)
    advice = (
        "claims compare no two clocks, so runs are safe; times in logs and of files do not fit each other, and "
        "programs such as make go wrong. Set the clocks by NTP."
    )
    return Answer(value, WARNING if abs(offset) >= _SKEW_BAD else NOTE, advice)


def _rename(folder: str) -> Answer:
    torn, errors = trials.replace_seen(folder)
    if torn:
        advice = "a reader may meet half an output. Set [path] output, log and state to another drive."
        return Answer(f"not atomic: seen {torn} times absent or not whole", PROBLEM, advice)
    if errors:
        advice = "a program that reads while a run publishes may get an error and has to try again."
        return Answer(f"atomic; a reader met {errors} errors", NOTE, advice)
    return Answer("atomic: 50 replaces under a reader, always there and whole")


def _exclusive(folder: str) -> Answer:
    if trials.is_exclusive(folder):
        return Answer("works")
    return Answer(
        "a file can be made twice", PROBLEM, f"two runs could do one job at once. {_STATE_ELSEWHERE}"
    )


def _links(folder: str) -> Answer:
    wrong = trials.hard_link(folder)
    if wrong == "none":
        advice = "claims are plain files instead, each renewed by itself every ten seconds. Nothing needs to be done."
        return Answer("none", NOTE, advice)
    if wrong:
        return Answer(f"wrong: {wrong}", PROBLEM, f"a run could not tell its own claims. {_STATE_ELSEWHERE}")
    return Answer("work", OK, "claims are hard links: one heartbeat for all jobs of a process.")


def _locks(folder: str) -> Answer:
    state = trials.lock_state(folder)
    if state == "held":
        return Answer("work")
    if state == "none":
        advice = (
            "claims need none. Logs are appended without, and a record's log is not turned when it is full."
        )
        return Answer("none", NOTE, advice)
    if state == "unknown":
        return Answer("unknown: a second process could not be started", NOTE)
    advice = (
        "claims need none, but two runs that turn the log of one record at the same moment may lose lines of it. "
        f"{_STATE_ELSEWHERE}"
    )
    return Answer("granted to two processes at once", WARNING, advice)


def _symlinks(folder: str) -> Answer:
    if trials.makes_symlink(folder):
        return Answer("work")
    return Answer("none", NOTE, "sinagot makes none; DataLad and git-annex need them.")


def _case(folder: str) -> Answer:
    if trials.tells_case(folder):
        return Answer("told apart")
    return Answer(
        "one file", NOTE, "ids that differ only in case would share their outputs: forbid that by id_pattern."
    )


def _forms(folder: str) -> Answer:
    form = trials.name_forms(folder)
    if form == "two files":
        return Answer("kept as written")
    if form == "one file":
        return Answer("kept; both ways to write an accented letter are one file")
    if form == "changed":
        advice = "names come back in another form than they were written in: keep to letters without accents in ids."
        return Answer("changed", WARNING, advice)
    return Answer("refused", NOTE, "names with accents can't be made here: ids and scripts must do without.")


def _bytes(folder: str) -> Answer:
    return Answer("taken" if trials.takes_any_bytes(folder) else "refused")


def _name(folder: str) -> Answer:
    length = trials.longest_name(folder)
    value = f"{length} bytes"
    if length >= _NAME_USUAL:
        return Answer(value)
    if length < _NAME_NEEDED:
        advice = f"claims have names of up to {_NAME_NEEDED} bytes: jobs with long keys will fail. {_STATE_ELSEWHERE}"
        return Answer(value, WARNING, advice)
    return Answer(value, NOTE, "records whose file names would be longer can't be written here.")
