"""Reads `${{ path | filter(args) }}`: from a text to its parts, without any value.

Knows how an expression is written; must not know contexts or which filters there are. `expressions` gives the parts
a meaning. One pass from left to right, linear in the length of the text.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

__all__ = ["Call", "Segment", "Written", "pieces_of", "written_expression"]

#: `$${{` is a `${{` that is no expression; an expression ends at the first `}}` outside of quotes.
_OPENING = re.compile(r"\$?\$\{\{")
# No possessive repetitions: early releases of Python 3.11 get them wrong. Each part begins with another sign, so that
# there is one way only to match, and going back costs no more than the length of the text.
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_BODY = re.compile(rf"""((?:[^"'}}]|{_QUOTED}|\}}(?!\}}))*)\}}\}}""", re.DOTALL)
_TOKEN = re.compile(
    rf"""\s*(?:(?P<quoted>{_QUOTED})|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d{{1,4}})?(?![\w-]))"""
    r"""|(?P<word>\w[\w-]*)|(?P<sign>[.|(),=?]))""",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
_LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
_LONGEST_NUMBER = 40


class Segment(NamedTuple):
    """One part of a path, and whether it may be absent."""

    name: str
    is_optional: bool = False


class Call(NamedTuple):
    """One filter with its literal arguments."""

    name: str
    arguments: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()


class Written(NamedTuple):
    """An expression as it is written: a path, and what is done to what it finds."""

    text: str
    path: tuple[Segment, ...]
    calls: tuple[Call, ...] = ()


def pieces_of(text: str) -> list[str | Written]:
    """Cut a text into plain texts and expressions.

    Parameters
    ----------
    text : str
        A scalar of a template.

    Returns
    -------
    list of str or Written
        In order; neighbouring plain texts are joined.

    Raises
    ------
    ValueError
        When an expression is not closed or not well written.

    Examples
    --------
    >>> pieces_of("a $${{ x }} {b}")
    ['a ${{ x }} {b}']
    >>> pieces_of("${{ params.a? | int }}!")[0].path
    (Segment(name='params', is_optional=False), Segment(name='a', is_optional=True))
    """
    pieces: list[str | Written] = []
    plain: list[str] = []
    position = 0
    while found := _OPENING.search(text, position):
        plain.append(text[position : found.start()])
        position = found.end()
        if found.end() - found.start() == len("$${{"):
            plain.append("${{")
            continue
        body = _BODY.match(text, position)
        if body is None:
            raise ValueError(
                f"`{text[found.start() : found.start() + 40]}` has no closing `}}}}`; "
                "a `${{` that is meant as it stands is written `$${{`"
            )
        pieces += ["".join(plain)] if any(plain) else []
        plain = []
        pieces.append(written_expression(body[1]))
        position = body.end()
    plain.append(text[position:])
    return [*pieces, "".join(plain)] if any(plain) else pieces


def written_expression(text: str) -> Written:
    """Read what stands between `${{` and `}}`.

    Raises
    ------
    ValueError
        When it is not well written; the message says at which part.

    Examples
    --------
    >>> written_expression(' params.run-date | fmt("%Y") ').calls
    (Call(name='fmt', arguments=('%Y',), keywords=()),)
    """
    try:
        return _Reader(text).expression()
    except ValueError as error:
        raise ValueError(f"${{{{ {text.strip()[:80]} }}}}: {error}") from None


class _Reader:
    """Takes one token after the other."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.position = 0
        self.kind = self.word = ""
        self.next()

    def next(self) -> None:
        if self.position >= len(self.text):
            self.kind = self.word = ""
            return
        found = _TOKEN.match(self.text, self.position)
        if found is None or found.lastgroup is None:
            raise ValueError(
                f"`{self.text[self.position :].strip()[:20]}` is not understood; an expression is a path with filters, "
                "`params.name | filter(...)`, and computes nothing"
            )
        self.kind, self.word, self.position = found.lastgroup, found[found.lastgroup], found.end()

    def take(self, *signs: str) -> str:
        """Go on when one of the signs stands here, and say which."""
        found = self.word if self.kind == "sign" and self.word in signs else ""
        if found:
            self.next()
        return found

    def expression(self) -> Written:
        if not self.text:
            raise ValueError("it is empty")
        path = self.path()
        calls = []
        while self.take("|"):
            calls.append(self.call())
        if self.kind:
            raise ValueError(f"`{self.word}` stands where `.`, `|` or the end is expected")
        return Written(self.text, path, tuple(calls))

    def path(self) -> tuple[Segment, ...]:
        if self.kind not in ("word", "quoted"):
            raise ValueError(f"a path such as `params.name` is expected, not `{self.word}`")
        if self.kind == "quoted":
            raise ValueError(
                "literals are for the arguments of filters; a path such as `params.name` is expected"
            )
        segments = []
        while True:
            # `items.0.1` comes as one number: its parts are indexes.
            names = self.word.split(".") if self.kind == "number" else [self.word]
            if self.kind == "quoted":
                names = [_unquoted(self.word)]
            elif self.kind not in ("word", "number") or not all(_is_segment(name) for name in names):
                raise ValueError(f"a name or an index is expected after `.`, not `{self.word or 'the end'}`")
            self.next()
            segments += [Segment(name) for name in names[:-1]]
            segments.append(Segment(names[-1], bool(self.take("?"))))
            if not self.take("."):
                return tuple(segments)

    def call(self) -> Call:
        if self.kind != "word":
            raise ValueError(f"the name of a filter is expected after `|`, not `{self.word or 'the end'}`")
        name = self.word
        self.next()
        if not self.take("("):
            return Call(name)
        arguments: list[Any] = []
        keywords: dict[str, Any] = {}
        while not self.take(")"):
            word, is_word = self.word, self.kind == "word"
            value = self.literal()
            if self.take("="):
                if not is_word or word in keywords:
                    raise ValueError(f"`{word}` cannot be the name of an argument here")
                keywords[word] = self.literal(must=True)
            elif isinstance(value, _Word):
                raise ValueError(
                    f"`{word}` is no literal: arguments are numbers, quoted texts, true, false or null"
                )
            elif keywords:
                raise ValueError(f"`{word}` needs a name, as those before it")
            else:
                arguments.append(value)
            if not self.take(","):
                if not self.take(")"):
                    raise ValueError(f"the arguments of `{name}` are not closed by `)`")
                break
        return Call(name, tuple(arguments), tuple(keywords.items()))

    def literal(self, *, must: bool = False) -> Any:
        kind, word = self.kind, self.word
        self.next()
        if kind == "quoted":
            return _unquoted(word)
        if kind == "number" and len(word) <= _LONGEST_NUMBER:
            return float(word) if set(word) & set(".eE") else int(word)
        if kind == "word" and word in _LITERALS:
            return _LITERALS[word]
        if kind == "word" and not must:
            return _Word()
        raise ValueError(
            f"`{word or 'the end'}` is no literal: arguments are numbers, quoted texts, true, false or null"
        )


class _Word:
    """A word where a literal may stand: good before `=` only."""


def _is_segment(name: str) -> bool:
    return bool(name) and not name.startswith("-")


def _unquoted(text: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise ValueError(f"`\\{found[1]}` in a quoted text means nothing; write `\\\\` for one backslash")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", escaped, text[1:-1], flags=re.DOTALL)
