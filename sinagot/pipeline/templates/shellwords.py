"""Values in a shell script: each is put into a variable of the environment, and the script names the variable.

Knows how the shell quotes; must not know stages. What a variable holds is never read as a part of the script, so that
no value can break out of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["ShellScript", "compiled"]

#: Of the variables that hold values.
PREFIX = "SINAGOT_VALUE_"
_HERE = re.compile(r"<<(-?)[ \t]*(\\?)(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\3")
_WORD = re.compile(r"[A-Za-z_]+")
#: What stands for a value while a script is looked at.
_VALUE = "\0"
#: Within ``[[ ]]`` bash computes what stands beside these, and what is computed may call a program.
_COMPUTED = re.compile(r"\[\[(?:(?!\]\]).)*\]\]", re.DOTALL)
_NUMBERS = re.compile(r"\s-(eq|ne|lt|le|gt|ge)\s")
#: The beginning of ``${name``, behind which a text may stand: a default, or what is cut off or replaced.
_TEXT_BEHIND = re.compile(r"[!#]?\w*(\[[@*]\])?(:?[-=?+]|##?|%%?|//?|\^\^?|,,?)")
_NO_NUMBERS = "computes it as a number, and may run what stands in it"


class ShellScript(NamedTuple):
    """A script whose values stand in variables."""

    text: str
    #: Variable -> number of the value.
    variables: tuple[str, ...]


class _Document(NamedTuple):
    """A here-document that is announced: its end, whether tabs are taken away, whether nothing is read in it."""

    end: str
    strips: bool
    is_literal: bool


@dataclass
class _Frame:
    """One kind of quotes, or of brackets, and where in it the place is."""

    #: ``(`` commands, ``"``, ``'``, ``$'``, `` ` ``, ``{`` of a variable, ``+`` arithmetic, ``#``, ``<<``.
    kind: str
    #: Round brackets that are open in it.
    depth: int = 0
    cases: int = 0
    text: str = ""
    document: _Document | None = None


class _Quoting:
    """In which quotes and brackets a place of a script is."""

    def __init__(self) -> None:
        self.frames = [_Frame("(")]
        self._is_escaped = False
        self._waiting: list[_Document] = []

    @property
    def top(self) -> _Frame:
        return self.frames[-1]

    @property
    def kind(self) -> str:
        """The quotes that count: those of a variable are those round it."""
        return next(one.kind for one in reversed(self.frames) if one.kind != "{")

    def why_not(self) -> str | None:
        """Say why no value may stand here."""
        if any(one.document is not None and one.document.is_literal for one in self.frames):
            return "in a here-document whose end word is quoted no value is read; leave its quotes out"
        if any(one.kind == "`" for one in self.frames):
            return "between backquotes no value is read; write $( ) in their place"
        if any(one.kind == "+" for one in self.frames):
            return f"in (( )) no value is read: bash {_NO_NUMBERS}; give it to a program, such as expr"
        for one in self.frames:
            if one.kind == "{" and not _TEXT_BEHIND.match(one.text):
                return f"here no value is read: bash {_NO_NUMBERS}, or takes it for a name"
        return None

    def read(self, text: str) -> None:
        place = 0
        while place < len(text):
            place += self._step(text, place)

    def _step(self, text: str, place: int) -> int:
        """Read on from a place; gives how far."""
        top, sign = self.top, text[place]
        if top.kind == "<<" and sign == "\n" and self._ends_document():
            return 1
        if self._is_escaped:
            self._is_escaped = False
            top.text += sign
            return 1
        if top.kind == "#":
            if sign != "\n":
                return 1
            self.frames.pop()
            return self._step(text, place)
        if sign == "\\" and top.kind != "'" and not (top.document and top.document.is_literal):
            self._is_escaped = True
            top.text += sign
            return 1
        taken = self._closes(sign) or self._opens(text, place)
        if not taken:
            self._in_commands(text, place, sign)
            top.text += sign
        return taken or 1

    def _closes(self, sign: str) -> int:
        """Leave quotes or brackets."""
        top = self.top
        if top.kind in ("'", "$'", '"', "`", "{"):
            is_end = sign == {"$'": "'", "{": "}"}.get(top.kind, top.kind)
        else:
            is_end = sign == ")" and top.kind in ("(", "+") and top.depth == 0 and not top.cases
            is_end = is_end and len(self.frames) > 1
        if is_end:
            self.frames.pop()
            self.top.text += sign
        return int(is_end)

    def _opens(self, text: str, place: int) -> int:
        """Enter quotes or brackets; gives how many signs that takes."""
        top, kind = self.top, self.kind
        if top.kind in ("'", "$'") or (top.document is not None and top.document.is_literal):
            return 0
        is_plain = kind in ("(", "`", "+")
        for opening, frame in (
            ("$((", _Frame("+", 1)),
            ("$(", _Frame("(")),
            ("$[", _Frame("+", 0)),
            ("${", _Frame("{")),
            ("`", _Frame("`")),
            ("$'", _Frame("$'") if is_plain else None),
            ("((", _Frame("+", 1) if kind == "(" else None),
            ("'", _Frame("'") if is_plain else None),
            ('"', _Frame('"') if kind != "<<" else None),
        ):
            if frame is not None and text.startswith(opening, place):
                top.text += opening
                self.frames.append(frame)
                return len(opening)
        found = _HERE.match(text, place) if top.kind == "(" else None
        # "<<<" is a here-string: a word like any other.
        if found is None or top.text.endswith("<") or text[found.end() : found.end() + 1] == "<":
            return 0
        self._waiting.append(_Document(found[4], bool(found[1]), bool(found[2] or found[3])))
        top.text += found[0]
        return found.end() - place

    def _in_commands(self, text: str, place: int, sign: str) -> None:
        """Take note of brackets, comments, `case` and the ends of lines."""
        top = self.top
        if top.kind not in ("(", "+"):
            return
        if sign == "(":
            top.depth += 1
        elif sign == ")":
            top.depth = max(top.depth - 1, 0)
        elif sign == "#" and top.kind == "(" and (not top.text or top.text[-1] in " \t\n;&|()"):
            self.frames.append(_Frame("#"))
        elif sign == "\n" and self._waiting:
            self.frames.append(_Frame("<<", document=self._waiting.pop(0)))
        elif top.kind == "(" and not top.text[-1:].isalnum() and (word := _WORD.match(text, place)):
            top.cases = max(top.cases + {"case": 1, "esac": -1}.get(word[0], 0), 0)

    def _ends_document(self) -> bool:
        """Look, at the end of a line, whether that line ends the here-document."""
        top = self.top
        assert top.document is not None, "asked before"
        line = top.text.rpartition("\n")[2]
        if (line.lstrip("\t") if top.document.strips else line) != top.document.end:
            return False
        self.frames.pop()
        self.top.text += "\n"
        if self._waiting:
            self.frames.append(_Frame("<<", document=self._waiting.pop(0)))
        return True

    def check_end(self) -> None:
        """Refuse a script in which the end of some quotes was not found: its values may stand elsewhere than it seems.

        Raises
        ------
        ValueError
            There is one.
        """
        self.read("\n")
        if len(self.frames) > 1 or self._waiting:
            kind = "<<" if self._waiting else self.frames[1].kind
            what = {"(": "$(", "+": "((", "{": "${"}.get(kind, kind)
            raise ValueError(
                f"the end of {what} is not found; write the script so that its quotes can be followed"
            )


def compiled(parts: list[str | None]) -> ShellScript:
    r"""Put variables into a script.

    Parameters
    ----------
    parts : list of str or None
        Pieces of the script; None where a value stands.

    Returns
    -------
    ShellScript
        The script, and the names of the variables in the order of the values.

    Raises
    ------
    ValueError
        A value stands where the shell reads no variable (in a here-document whose end word is quoted), where it would
        compute it, or where its quotes cannot be followed.

    Notes
    -----
    Without quotes round it a value is quoted; within double quotes it stands as it is; single quotes are left and
    entered again for it.

    Examples
    --------
    >>> print(compiled(["echo ", None, ' "x', None, "\" 'y", None, "'"]).text)
    echo "${SINAGOT_VALUE_0}" "x${SINAGOT_VALUE_1}" 'y'"${SINAGOT_VALUE_2}"''
    """
    quoting = _Quoting()
    text: list[str] = []
    names: list[str] = []
    for part in parts:
        if part is not None:
            quoting.read(part)
            text.append(part)
            continue
        why = quoting.why_not()
        if why is not None:
            raise ValueError(why)
        name = f"{PREFIX}{len(names)}"
        names.append(name)
        text.append(_quoted(f"${{{name}}}", quoting.kind))
        quoting.read(_VALUE)
    if names:
        quoting.check_end()
        _check_numbers("".join(_VALUE if part is None else part for part in parts))
    return ShellScript("".join(text), tuple(names))


def _quoted(value: str, kind: str) -> str:
    if kind in ('"', "<<"):
        return value
    return f"""'"{value}"{kind}""" if kind in ("'", "$'") else f'"{value}"'


def _check_numbers(script: str) -> None:
    for found in _COMPUTED.finditer(script):
        if _VALUE in found[0] and _NUMBERS.search(found[0]):
            raise ValueError(
                f"in [[ ]] with -eq and the like no value is read: bash {_NO_NUMBERS}; write [ ]"
            )
