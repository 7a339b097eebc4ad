"""Checks the parameters of a pipeline against what its YAML declares: types, defaults, bounds.

Knows declarations and their places; must not know stages, or where values come from.
It is asked before any stage runs; forms and help pages read the declarations as well.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sinagot.config.hints import did_you_mean, spelled_list
from sinagot.config.problems import key_text
from sinagot.errors import ConfigurationError
from sinagot.pipeline.templates.declaration import Declaration
from sinagot.pipeline.templates.places import KeyPath, Places
from sinagot.pipeline.templates.values import MEANT, TYPES, described
from sinagot.pipeline.templates.variables import redact_error

__all__ = ["Checked", "Declaration", "Declarations", "declare"]

_ORDERED = ("int", "float", "decimal", "date", "datetime")
_SIZED = ("str", "array", "map")
_KEYS = {
    "type": TYPES,
    "default": TYPES,
    "desc": TYPES,
    "required": TYPES,
    "options": ("choice",),
    "items": ("array",),
    "min": _ORDERED,
    "max": _ORDERED,
    "min-length": _SIZED,
    "max-length": _SIZED,
}
_SPELLINGS = {"description": "desc", "choices": "options"}


class Checked(NamedTuple):
    """Values for a run, and what is wrong with those that were given."""

    #: By name, in the order of the declarations; not complete when there are problems.
    values: dict[str, Any]
    problems: tuple[ConfigurationError, ...]


class Declarations(Mapping[str, Declaration]):
    """The parameters of a pipeline, by name, in the order of the file.

    Parameters
    ----------
    declared : mapping of str to Declaration
        Those that are right.
    problems : iterable of ConfigurationError
        What is wrong with the others.
    names : iterable of str
        All that are written.
    secrets : iterable of str
        Texts that no message may show.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sinagot.pipeline.templates.places import Mark
    >>> mark = Mark(3, 3, {"n": (3, 3, Mark(3, 6))})
    >>> declared = declare({"n": "int"}, Places(Path("a.yaml"), mark, ["daily", "params"]))
    >>> declared.check({"n": "3"}).values
    {'n': 3}
    >>> for problem in declared.check({"n": 3.7, "m": 1}).problems:
    ...     print(problem)
    a.yaml:3: daily.params.n: found 3.7 (a number), allowed is a whole number
    m: unknown parameter, known is n
    """

    def __init__(
        self,
        declared: Mapping[str, Declaration],
        problems: Iterable[ConfigurationError] = (),
        names: Iterable[str] = (),
        secrets: Iterable[str] = (),
        places: Places | None = None,
    ) -> None:
        self._declared = dict(declared)
        self._names = tuple(names) or tuple(declared)
        self._secrets = frozenset(secrets)
        self._places = places
        self.problems = tuple(problems)

    def __getitem__(self, name: str) -> Declaration:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    def check(self, values: Mapping[str, Any]) -> Checked:
        """Turn given values into what is declared; defaults stand for those that are not given.

        Parameters
        ----------
        values : mapping
            By name.

        Returns
        -------
        Checked
            Every call gives values of its own: a default that is a list is copied.
        """
        found: dict[str, Any] = {}
        problems: list[ConfigurationError] = []
        for name, declaration in self._declared.items():
            try:
                if name in values:
                    found[name] = declaration.value_of(values[name])
                elif declaration.is_required:
                    raise ValueError(f"no value was given, allowed is {_allowed_words(declaration)}")
                else:
                    found[name] = copy.deepcopy(declaration.default)
            except ValueError as error:
                problems.append(self._problem(name, str(error), values.get(name)))
        problems += [self._unknown(name) for name in values if name not in self._names]
        return Checked(found, tuple(problems))

    def _problem(self, name: str, message: str, found: Any) -> ConfigurationError:
        if self._places is None:
            error = ConfigurationError.at(message, key=key_text((name,)), found=found, parameter=name)
        else:
            error = self._places.error((name,), message, found=found, parameter=name)
        return redact_error(error, self._secrets)

    def _unknown(self, name: Any) -> ConfigurationError:
        known = list(self._names)
        near = did_you_mean(name, known) if isinstance(name, str) else ""
        words = (
            f"known {'is' if len(known) == 1 else 'are'} {spelled_list(known, 'and')}"
            if known
            else "it has none"
        )
        return ConfigurationError.at(
            f"unknown parameter, {words}",
            key=key_text((str(name),)),
            hint=near or None,
            found=name,
            allowed=known,
            parameter=name,
        )


def _allowed_words(declaration: Declaration) -> str:
    if declaration.type == "choice":
        return spelled_list(described(option) for option in declaration.options)
    return f"a value of type {declaration.type_text}"


def declare(raw: Any, places: Places, secrets: Iterable[str] = ()) -> Declarations:
    """Read what stands under ``params:`` of a pipeline.

    Parameters
    ----------
    raw : object
        None, or a mapping of names to a type, or to a mapping with ``type`` and perhaps ``default``, ``desc``,
        ``required``, ``options`` (of a choice), ``items`` (of an array: a type or such a mapping), ``min`` and ``max``
        (of numbers, days and times), ``min-length`` and ``max-length`` (of text, arrays and maps).
    places : Places
        Of the mapping.
    secrets : iterable of str
        Texts that no message may show.

    Returns
    -------
    Declarations
        All that is wrong is in its `problems`.
    """
    hidden = frozenset(secrets)
    if raw is None:
        return Declarations({}, secrets=hidden, places=places)
    if not isinstance(raw, dict):
        wrong = places.error((), f"found {described(raw)}, allowed are parameters by name")
        return Declarations({}, [redact_error(wrong, hidden)], secrets=hidden, places=places)
    declared: dict[str, Declaration] = {}
    work = _Work(places, hidden)
    for name, said in raw.items():
        found = work.declaration(name, said, (name,))
        if found is not None:
            declared[name] = found
    return Declarations(declared, work.problems, raw, hidden, places)


class _Work:
    def __init__(self, places: Places, secrets: frozenset[str]) -> None:
        self.places = places
        self.secrets = secrets
        self.problems: list[ConfigurationError] = []

    def problem(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        self.problems.append(redact_error(self.places.error(path, message, hint=hint), self.secrets))

    def declaration(self, name: str, said: Any, path: KeyPath) -> Declaration | None:
        if isinstance(said, dict):
            return self._long(name, said, path)
        kind = self._type(said, path)
        if kind == "choice":
            self.problem(path, "a choice needs options", "write {type: choice, options: [a, b]}")
            return None
        return None if kind is None else Declaration(name, kind, place=self.places.of_key(path))

    def _type(self, said: Any, path: KeyPath) -> str | None:
        if isinstance(said, str) and said in TYPES:
            return said
        near = None
        if isinstance(said, str):
            near = (
                f"did you mean {MEANT[said.lower()]!r}?"
                if said.lower() in MEANT
                else did_you_mean(said, TYPES)
            )
        self.problem(
            path, f"found {described(said)}, allowed is one of the types {', '.join(TYPES)}", near or None
        )
        return None

    def _long(self, name: str, said: dict[str, Any], path: KeyPath) -> Declaration | None:
        count = len(self.problems)
        if "type" not in said:
            self.problem(path, "has no type", f"allowed are {', '.join(TYPES)}")
            return None
        kind = self._type(said["type"], (*path, "type"))
        if kind is None:
            return None
        keys = self._keys(said, kind, path)
        facts: dict[str, Any] = {"doc": self._doc(keys, path), "place": self.places.of_key(path)}
        if kind == "choice":
            facts["options"] = self._options(keys, path)
        if "items" in keys:
            facts["items"] = self.declaration(name, keys["items"][1], (*path, "items"))
        for key, field in (("min", "least"), ("max", "most")):
            if key in keys:
                facts[field] = self._value(Declaration(name, kind), keys[key][1], (*path, key))
        self._order(facts.get("least"), facts.get("most"), (*path, "max"))
        for key, field in (("min-length", "shortest"), ("max-length", "longest")):
            if key in keys:
                facts[field] = self._length(keys[key][1], (*path, key))
        self._order(facts.get("shortest"), facts.get("longest"), (*path, "max-length"))
        facts |= self._default(Declaration(name, kind, **facts), keys, path, len(self.problems) == count)
        return Declaration(name, kind, **facts) if len(self.problems) == count else None

    def _keys(self, said: dict[str, Any], kind: str, path: KeyPath) -> dict[str, tuple[str, Any]]:
        """Give the known keys: what is written, and its value."""
        found: dict[str, tuple[str, Any]] = {}
        for written, value in said.items():
            key = _SPELLINGS.get(written, written)
            if key in found:
                self.problem((*path, written), f"the same as {found[key][0]}, allowed is one of them")
            elif key not in _KEYS:
                near = did_you_mean(written, _KEYS) or None
                self.problem((*path, written), f"unknown key, known are {spelled_list(_KEYS, 'and')}", near)
            elif kind not in _KEYS[key]:
                self.problem(
                    (*path, written), f"is not for the type {kind}, only for {spelled_list(_KEYS[key])}"
                )
            else:
                found[key] = (written, value)
        return found

    def _doc(self, keys: Mapping[str, tuple[str, Any]], path: KeyPath) -> str:
        written, doc = keys.get("desc", ("desc", None))
        if doc is not None and not isinstance(doc, str):
            self.problem((*path, written), f"found {described(doc)}, allowed is text")
            return ""
        return (doc or "").strip()

    def _options(self, keys: Mapping[str, tuple[str, Any]], path: KeyPath) -> tuple[Any, ...]:
        written, options = keys.get("options", ("options", None))
        where = (*path, written) if "options" in keys else path
        if not isinstance(options, list) or not options:
            self.problem(
                where, f"found {described(options)} as options, allowed is a list of words or numbers"
            )
            return ()
        for at, option in enumerate(options):
            if not isinstance(option, str | int | float):
                self.problem((*where, at), f"found {described(option)}, allowed is a word or number")
            elif any(type(one) is type(option) and one == option for one in options[:at]):
                self.problem((*where, at), f"the option {described(option)} stands twice")
        return tuple(options)

    def _length(self, value: Any, path: KeyPath) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.problem(path, f"found {described(value)}, allowed is a whole number from 0")
        return None

    def _order(self, least: Any, most: Any, path: KeyPath) -> None:
        try:
            is_empty = least is not None and most is not None and not least <= most
        except TypeError:
            self.problem(path, "one of the two bounds has a time zone, the other has none")
            return
        if is_empty:
            self.problem(path, f"nothing is from {least} to {most}")

    def _value(self, declaration: Declaration, value: Any, path: KeyPath) -> Any:
        try:
            return declaration.value_of(value)
        except ValueError as error:
            self.problem(path, str(error))
            return None

    def _default(
        self, declaration: Declaration, keys: Mapping[str, tuple[str, Any]], path: KeyPath, is_good: bool
    ) -> dict[str, Any]:
        required = keys["required"][1] if "required" in keys else "default" not in keys
        if not isinstance(required, bool):
            self.problem((*path, "required"), f"found {described(required)}, allowed is true or false")
            return {}
        if required and "default" in keys:
            self.problem(
                (*path, "required"), "a parameter with a default is not required; take one of the two away"
            )
            return {}
        if required:
            return {}
        default = keys["default"][1] if "default" in keys else None
        if default is not None and is_good:
            default = self._value(declaration, default, (*path, "default"))
        return {"is_required": False, "default": default}
