"""Record ids: which texts are ids, and what an id says about its record.

Knows ``id_pattern``, the id's template and its entities; knows nothing of files or of task and modality.
`sinagot.dataset.scan` asks it about every name; the workspace asks it about what a user types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from sinagot.dataset import segments
from sinagot.dataset.patterns import STATE_FOLDER, is_plain_name
from sinagot.dataset.segments import COMMON_FIELDS
from sinagot.errors import ConfigurationError, InvalidIdError

__all__ = ["RecordIds", "ValueRule"]

#: Tells whether a text may be the value of a field.
ValueRule = Callable[[str], object]

#: Bytes; what file systems allow at most for one name.
_LONGEST_NAME = 255

# Expressions made of these alone mean the same inside a larger one and never match a "/".
_SELF_CONTAINED = re.compile(
    r"(?:(?:[A-Za-z0-9_ -]|\\[dw]|\[(?:[A-Za-z0-9](?:-[A-Za-z0-9])?|_)+\])"
    r"(?:[+*?]|\{\d+(?:,\d*)?\})?(?![+*?{]))+"
)


class RecordIds:
    r"""The rule of what an id is, and what its parts mean.

    Parameters
    ----------
    id_pattern : str, optional
        Regular expression of a whole id. It may hold groups, branches, flags, anchors and back references;
        its named groups are entities.
    template : str, optional
        The id as composed of entities: ``"sub-{subject}_ses-{session}[_run-{run}]"``.
    entities : Mapping, optional
        Regular expressions of entities and of free fields by name.
    file : Path, optional
        The configuration file, for messages.

    Attributes
    ----------
    entities : frozenset of str
        Names of the fields that an id gives values to, besides ``id``.
    required : frozenset of str
        Entities of the template that every id has.
    composing : frozenset of str
        All entities of the template.
    quick_rule : callable
        True for every id, and for no other name but the few that `matches` refuses whatever the pattern
        (``.``, ``..``, our own folder, text that is not UTF-8).

    Raises
    ------
    ConfigurationError
        Neither pattern nor template, a broken expression, one that matches the empty text.

    Examples
    --------
    >>> ids = RecordIds(None, "sub-{subject}_ses-{session}[_run-{run}]")
    >>> ids.values("sub-07_ses-walk_run-2")
    {'id': 'sub-07_ses-walk_run-2', 'subject': '07', 'session': 'walk', 'run': '2'}
    >>> ids.compose({"subject": "07", "session": "stand"})
    'sub-07_ses-stand'
    >>> RecordIds(r"REC-\d+").matches("REC-1/../../etc")
    False
    """

    def __init__(
        self,
        id_pattern: str | None = None,
        template: str | None = None,
        entities: Mapping[str, str] | None = None,
        *,
        file: Path | None = None,
    ) -> None:
        self._file = file
        if id_pattern is None and template is None:
            raise self._error("id_pattern", "missing: write the regular expression of a record id")
        self.id_pattern = id_pattern
        self.template = template
        self.expression = None if id_pattern is None else self._compile("id_pattern", id_pattern)
        self._rules: dict[str, ValueRule] = {}
        for name, expression in (entities or {}).items():
            if name in COMMON_FIELDS:
                raise self._error(f"entities.{name}", "this field is not an entity of the id", found=name)
            self._rules[name] = self._compile(f"entities.{name}", expression).fullmatch
        groups = () if self.expression is None else tuple(self.expression.groupindex)
        self._nodes = () if template is None else self._parse(template)
        in_template = tuple(segments.fields_of(self._nodes))
        self._narrow = segments.narrow_fields(self._nodes)
        self.entities = frozenset(groups) - COMMON_FIELDS | frozenset(in_template)
        self.composing = frozenset(in_template)
        self.required = frozenset(node.name for node in self._nodes if isinstance(node, segments.Field))
        self.quick_rule: ValueRule = (
            self.expression.fullmatch if self.expression is not None and template is None else self.matches
        )

    def _compile(self, key: str, expression: object) -> re.Pattern[str]:
        if not isinstance(expression, str):
            raise self._error(key, f"should be a text, found {expression!r}", found=expression)
        try:
            compiled = re.compile(expression)
        except (re.error, RecursionError, OverflowError) as error:
            raise self._error(key, f"no regular expression: {error}", found=expression) from None
        if compiled.fullmatch(""):
            raise self._error(
                key,
                f"{expression!r} matches the empty text, which is no name; write '+' for '*'",
                found=expression,
            )
        return compiled

    def _parse(self, template: object) -> tuple[segments.Node, ...]:
        if not isinstance(template, str):
            raise self._error("id", f"should be a text, found {template!r}", found=template)
        try:
            nodes = segments.parse(template)
        except ValueError as error:
            raise self._error("id", str(error), found=template) from None
        if "/" in template or "\0" in template:
            raise self._error("id", "an id is one name, without '/'", found=template)
        wrong = sorted(COMMON_FIELDS.intersection(segments.fields_of(nodes)))
        if wrong:
            raise self._error("id", f"{{{wrong[0]}}} cannot be a part of the id", found=template)
        if not any(isinstance(node, segments.Field) for node in nodes):
            raise self._error(
                "id", "no field outside optional parts: all records would have one id", found=template
            )
        return nodes

    def _error(self, key: str, problem: str, found: object = None) -> ConfigurationError:
        return ConfigurationError.at(problem, file=self._file, key=f"records.{key}", found=found)

    def __repr__(self) -> str:
        return f"RecordIds({self.id_pattern!r}, {self.template!r})"

    @property
    def self_contained(self) -> str | None:
        """The id's expression when it may be embedded in a larger one, for a fast scan; else None."""
        if (
            self.template is None
            and self.id_pattern is not None
            and _SELF_CONTAINED.fullmatch(self.id_pattern)
        ):
            return self.id_pattern
        return None

    def rule(self, field: str, *, is_narrow: bool = False) -> ValueRule:
        """Give the test for values of a field, as a file name shows them.

        Parameters
        ----------
        field : str
            ``id``, an entity, or any other field of a path.
        is_narrow : bool
            In the path an underscore sets the field apart: unless it is part of the id or has an
            expression of its own, its value holds no underscore.

        Returns
        -------
        callable
            True in the sense of Python for a possible value.
        """
        if field == "id":
            return self.matches
        own = self._rules.get(field)
        if own is not None:
            return own
        if field in self._narrow or (is_narrow and field not in self.entities):
            return _is_narrow_value
        return _is_value

    def matches(self, record_id: object) -> bool:
        """Tell whether a text is an id, as a whole, and could be a file's name.

        Parameters
        ----------
        record_id : object
            Anything; what is no text is no id.

        Returns
        -------
        bool
            False also for separators, NUL, ``.``, ``..``, text that is not UTF-8, and names longer than any file's.
        """
        if not isinstance(record_id, str) or record_id == STATE_FOLDER or not is_plain_name(record_id):
            return False
        if len(record_id) > _LONGEST_NAME // 4 and self.is_too_long(record_id):
            return False
        if self.expression is not None and self.expression.fullmatch(record_id) is None:
            return False
        return not self._nodes or self._read(record_id) is not None

    def is_too_long(self, record_id: str) -> bool:
        """Tell whether a text is longer than any file name; an id that is composed of entities need not be one.

        Parameters
        ----------
        record_id : str
            Any text.

        Returns
        -------
        bool
            By its bytes.
        """
        return not self._nodes and len(record_id.encode("utf-8", "surrogatepass")) > _LONGEST_NAME

    def check(self, record_id: str) -> None:
        """Raise unless a text is an id.

        Parameters
        ----------
        record_id : str
            Any text.

        Raises
        ------
        InvalidIdError
            It is none; the message shows the pattern.
        """
        if not self.matches(record_id):
            if self.is_too_long(str(record_id)):
                raise InvalidIdError(
                    f"{record_id[:40]!r}... is no record id: it has {len(record_id):,} letters, and no file name is "
                    f"longer than {_LONGEST_NAME} bytes",
                    record_id=record_id,
                    pattern=self.id_pattern,
                )
            # As the user wrote them: repr would double every backslash.
            shown = " and ".join(f"'{text}'" for text in (self.id_pattern, self.template) if text is not None)
            raise InvalidIdError(
                f"{record_id!r} is no record id: ids match {shown}",
                record_id=record_id,
                pattern=self.id_pattern if self.template is None else self.template,
            )

    def values(self, record_id: str) -> dict[str, str]:
        """Give the values of all fields that an id settles.

        Parameters
        ----------
        record_id : str
            An id.

        Returns
        -------
        dict
            ``id`` and every entity; an entity that this id does not have is an empty text.

        Raises
        ------
        InvalidIdError
            The text is no id.
        """
        self.check(record_id)
        values = {"id": record_id}
        if self.entities:
            if self.expression is not None and self.expression.groupindex:
                groups = self.expression.fullmatch(record_id)
                assert groups is not None  # checked above
                values.update({n: v or "" for n, v in groups.groupdict().items() if n not in COMMON_FIELDS})
            values.update((self._read(record_id) or {}) if self._nodes else {})
            for name in segments.fields_of(self._nodes):
                values.setdefault(name, "")
        return values

    def compose(self, values: Mapping[str, str]) -> str | None:
        """Make the id from the values of its entities.

        Parameters
        ----------
        values : Mapping
            Texts by entity; absent or empty ones leave their optional parts out.

        Returns
        -------
        str or None
            None without a template, or when an entity outside optional parts has no value.
            Whether the text is an id is for `matches` to say.
        """
        filled = segments.fill(self._nodes, values, is_final=True)
        if not filled or len(filled) != 1 or not isinstance(filled[0], str):
            return None
        return filled[0]

    def _read(self, record_id: str) -> dict[str, str] | None:
        return segments.match(self._nodes, record_id, {}, self._accept, _anything)

    def _accept(self, field: str, value: str) -> object:
        return self.rule(field)(value)


def _is_value(value: str) -> bool:
    return value not in (".", "..")


def _is_narrow_value(value: str) -> bool:
    return "_" not in value and _is_value(value)


def _anything(_values: dict[str, str]) -> bool:
    return True
