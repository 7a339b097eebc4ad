"""The schema of a log line: its fields, their order, its time, and the name of the file it stands in.

Knows no file and no logger; must stay free of heavy imports, because a run that has nothing to do imports
it too. `write` puts what is made here on disk, `read` gives it back.
"""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as _quote
from typing import Any

from sinagot.runlog.encoding import encoder_for
from sinagot.runlog.texts import MAX_TEXT, cut_text, safe_text

__all__ = [
    "ADDED_FIELDS",
    "ESTABLISHED_FIELDS",
    "LEVELS",
    "MAX_LINE",
    "VoiceFields",
    "level_number",
    "line_text",
    "log_file_name",
    "make_line",
    "now_utc",
    "old_time_to_utc_form",
]

#: Fields that lines had in versions 0.2 and 0.3, in the order of 0.3.
ESTABLISHED_FIELDS = (
    "log_from",
    "workspace_version",
    "record_id",
    "scope",
    "task",
    "modality",
    "step_label",
    "step_status",
    "message",
    "time",
)
#: Fields added since: five on every line, two on every line of a pipeline, two on every line of a flow, then those of
#: the last line of an attempt, of a failure, of lines of others, of what a pipeline's own code said, of what was
#: printed beyond the limit or could not be written, of the first line after a rotation that lost lines.
ADDED_FIELDS = (
    "level",
    "run_id",
    "attempt",
    "host",
    "pid",
    "pipeline",
    "stage",
    "flow",
    "processor",
    "duration_s",
    "peak_memory_mb",
    "cpu_s",
    "inputs",
    "outputs",
    "script_hash",
    "params",
    "exc_type",
    "exc_message",
    "traceback",
    "logger",
    "file",
    "line",
    "stdout_dropped_lines",
    "stdout_dropped_bytes",
    "lines_lost",
    "dropped",
)
#: Numbers of the level names, the ones of the standard `logging`.
LEVELS = {
    "NOTSET": 0,
    "DEBUG": 10,
    "INFO": 20,
    "WARN": 30,
    "WARNING": 30,
    "ERROR": 40,
    "CRITICAL": 50,
    "FATAL": 50,
}
#: A line is never longer than this, in bytes; readers skip and count what is.
MAX_LINE = 1024 * 1024

_RESERVED_OF_VOICES = frozenset(ESTABLISHED_FIELDS + ADDED_FIELDS)
#: In lines of scripts these six are the user's.
_RESERVED = _RESERVED_OF_VOICES - {"pipeline", "stage", "flow", "processor", "file", "line"}
_NAME_LIMIT = 180  # bytes: leaves room for ".log.NN" below the 255 that file systems allow
_UNSAFE_IN_NAME = re.compile(r'[\x00-\x1f\x7f%/\\:<>"|?*\ud800-\udfff]|^\.')
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s*(Z|z|[+-]\d\d:?\d\d(?::?\d\d)?)?\Z", re.ASCII
)

#: Characters of a text that is certainly not too long for a line.
_SHORT = MAX_TEXT // 12


def _refuse(value: object) -> None:
    raise TypeError(type(value).__name__)


_encode = encoder_for(_refuse, allow_nan=False)

_second = [(-1, "")]  # the last second and its text


