"""What a plain word of YAML means: the core schema of YAML 1.2, and nothing beyond it.

Knows words, numbers and tags; must not know files or what a value is for.
`documents` asks for every scalar of a file.
"""

from __future__ import annotations

import math
import re

__all__ = ["CORE_TAGS", "Scalar", "plain_value", "tagged_value"]

Scalar = None | bool | int | float | str

_PREFIX = "tag:yaml.org,2002:"
#: The tags that name plain data. Any other could only mean an object, and none is ever made.
CORE_TAGS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "map", "seq")}

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def plain_value(text: str) -> Scalar:
    """Read a word that stands without quotes and without a tag.

    Parameters
    ----------
    text : str
        The word.

    Returns
    -------
    None, bool, int, float or str
        ``yes``, ``no``, ``on``, ``off``, ``1:30`` and dates such as ``2024-01-01`` are text: YAML 1.2 knows no
        other words than ``true``, ``false`` and ``null``, and no dates. Whoever needs a date says so by the type of
        a parameter.

    Raises
    ------
    ValueError
        It is a number that Python does not hold.

    Examples
    --------
    >>> [plain_value(text) for text in ("on", "true", "~", "0x1F", "1e3", "2024-01-01", "1_000")]
    ['on', True, None, 31, 1000.0, '2024-01-01', '1_000']
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def tagged_value(tag: str, text: str) -> Scalar:
    """Read a word with one of the core tags.

    Parameters
    ----------
    tag : str
        In full; one of `CORE_TAGS`.
    text : str
        The word, with or without quotes.

    Raises
    ------
    ValueError
        The word is not of that type.

    Examples
    --------
    >>> tagged_value("tag:yaml.org,2002:str", "5"), tagged_value("tag:yaml.org,2002:float", "5")
    ('5', 5.0)
    """
    name = tag.removeprefix(_PREFIX)
    if name == "str":
        return text
    value = plain_value(text)
    if name == "float" and isinstance(value, int) and not isinstance(value, bool):
        return _float(text) if _FLOAT.fullmatch(text) else float(value)
    is_good = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, float),
    }
    if not is_good.get(name, False):
        raise ValueError(f"the tag !!{name} does not fit {text[:60]!r}")
    return value


def _integer(text: str) -> int:
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a whole number of {len(text)} digits is too large; write it in quotes") from None


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:60]} is out of range; write it in quotes, or write .inf")
    return value
