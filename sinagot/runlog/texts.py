"""Any object, and any exception, as a text that a line may hold.

Knows how long a text may be; must not know fields or files, and stays free of heavy imports. `lines` and `formatter`
make lines of what is given here.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii as _quote

__all__ = ["MAX_TEXT", "cut_text", "exception_facts", "safe_text", "type_name"]

#: A text in a line is cut at this many bytes of its JSON form.
MAX_TEXT = 64 * 1024


def safe_text(value: object) -> str:
    """Give the text of anything, also of objects whose ``__str__`` is broken.

    Examples
    --------
    >>> safe_text(1.5)
    '1.5'
    """
    if type(value) is str:
        return value
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - the text of a user's object is a user's code
        return f"<{type(value).__name__} without text>"


def cut_text(text: str, limit: int = MAX_TEXT) -> str:
    """Cut a text whose JSON form is longer than `limit` bytes, and say how much is missing.

    The JSON form counts, because there a sign may take twelve bytes and a line must stay below `MAX_LINE`.

    Examples
    --------
    >>> cut_text("abcdef", 4)
    'abcd... [cut: 2 of 6 characters]'
    """
    if len(text) * 12 <= limit:
        return text
    kept = text[:limit]
    while (size := len(_quote(kept)) - 2) > limit:
        kept = kept[: min(len(kept) - 1, len(kept) * limit // size)]
    if len(kept) == len(text):
        return text
    return f"{kept}... [cut: {len(text) - len(kept)} of {len(text)} characters]"


def type_name(kind: type) -> str:
    """Give the name of a class with its module, where that says something.

    Examples
    --------
    >>> from json import JSONDecodeError
    >>> type_name(ValueError), type_name(JSONDecodeError)
    ('ValueError', 'json.decoder.JSONDecodeError')
    """
    # A class made by `type()` in a namespace without a name has no module at all.
    module = getattr(kind, "__module__", None)
    is_told = isinstance(module, str) and module not in ("builtins", "__main__")
    return f"{module}.{kind.__qualname__}" if is_told else kind.__qualname__


def exception_facts(error: BaseException, redact: Callable[[str], str] = str) -> dict[str, str]:
    r"""Give what a line tells of an exception: ``exc_type, exc_message, traceback`` (no locals).

    Parameters
    ----------
    error : BaseException
        Exception as caught, also one with a broken ``__str__``.
    redact : callable
        Gives a text without the secrets in it; applied before a text is cut.

    Returns
    -------
    dict
        The three fields as text, each cut at 64 KiB.

    Examples
    --------
    >>> exception_facts(ValueError("no"))
    {'exc_type': 'ValueError', 'exc_message': 'no', 'traceback': 'ValueError: no\n'}
    """
    import traceback

    name = type_name(type(error))
    try:
        story = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - what cannot even be told must not hide that it happened
        story = f"{name}: no traceback to be had\n"
    story = redact(story)
    if len(story) > MAX_TEXT:  # where it began and where it broke are both worth more than the middle
        story = f"{story[: MAX_TEXT // 2]}\n... [cut: {len(story) - MAX_TEXT} characters]\n{story[-MAX_TEXT // 2 :]}"
    return {
        "exc_type": name,
        "exc_message": cut_text(redact(safe_text(error))),
        "traceback": cut_text(story, MAX_TEXT + 64),
    }