class VoiceFields(dict[str, Any]):
    """Fields that stand on all lines of a voice, such as ``pipeline`` and ``stage``; encoded once.

    Parameters
    ----------
    fields : mapping
        The fields; one that is None is left out.

    Attributes
    ----------
    text : str or None
        Their JSON, to be put after another field; None when they are too long or too odd for that.

    Examples
    --------
    >>> VoiceFields({"stage": "load", "pipeline": "p", "more": None}).text
    ', "pipeline": "p", "stage": "load"'
    """

    __slots__ = ("text",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        names = [name for name in ADDED_FIELDS if name in fields]
        names += [name for name in fields if name not in names]
        super().__init__({name: fields[name] for name in names if fields[name] is not None})
        try:
            text = _encode(self)
            self.text = f", {text[1:-1]}" if self and len(text) <= _SHORT else "" if not self else None
        except Exception:  # noqa: BLE001 - NaN, objects that fight back
            self.text = None


def make_line(
    context: Mapping[str, Any],
    status: int,
    message: object,
    *,
    level: str = "INFO",
    facts: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    fields: VoiceFields | None = None,
) -> dict[str, Any]:
    """Make one log line, its fields in the established order.

    Parameters
    ----------
    context : mapping
        What all lines of an attempt share: ``workspace_version, record_id, task, modality, step_label,
        run_id, attempt``. Missing keys are ``None``.
    status : int
        Code of the step's state.
    message : object
        The text; anything else is turned into text.
    level : str
        Name of the level.
    facts : mapping, optional
        Fields of ours that only some lines have (`ADDED_FIELDS`).
    extra : mapping, optional
        Fields of the user; one that has the name of a field of ours gets the prefix ``extra_``.
    fields : VoiceFields, optional
        Fields of the voice that says it.

    Returns
    -------
    dict
        One line, ready for `RecordLog.write`.

    Examples
    --------
    >>> line = make_line(
    ...     {"record_id": "REC-1", "step_label": "mean"}, 30, "Run finished", facts={"duration_s": 0.5}
    ... )
    >>> line["record_id"], line["task"], line["step_status"], line["duration_s"]
    ('REC-1', None, 30, 0.5)
    >>> make_line({}, 20, "hello", extra={"pid": 1, "rate": 2})["extra_pid"]
    1
    """
    get = context.get
    line = {
        "log_from": "script",
        "workspace_version": get("workspace_version"),
        "record_id": get("record_id"),
        "scope": "record",
        "task": get("task"),
        "modality": get("modality"),
        "step_label": get("step_label"),
        "step_status": status,
        "message": cut_text(safe_text(message)),
        "time": now_utc(),
        "level": level,
        "run_id": get("run_id"),
        "attempt": get("attempt"),
        "host": _host(),
        "pid": os.getpid(),
    }
    if fields:
        line.update(fields)
    if facts:
        line.update({name: facts[name] for name in ADDED_FIELDS if name in facts})
        line.update(facts)
    if extra:
        reserved = _RESERVED_OF_VOICES if fields else _RESERVED
        for key, value in extra.items():
            name = str(key)
            line[f"extra_{name}" if name in reserved or name in line else name] = value
    return line


def line_text(
    context: Mapping[str, Any],
    status: int,
    message: str,
    level: str,
    facts: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
    fields: VoiceFields | None = None,
) -> str | dict[str, Any]:
    """Make one line as its JSON text, with no more work than it needs; as a mapping where that takes care.

    Parameters
    ----------
    context, status, message, level, facts
        As for `make_line`.
    extra : mapping, optional
        Fields of the user, none of which has the name of a field of ours.
    fields : VoiceFields, optional
        Fields of the voice that says it.

    Returns
    -------
    str or dict
        What the formatter makes of `make_line`, or `make_line` itself: of long texts and odd values.

    Notes
    -----
    What stands on all lines of a step is encoded once, and so is what stands on all lines of a voice: a thousand
    stages of one attempt share one frame.

    Examples
    --------
    >>> line_text({"record_id": "REC-1"}, 0, "Init run", "INFO", {})[:79]
    '{"log_from": "script", "workspace_version": null, "record_id": "REC-1", "scope"'
    """
    get = context.get
    record_id: Any = get("record_id")
    attempt = get("attempt")
    try:
        if len(message) > _SHORT:
            raise ValueError
        start, middle, end, last = _frame(
            get("workspace_version"), get("task"), get("modality"), get("step_label"), get("run_id")
        )
        more = ""
        if fields:
            if fields.text is None or (facts and not fields.keys().isdisjoint(facts)):
                raise ValueError
            more = fields.text
        if facts:
            text = _encode({**{name: facts[name] for name in ADDED_FIELDS if name in facts}, **facts})
            if len(text) > _SHORT:
                raise ValueError
            more = f"{more}, {text[1:-1]}"
        if extra:
            text = _encode(extra)
            if len(text) > _SHORT:
                raise ValueError
            more = f"{more}, {text[1:-1]}"
        return (
            f"{start}{'null' if record_id is None else _quote(record_id)}{middle}{int(status)}, "
            f'"message": {_quote(message)}, "time": "{now_utc()}", "level": {_quote(level)}'
            f"{end}{'null' if attempt is None else _quote(attempt)}{last}{os.getpid()}{more}}}"
        )
    except Exception:  # noqa: BLE001 - NaN, objects that fight back, no text where one should be
        return make_line(context, status, message, level=level, facts=facts, extra=extra, fields=fields)


@functools.lru_cache(64)
def _frame(*shared: Any) -> tuple[str, str, str, str]:
    """Encode what the lines of a step share: what stands before id, status, attempt and process."""
    version, task, modality, label, run_id = map(_encode, shared)
    return (
        f'{{"log_from": "script", "workspace_version": {version}, "record_id": ',
        f', "scope": "record", "task": {task}, "modality": {modality}, "step_label": {label}, "step_status": ',
        f', "run_id": {run_id}, "attempt": ',
        f', "host": {_encode(_host())}, "pid": ',
    )


def now_utc() -> str:
    """Give the time of now as ``YYYY-MM-DDTHH:MM:SS.ffffff+00:00``.

    Examples
    --------
    >>> len(now_utc())
    32
    """
    second, rest = divmod(time.time_ns(), 1_000_000_000)
    known, text = _second[0]
    if second != known:  # strftime is the dear part; it changes once a second
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second[0] = (second, text)
    return f"{text}.{rest // 1000:06d}+00:00"


def old_time_to_utc_form(text: Any) -> Any:
    """Bring the time of a line to ``YYYY-MM-DDTHH:MM:SS.ffffff+00:00``.

    Lines of versions 0.2 and 0.3 have no zone and mean UTC. What is no time is given back as it is.

    Parameters
    ----------
    text : object
        Value of the field ``time``.

    Returns
    -------
    object
        The time in the one form, or `text` itself.

    Examples
    --------
    >>> old_time_to_utc_form("2020-08-20T09:28:32.588123")
    '2020-08-20T09:28:32.588123+00:00'
    >>> old_time_to_utc_form("2020-08-20T11:28:32+02:00")
    '2020-08-20T09:28:32.000000+00:00'
    >>> old_time_to_utc_form("soon")
    'soon'
    """
    if type(text) is not str:
        return text
    if len(text) == 32 and text[26:] == "+00:00" and text[10] == "T":
        return text
    found = _TIME.match(text.strip())
    if found is None:
        return text
    day, clock, fraction, zone = found.groups()
    form = f"{day}T{clock}.{(fraction or '')[:6]:0<6}"
    if zone in (None, "Z", "z"):
        return form + "+00:00"
    from datetime import UTC, datetime

    try:
        there = datetime.fromisoformat(form + zone)
        return there.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return text


@functools.lru_cache(256)
def log_file_name(record_id: str) -> str:
    """Give the name of the log file of a record.

    Letters of any script, blanks and signs stay as they are, as versions 0.2 and 0.3 wrote them; what would
    leave the folder, hide the file or is no text on some system is percent-encoded. An over-long name keeps
    its beginning and gets a digest.

    Parameters
    ----------
    record_id : str
        Id of the record.

    Returns
    -------
    str
        File name, at most 184 bytes; no two ids share one.

    Examples
    --------
    >>> log_file_name("REC-20200601")
    'REC-20200601.log'
    >>> log_file_name("../a:b")
    '%2E.%2Fa%3Ab.log'
    """
    name = _UNSAFE_IN_NAME.sub(_percent, record_id)
    raw = name.encode("utf-8")
    if len(raw) > _NAME_LIMIT:
        import hashlib

        digest = hashlib.sha256(record_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        name = f"{raw[: _NAME_LIMIT - 34].decode('utf-8', 'ignore')}-{digest}"
    return name + ".log"


@functools.cache
def level_number(name: str | int) -> int:
    """Give the number of a level name; an unknown name counts as INFO.

    Examples
    --------
    >>> level_number("warning"), level_number(15), level_number("LOUD")
    (30, 15, 20)
    """
    return name if isinstance(name, int) else LEVELS.get(name.upper(), 20)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8", "surrogatepass"))


@functools.cache
def _host() -> str:
    try:
        return os.uname().nodename
    except AttributeError:  # pragma: no cover - Windows
        return os.environ.get("COMPUTERNAME", "")
