"""Takes secrets out of texts: each, in all the forms in which it may be written, becomes `***`.

Knows texts and encodings; must not know where secrets come from or who shows a text. Logs, events and answers are sent
through what `redactor` makes.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["MASK", "redact_value", "redactor"]

#: What stands in the place of a secret.
MASK = "***"
#: A shorter secret is replaced where it stands as a word of its own: every `1` in a log would be nobody's gain.
_SHORT = 4
#: A part of a secret that counts by itself: a line of a key, what base64 makes of it within something longer.
_LEAST_PART = 8
_DEEPEST = 100


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Make a function that takes secrets out of texts.

    Parameters
    ----------
    secrets : iterable of str
        Those of nothing but white space do not count.

    Returns
    -------
    callable
        Gives a text with ``***`` in the place of each secret; survives pickling. It is `str` when there are none.

    Notes
    -----
    The longest form is found first. A secret is also found as JSON, ``repr`` and URLs write it, in base64, also within
    something longer (``user:secret``), and line by line. One of fewer than four characters counts where it
    stands as a word. One search over the text, whatever the number of secrets.

    Examples
    --------
    >>> redact = redactor(["hunter2!", "s3cret/key"])
    >>> redact("login hunter2! at https://x/?k=s3cret%2Fkey")
    'login *** at https://x/?k=***'
    >>> redactor([]) is str
    True
    """
    forms = {form for secret in secrets if secret.strip() for form in _forms(secret)}
    return _Redactor(forms) if forms else str


def redact_value(value: Any, redact: Callable[[str], str]) -> Any:
    """Take secrets out of plain data.

    Parameters
    ----------
    value : object
        Maps, lists, tuples, sets, texts and bytes, of any depth, are looked through, also the keys of maps; anything
        else is given as it is.
    redact : callable
        From `redactor`.

    Returns
    -------
    object
        A copy, or the value itself when there are no secrets.

    Examples
    --------
    >>> redact_value({"auth": ["Bearer hunter2!", 3]}, redactor(["hunter2!"]))
    {'auth': ['Bearer ***', 3]}
    """
    return value if redact is str else _redacted(value, redact, 0)


def _redacted(value: Any, redact: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
        return redact(text).encode("utf-8", "surrogateescape")
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return value
    if depth > _DEEPEST:
        return MASK  # it holds itself, most likely: nobody will miss what is below
    if isinstance(value, Mapping):
        return {
            _redacted(key, redact, depth + 1): _redacted(one, redact, depth + 1) for key, one in value.items()
        }
    items = [_redacted(one, redact, depth + 1) for one in value]
    if isinstance(value, tuple):
        return tuple(items)
    return items if isinstance(value, list) else type(value)(items)


class _Redactor:
    """One compiled search for all forms."""

    __slots__ = ("_search",)

    def __init__(self, forms: Iterable[str]) -> None:
        # Longest first: a secret that another one begins with must not leave the rest of it behind.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._search = re.compile("|".join(map(_pattern, ordered)))

    def __call__(self, text: str) -> str:
        return self._search.sub(MASK, text)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self._search,)

    def __repr__(self) -> str:
        return "<redactor>"


def _rebuilt(search: re.Pattern[str]) -> _Redactor:
    made = _Redactor(())
    made._search = search
    return made


def _pattern(form: str) -> str:
    return rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _SHORT else re.escape(form)


def _forms(secret: str) -> set[str]:
    """Give all that a secret may be written as."""
    stripped = secret.strip()
    lines = {line.strip() for line in secret.splitlines()} if "\n" in stripped else set()
    forms = set()
    for text in {secret, stripped, *(line for line in lines if len(line) >= _LEAST_PART)} - {""}:
        raw = text.encode("utf-8", "surrogatepass")
        forms |= {text, repr(text)[1:-1], text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')}
        forms |= {
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            text.replace("/", "\\/"),
        }
        for quoted in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
            forms |= {quoted, re.sub(r"%..", lambda found: found[0].lower(), quoted)}
        for encode in (b64encode, urlsafe_b64encode):
            forms |= {encode(raw).decode(), encode(raw).decode().rstrip("=")}
            forms |= {part for part in _within_base64(raw, encode) if len(part) >= _LEAST_PART}
    return forms


def _within_base64(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterable[str]:
    """Give what of the secret is the same in base64 wherever it begins within something longer."""
    for before in range(3):
        text = encode(bytes(before) + raw).decode().rstrip("=")
        # Characters that hold bits of what stands before or behind.
        first = (0, 2, 3)[before]
        yield text[first : len(text) - (1 if (before + len(raw)) % 3 else 0)]
