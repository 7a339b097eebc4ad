"""The scan: which files match a pattern, and which ids there are.

Knows how names and ids belong together; must not know steps, tasks or what happens to a record.
Takes a `PathPattern`, `RecordIds` and a `Listing`; gives ids to the workspace and paths to the engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sinagot.dataset.listings import Listing, below, printable
from sinagot.dataset.patterns import STATE_FOLDER, PathPattern, is_plain_name, is_utf8
from sinagot.dataset.records import RecordIds
from sinagot.dataset.segments import Field
from sinagot.dataset.sidecars import SUFFIX, is_sidecar, may_find_sidecars
from sinagot.dataset.walks import Match, OnePath, walk
from sinagot.errors import AmbiguousRecordError, ConfigurationError, InvalidIdError

__all__ = ["Listing", "find_ids", "glob_matches", "scan"]


def scan(listing: Listing, pattern: PathPattern, ids: RecordIds) -> Iterator[Match]:
    """Yield every file or folder that matches a pattern and belongs to a record.

    Parameters
    ----------
    listing : Listing
        The folders; problems are noted there.
    pattern : PathPattern
        Holds ``{id}``, or all entities that every id has.
    ids : RecordIds
        What an id is.

    Yields
    ------
    values : dict
        ``id``, all entities of the id and all fields of the pattern; absent ones are empty texts.
    path : str
        Relative to the listing's root.

    Raises
    ------
    ConfigurationError
        The pattern does not tell which record a file belongs to.

    Notes
    -----
    Folders are entered only where their name matches; a literal name is looked up and never
    searched for; once all fields have a value, what is left costs one stat.
    """
    if _binding(pattern, ids) == 0:
        raise _unbound_error([pattern], ids)
    for values, path in walk(listing, pattern, ids, {}):
        identified = _identified(values, path, listing, ids)
        if identified is not None:
            for name in pattern.fields:
                identified.setdefault(name, "")
            yield identified, path


def find_ids(
    listing: Listing, patterns: Sequence[PathPattern], ids: RecordIds, *, is_unique: bool = False
) -> list[str]:
    """List the ids for which every pattern has a match.

    Parameters
    ----------
    listing : Listing
        The folders; problems are noted there.
    patterns : sequence of PathPattern
        The first step's inputs, or the one path of ``[records]``. One without fields is common to
        all records and must be there; one that names only some entities of the id is shared by the
        records that have them.
    ids : RecordIds
        What an id is.
    is_unique : bool
        Two files for one id and one pattern are an error (``[records] path``). Otherwise
        they are a list of inputs (a field such as ``{tracksys}`` in a script's path).

    Returns
    -------
    list of str
        Sorted, each id once.

    Raises
    ------
    ConfigurationError
        No pattern tells what the ids are.
    AmbiguousRecordError
        Two files for one id; names both, and the entity to add.
    """
    strength = {pattern: _binding(pattern, ids) for pattern in patterns}
    strongest = max(strength.values(), default=0)
    if strongest == 0:
        raise _unbound_error(patterns, ids)
    shared = [pattern for pattern in strength if strength[pattern] < strongest]
    for pattern in [pattern for pattern in shared if not pattern.fields]:
        if not listing.has(pattern.format({})):
            return []
        shared.remove(pattern)
    found: set[str] | None = None
    for pattern in [pattern for pattern in strength if strength[pattern] == strongest]:
        of_pattern = _ids_of(listing, pattern, ids, is_unique)
        if found is None and len(strength) == 1:
            of_pattern.sort()
            return of_pattern
        found = set(of_pattern) if found is None else found.intersection(of_pattern)
    chosen = sorted(found or ())
    for pattern in shared:
        chosen = _with_shared(listing, pattern, ids, chosen)
    return chosen


def glob_matches(
    listing: Listing, pattern: PathPattern, values: Mapping[str, str], ids: RecordIds | None = None
) -> list[str]:
    """List all paths of one record for a pattern with free fields.

    Parameters
    ----------
    listing : Listing
        The folders.
    pattern : PathPattern
        The fields that `values` does not name may have any value.
    values : Mapping
        Texts by field, as `RecordIds.values` gives them: an empty text says that the field is absent.
    ids : RecordIds, optional
        The rules of free fields. With them, a file that a scan gives to another record is left out
        (an id that begins like this one).

    Returns
    -------
    list of str
        Sorted; only what exists.

    Raises
    ------
    InvalidIdError
        A value cannot be part of a name.
    """
    bound = {name: values[name] for name in pattern.fields if name in values}
    for name, value in bound.items():
        if value and not is_plain_name(value):
            raise InvalidIdError(
                f"{value!r} cannot stand for {{{name}}} in '{pattern.source}': it is not part of a name",
                record_id=values.get("id"),
                pattern=pattern.source,
            )
    paths = {path for _, path in walk(listing, pattern, ids, bound)}
    if ids is not None and bound and len(bound) < len(pattern.fields):
        paths = {path for path in paths if _is_owner(pattern, ids, bound, path)}
    return sorted(paths)


# ---------------------------------------------------------------------- whose file is it


def tells_id(pattern: PathPattern, ids: RecordIds) -> bool:
    """Say whether the path of a file is enough to know whose it is."""
    return _binding(pattern, ids) == 2


def _binding(pattern: PathPattern, ids: RecordIds) -> int:
    """Tell how well a pattern settles the id: 2 wholly, 1 but for entities not all ids have, 0 not."""
    if "id" in pattern.fields or (ids.template is not None and ids.composing <= pattern.fields):
        return 2
    return 1 if ids.template is not None and ids.required <= pattern.fields else 0


def _identified(values: dict[str, str], path: str, listing: Listing, ids: RecordIds) -> dict[str, str] | None:
    if "id" in values:
        return dict(values)
    record_id = ids.compose(values)
    if record_id is None or not ids.matches(record_id):
        return None
    read = ids.values(record_id)
    if any(values.get(name, value) != value for name, value in read.items()):
        differing = sorted(name for name, value in read.items() if values.get(name, value) != value)
        listing.note(
            f"{printable(path)}: skipped, its id '{record_id}' reads back with another {differing[0]}; "
            f"say in [records.entities] what {differing[0]} looks like"
        )
        return None
    return {**read, **values}


def _is_owner(pattern: PathPattern, ids: RecordIds, bound: Mapping[str, str], path: str) -> bool:
    for values, _ in walk(OnePath(path), pattern, ids, {}):
        return all(values.get(name, "") == value for name, value in bound.items())
    return False


def _with_shared(listing: Listing, pattern: PathPattern, ids: RecordIds, chosen: list[str]) -> list[str]:
    """Keep the ids for which a shared input is there, looking once for those that share it."""
    answers: dict[tuple[tuple[str, str], ...], bool] = {}
    kept = []
    for record_id in chosen:
        bound = {name: value for name, value in ids.values(record_id).items() if name in pattern.fields}
        key = tuple(sorted(bound.items()))
        if key not in answers:
            answers[key] = next(walk(listing, pattern, ids, bound), None) is not None
        if answers[key]:
            kept.append(record_id)
    return kept


def _unbound_error(patterns: Sequence[PathPattern], ids: RecordIds) -> ConfigurationError:
    needed = ids.required or {"id"}
    fields = " and ".join(f"{{{name}}}" for name in sorted(needed))
    shown = ", ".join(f"'{pattern.source}'" for pattern in patterns) or "no path at all"
    return ConfigurationError.at(
        f"the ids cannot be told from {shown}: one path has to hold {fields}",
        key=next((pattern.where for pattern in patterns if pattern.where), None),
        found=tuple(pattern.source for pattern in patterns),
    )


# ---------------------------------------------------------------------- the ids of one pattern


def _ids_of(listing: Listing, pattern: PathPattern, ids: RecordIds, is_unique: bool) -> list[str]:
    """List each id once, unsorted."""
    direct = _direct(pattern)
    if direct is not None:
        return _direct_ids(listing, direct, ids)
    first: dict[str, Match] = {}
    for values, path in scan(listing, pattern, ids):
        record_id = values["id"]
        if record_id in first and is_unique:
            raise _ambiguous(pattern, ids, (values, path), first[record_id])
        first.setdefault(record_id, (values, path) if is_unique else _SEEN)
    return list(first)


_SEEN: Match = ({}, "")


def _ambiguous(pattern: PathPattern, ids: RecordIds, one: Match, two: Match) -> AmbiguousRecordError:
    (values, path), (others, other) = one, two
    record_id = values["id"]
    entity = next(name for name in values if values[name] != others[name])  # else it would be one path
    paths = tuple(sorted((path, other)))
    proposal = f"make {entity} a part of the id, or write its value in the path '{pattern.source}'"
    if ids.template is not None:
        proposal = f'add {entity} to the id: [records] id = "{ids.template}{pattern.part_of(entity)}"'
    return AmbiguousRecordError(
        f"two files for the id '{record_id}': '{paths[0]}' and '{paths[1]}'; {proposal}",
        record_id=record_id,
        paths=paths,
        entity=entity,
    )


class _Direct(NamedTuple):
    """A pattern whose only field is the id: one listing tells all."""

    folder: str
    head: str
    tail: str
    pieces: tuple[str, ...]  # what stands around the id in the path below the folder
    is_flat: bool


def _direct(pattern: PathPattern) -> _Direct | None:
    if pattern.fields != {"id"}:
        return None
    folder, names = "/" if pattern.is_absolute else "", list(pattern.layouts[0].segments)
    while isinstance(literal := names[0][0], str) and len(names[0]) == 1:
        folder = below(folder, literal)
        del names[0]
    if sum(isinstance(node, Field) for node in names[0]) != 1:
        return None
    pieces = "/".join("".join(n if isinstance(n, str) else "\0" for n in name) for name in names).split("\0")
    head, tail = pieces[0], pieces[1].partition("/")[0]
    return _Direct(folder, head, tail, tuple(pieces), len(names) == 1)


def _direct_ids(listing: Listing, direct: _Direct, ids: RecordIds) -> list[str]:
    found = _middles_that_are_ids(listing.entries(direct.folder), direct.head, direct.tail, ids)
    if direct.is_flat and may_find_sidecars(direct.tail):
        start, end = below(direct.folder, direct.head), SUFFIX[: len(SUFFIX) - len(direct.tail)]
        found = [
            record_id
            for record_id in found
            if not (
                record_id.endswith(end) and is_sidecar(listing.path_of(f"{start}{record_id}{direct.tail}"))
            )
        ]
    if not "".join(found).isascii():
        for record_id in [record_id for record_id in found if not is_utf8(record_id)]:
            path = below(direct.folder, f"{direct.head}{record_id}{direct.tail}")
            listing.note(f"{printable(path)}: skipped, its name is not UTF-8")
        found = [record_id for record_id in found if is_utf8(record_id)]
    return found if direct.is_flat else listing.having(direct.folder, found, direct.pieces)


def _middles_that_are_ids(names: list[str], head: str, tail: str, ids: RecordIds) -> list[str]:
    """Cut beginning and end off the names and choose the ids, with few steps in Python a name."""
    own = STATE_FOLDER[len(head) : len(STATE_FOLDER) - len(tail)] if head + tail else STATE_FOLDER
    refused = (
        {".", "..", STATE_FOLDER, own} if f"{head}{own}{tail}" == STATE_FOLDER else {".", "..", STATE_FOLDER}
    )
    found = f"{tail}/{'/'.join(names)}/{head}".split(f"{tail}/{head}")[1:-1]
    if len(found) != len(names):  # some names begin or end otherwise
        size, end = len(head) + len(tail), -len(tail) or None
        found = [
            name[len(head) : end]
            for name in names
            if len(name) > size and name.startswith(head) and name.endswith(tail)
        ]
    # Asking about all at once costs a third of asking one by one. It is the same question: no name holds
    # a "/", and such an expression cannot match one. A no says only that some name is no id.
    expression = ids.self_contained
    if expression is None or re.fullmatch(f"(?:{expression}/)++", "/".join([*found, ""])) is None:
        found = list(filter(ids.quick_rule, found))
    if any(ids.quick_rule(word) for word in refused):
        found = [record_id for record_id in found if record_id not in refused]
    return found
