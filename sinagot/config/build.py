"""Makes a `Configuration` of tables that were checked: every default filled in, every path absolute.

Knows every key and what it becomes; must not check anything, nor look at the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinagot.config import settings

__all__ = ["build", "notify_settings", "schedule_settings"]


def build(
    tables: dict[str, Any],
    files: list[Path],
    digest: str,
    paths: dict[str, Path],
    file_warnings: tuple[str, ...],
    warnings: tuple[str, ...],
) -> settings.Configuration:
    """Make the configuration of checked tables.

    Parameters
    ----------
    tables : dict
        Merged tables, with the default keys filled in.
    files : list of Path
        Where they came from.
    digest : str
        Of the files.
    paths : dict
        Absolute paths of `[path]`, by key.
    file_warnings, warnings : tuple of str
        What the user should be told: what follows from the files alone, and all of it.
    """
    data = paths["dataset"]
    records, steps, info = (tables.get(section, {}) for section in ("records", "steps", "info"))
    path, dask = records.get("path"), tables["dask"]
    return settings.Configuration(
        files=tuple(files),
        root=files[0].parent,
        digest=digest,
        data_path=data,
        scripts_path=paths["scripts"],
        output_path=paths.get("output", data),
        log_path=paths.get("log", data / settings.LOG_FOLDER),
        state_path=paths.get("state", data / settings.STATE_FOLDER),
        is_unit_mode="tasks" not in tables and "modalities" not in tables,
        scripts=tuple(steps.get("scripts", ())),
        tasks={name: _task(name, one) for name, one in tables.get("tasks", {}).items()},
        modalities={name: _modality(name, one) for name, one in tables.get("modalities", {}).items()},
        id_pattern=records.get("id_pattern"),
        records_path=tuple(path) if isinstance(path, list) else path,
        records_id=records.get("id"),
        entities=dict(records.get("entities", {})),
        commands={name: _command(one) for name, one in steps.items() if _is_command(one)},
        steps=dict(_step_settings(tables)),
        processed={name: dict(one) for name, one in tables.get("processed", {}).items()},
        run=_run(tables["run"]),
        log=_log(tables["log"]),
        dask=settings.DaskSettings(dask["scheduler"]["type"], dict(dask.get("cluster", {}))),
        info=dict(info),
        version=info.get("version", settings.DEFAULT_VERSION),
        raw=tables,
        warnings=warnings,
        file_warnings=file_warnings,
        group_scripts=tuple(steps.get("group_scripts", ())),
        watch=_watch(tables.get("watch", {})),
        notify=notify_settings(tables.get("notify", {})),
        schedule=schedule_settings(tables.get("schedule", {})),
        history=_history(tables.get("history", {})),
    )


def _history(table: dict[str, Any]) -> settings.HistorySettings:
    return settings.HistorySettings(table.get("url"), table.get("name"))


def _task(name: str, table: dict[str, Any]) -> settings.TaskSettings:
    return settings.TaskSettings(name, table.get("label", name), tuple(table["modalities"]))


def _modality(name: str, table: dict[str, Any]) -> settings.ModalitySettings:
    models = table.get("models", {})
    return settings.ModalitySettings(
        name=name,
        label=table.get("label", name),
        scripts=tuple(table.get("scripts", ())),
        task_scripts={task: tuple(scripts) for task, scripts in table.get("task_scripts", {}).items()},
        plugin=models.get("plugin"),
        models=models,
        group_scripts=tuple(table.get("group_scripts", ())),
    )


def _is_command(value: Any) -> bool:
    return isinstance(value, dict) and "command" in value


def _command(table: dict[str, Any]) -> settings.CommandSettings:
    return settings.CommandSettings(
        tuple(table["command"]),
        _pattern(table.get("input")),
        _pattern(table.get("output")),
        table.get("shell", False),
    )


def _pattern(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pattern(one) for key, one in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _step_settings(tables: dict[str, Any]) -> Iterator[tuple[tuple[str | None, str], settings.StepSettings]]:
    for name, one in tables.get("steps", {}).items():
        if isinstance(one, dict):
            yield (None, name), _step(one)
    for modality, table in tables.get("modalities", {}).items():
        for name, one in table.get("steps", {}).items():
            yield (modality, name), _step(one)


def _step(table: dict[str, Any]) -> settings.StepSettings:
    said = {name: table.get(name) for name in settings.StepSettings._fields}
    if not any(value is not None for value in said.values()):
        return settings.StepSettings()
    from sinagot.config.quantities import step_settings  # few workspaces say anything of steps

    return step_settings(said)


def _run(table: dict[str, Any]) -> settings.RunSettings:
    grace = float(table.get("stop_grace", settings.DEFAULT_STOP_GRACE))
    return settings.RunSettings(
        table["mode"],
        table.get("workers"),
        grace,
        _step(table),
        durability=table.get("durability", settings.DEFAULT_DURABILITY),
        latency_wait=table.get("latency_wait"),
    )


def _log(table: dict[str, Any]) -> settings.LogSettings:
    return settings.LogSettings(
        name=table["name"],
        format=table["format"],
        level=_level_name(table["level"]),
        max_bytes=table.get("max_bytes", settings.DEFAULT_MAX_BYTES),
        backups=table.get("backups", settings.DEFAULT_BACKUPS),
    )


def _level_name(level: str | int) -> str:
    numbers = {0: "NOTSET", 10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
    name = numbers[level] if isinstance(level, int) else level.upper()
    return {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(name, name)


def _watch(table: dict[str, Any]) -> settings.WatchSettings:
    if not table:
        return settings.WatchSettings()
    from sinagot.config.quantities import pause_of, seconds_of

    return settings.WatchSettings(
        quiet=pause_of(table.get("quiet", settings.DEFAULT_QUIET)),
        interval=seconds_of(table.get("interval", settings.DEFAULT_INTERVAL)),
        events=table.get("events", "auto"),
        sentinel=_pattern(table.get("sentinel")),
        outdated=table.get("outdated"),
        said=frozenset(table),
    )


#: Where servers take messages, by how the connection is kept private.
_MAIL_PORTS = {"starttls": 587, "ssl": 465, "none": 25}


def notify_settings(table: dict[str, Any]) -> settings.NotifySettings:
    """Read a table of messages that was checked.

    Parameters
    ----------
    table : dict
        As `sinagot.config.services.Notify` has it.
    """
    if not table:
        return settings.NotifySettings()
    from sinagot.config.quantities import seconds_of

    command, email = table.get("command"), table.get("email")
    return settings.NotifySettings(
        when=table.get("when", "always"),
        command=tuple(command) if command else None,
        webhook=table.get("webhook"),
        webhook_env=table.get("webhook_env"),
        email=_email(email) if email else None,
        timeout=seconds_of(table.get("timeout", settings.DEFAULT_NOTIFY_TIMEOUT)),
    )


def _email(table: dict[str, Any]) -> settings.EmailSettings:
    to, security = table["to"], table.get("security", "starttls")
    return settings.EmailSettings(
        to=(to,) if isinstance(to, str) else tuple(to),
        sender=table["from"],
        host=table["host"],
        port=table.get("port", _MAIL_PORTS[security]),
        security=security,
        user=table.get("user"),
        password_env=table.get("password_env"),
    )


#: Keys of `[schedule]` that stand for policies, and their names there.
_POLICIES = {
    "overlap": "overlap",
    "catchup": "catchup",
    "max_catchup": "max_catchup",
    "grace": "grace",
    "retry": "retries",
    "retry_delay": "retry_delay",
}


def schedule_settings(table: dict[str, Any]) -> settings.ScheduleSettings:
    """Read a table of schedules that was checked.

    Parameters
    ----------
    table : dict
        As `sinagot.config.services.Schedule` has it.

    Examples
    --------
    >>> schedule_settings({"grace": "2 h", "max_runs": 2}).policies.grace
    7200.0
    """
    if not table:
        return settings.ScheduleSettings()
    from sinagot.config.quantities import pause_of

    policies = {_POLICIES[key]: value for key, value in table.items() if key in _POLICIES}
    for key in ("grace", "retry_delay"):
        if policies.get(key) is not None:
            policies[key] = pause_of(policies[key])
    plain = {key: table[key] for key in settings.ScheduleSettings._fields if key in table}
    for key in ("registry", "filters"):
        if key in plain:
            plain[key] = tuple(plain[key])
    return settings.ScheduleSettings(**plain)._replace(policies=settings.PolicySettings(**policies))
