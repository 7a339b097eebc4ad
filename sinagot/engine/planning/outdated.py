"""Compares what a result came from with what is there now, and says each difference in words.

Pure: facts in, reasons out. `sinagot.engine.planning.survey` looks the facts up, `sinagot.engine.planning.plan` decides
with the reasons.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sinagot.dataset.prints import same_version
from sinagot.engine.planning.plan import Reason
from sinagot.engine.state.origins import Origin, Prints, same_prints

__all__ = ["Present", "outdated_reasons"]


class Present(NamedTuple):
    """What is there now for one job whose outputs are there."""

    #: How each input is called; a pattern with free fields is one.
    names: Sequence[str]
    inputs: Prints
    outputs: Prints
    code: str
    params: str
    paths: str


def outdated_reasons(origin: Origin | None, now: Present) -> tuple[Reason, ...]:
    """Say what changed since the outputs of a job were made.

    Parameters
    ----------
    origin : Origin, optional
        What the newest known attempt noted.
    now : Present
        What is there now.

    Returns
    -------
    tuple of Reason
        Empty when the outputs are those that would be made now. Outputs that no known attempt made (delivered, or
        edited by hand) are outdated only when an input is newer. An input that is gone is no reason: nothing could be
        made of it.

    Examples
    --------
    >>> origin = Origin("run", "", ["8 17"], ["3 20"], "c", "{}", "p")
    >>> outdated_reasons(origin, Present(["raw/a.csv"], ["8 17"], ["3 20"], "c", "{}", "p"))
    ()
    >>> outdated_reasons(origin, Present(["raw/a.csv"], ["8 17"], ["3 20"], "d", "{}", "p"))[0].code
    'script_changed'
    """
    if origin is None or not same_prints(origin.outputs, now.outputs):
        return _newer_inputs(now)
    if origin.paths != now.paths:
        # The inputs of then and now are not the same paths: they cannot be compared one by one.
        reasons = [Reason("paths_changed", "the declared paths changed", "paths", origin.paths, now.paths)]
    else:
        reasons = _changed_inputs(origin.inputs, now)
    if origin.code != now.code:
        text = f"the script changed ({origin.code[:8]} -> {now.code[:8]})"
        reasons.append(Reason("script_changed", text, "script", origin.code, now.code))
    if origin.params != now.params:
        reasons += _changed_params(json.loads(origin.params), json.loads(now.params))
    return tuple(reasons)


def _newer_inputs(now: Present) -> tuple[Reason, ...]:
    times = [_time(text) for _, text in _flat(["output"] * len(now.outputs), now.outputs) if text]
    if not times:
        return ()
    made = min(times)
    return tuple(
        Reason(
            "input_newer",
            f"input {name} is newer than the output",
            name,
            _time_text(made),
            _time_text(_time(text)),
        )
        for name, text in _flat(now.names, now.inputs)
        if text is not None and _time(text) > made
    )


def _changed_inputs(before: Prints, now: Present) -> list[Reason]:
    reasons = []
    for name, old, new in zip(now.names, before, now.inputs, strict=False):
        if isinstance(old, list) or isinstance(new, list):
            reasons += _changed_matches(name, old, new)
        elif new is not None and not same_version(old, new):
            reasons.append(_changed(name, old, new))
    return reasons


def _changed_matches(name: str, old: Any, new: Any) -> list[Reason]:
    before = dict(map(tuple, old)) if isinstance(old, list) else {}
    after = dict(map(tuple, new)) if isinstance(new, list) else {}
    reasons = [
        Reason("input_added", f"input {each} is new", each, None, _print_text(after[each]))
        for each in after
        if each not in before
    ]
    if after:
        reasons += [
            Reason("input_removed", f"input {each} is gone", each, _print_text(before[each]), None)
            for each in before
            if each not in after
        ]
    reasons += [
        _changed(each, before[each], after[each])
        for each in after
        if each in before and not same_version(before[each], after[each])
    ]
    return reasons


def _changed(name: str, old: str | None, new: str | None) -> Reason:
    before, after = _print_text(old), _print_text(new)
    return Reason("input_changed", f"input {name} changed ({before} -> {after})", name, before, after)


def _changed_params(old: dict[str, Any], new: dict[str, Any]) -> list[Reason]:
    reasons = []
    for name in sorted({*old, *new}):
        if name not in old or name not in new or old[name] != new[name]:
            before, after = (json.dumps(one[name]) if name in one else "not set" for one in (old, new))
            text = f"parameter {name} changed ({before} -> {after})"
            reasons.append(Reason("params_changed", text, name, before, after))
    return reasons


def _flat(names: Sequence[str], prints: Prints) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for name, one in zip(names, prints, strict=True):
        if isinstance(one, list):
            found += [(each, text) for each, text in one]
        else:
            found.append((name, one))
    return found


def _time(text: str) -> int:
    return int(text.split(" ")[1])


def _time_text(nanoseconds: int) -> str:
    from datetime import UTC, datetime  # only where something changed

    moment = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    return moment.isoformat(" ", timespec="milliseconds").removesuffix("+00:00")


def _print_text(text: str | None) -> str:
    """Write a print for people: bytes and time, UTC, and the beginning of the digest where there is one."""
    if text is None:
        return "not there"
    size, time, *digest = text.split(" ")
    return f"{int(size):,} bytes of {_time_text(int(time))}{f', {digest[0][:8]}' if digest else ''}"
