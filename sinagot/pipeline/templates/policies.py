"""What a template says of its ticks: overlap, missed ones, how late, tries again, messages.

Knows keys and what they may hold; must not know what a tick is. `sinagot.schedule` goes by what is read here.
"""

from __future__ import annotations

from typing import Any

from sinagot.config.hints import did_you_mean
from sinagot.config.quantities import SECONDS_WORDS, pause_of
from sinagot.config.settings import NotifySettings, PolicySettings
from sinagot.pipeline.templates.sections import Section
from sinagot.pipeline.templates.values import described

__all__ = ["KEYS", "read_policies"]

#: Keys of a pipeline that are policies.
KEYS = ("overlap", "catchup", "max-catchup", "grace", "retry", "notify")
_OVERLAP = ("skip", "queue", "allow")
_CATCHUP = ("latest", "all", "none")
_WHEN = ("always", "failures", "never")


def read_policies(section: Section, defaults: PolicySettings = PolicySettings()) -> PolicySettings:  # noqa: B008
    """Read the policies of a pipeline; what is wrong goes to the section's problems.

    Parameters
    ----------
    section : Section
        The pipeline.
    defaults : PolicySettings
        Where nothing is written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sinagot.pipeline.templates.places import Mark, Places
    >>> problems = []
    >>> data = {"overlap": "skipp", "grace": "15m", "retry": {"times": 2, "delay": "1 min"}}
    >>> section = Section(data, Places(Path("a.yaml"), Mark(3, 1)), problems, "a pipeline")
    >>> read_policies(section)[3:6], [str(problem) for problem in problems]
    ((900.0, 2, 60.0), ["a.yaml:3: overlap: found 'skipp', allowed are skip, queue, allow; did you mean 'skip'?"])
    """
    retries, delay = _retry(section, defaults)
    return PolicySettings(
        overlap=section.word("overlap", _OVERLAP, defaults.overlap),
        catchup=section.word("catchup", _CATCHUP, defaults.catchup),
        max_catchup=section.count("max-catchup", defaults.max_catchup, least=1),
        grace=_duration(section, "grace", defaults.grace),
        retries=retries,
        retry_delay=delay,
        notify=_notify(section) if section.has("notify") else defaults.notify,
    )


def _duration(section: Section, key: str, default: float | None) -> float | None:
    value = section.data.get(key)
    if value is None:
        return default
    try:
        if isinstance(value, bool):
            raise ValueError
        return pause_of(value)
    except (ValueError, TypeError):
        section.fail((key,), f"found {described(value)}, allowed is {SECONDS_WORDS}, or 0")
        return default


def _retry(section: Section, defaults: PolicySettings) -> tuple[int, float]:
    if not isinstance(section.data.get("retry"), dict):
        return section.count("retry", defaults.retries), defaults.retry_delay
    below = section.section("retry", "what is said of tries again")
    assert below is not None, "it is a mapping"
    below.allow("times", "delay")
    delay = _duration(below, "delay", defaults.retry_delay)
    return below.count("times", 1), defaults.retry_delay if delay is None else delay


def _notify(section: Section) -> str | NotifySettings | None:
    value = section.data["notify"]
    if not isinstance(value, dict):
        allowed = f"{', '.join(_WHEN)}, or a mapping as of [notify] in the configuration"
        if isinstance(value, str) and value in _WHEN:
            return value
        hint = did_you_mean(value, _WHEN) if isinstance(value, str) else None
        section.fail(("notify",), f"found {described(value)}, allowed are {allowed}", hint)
        return None
    from pydantic import ValidationError

    from sinagot.config.build import notify_settings
    from sinagot.config.checks import phrase
    from sinagot.config.services import Email, Notify

    try:
        Notify.model_validate(value)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            path = [part for part in one["loc"] if isinstance(part, str)]
            model = Email if path[:1] == ["email"] and len(path) > 1 else Notify
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            key = path[1] if model is Email else path[0]
            where = ("notify", *path[: 2 if model is Email else 1])
            field = fields.get(key)
            if field is None:
                hint = did_you_mean(key, list(fields)) or None
                section.fail(where, f"unknown key, known are {', '.join(fields)}", hint)
                continue
            extra = field.json_schema_extra
            words = (
                str(extra["allowed"])
                if isinstance(extra, dict) and "allowed" in extra
                else phrase(field.annotation)
            )
            found: Any = "nothing" if one["type"] == "missing" else described(one["input"])
            section.fail(where, f"found {found}, allowed is {words}")
        return None
    return notify_settings(value)
