"""What a command prints on a terminal, and pages that show it.

Knows a pseudo-terminal and the few signs that move a cursor; must not know what is run.
"""

from __future__ import annotations

import html
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path

COLUMNS, ROWS = 96, 24
_SIGN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\r\n|\r|\n|\x1b\][^\x07]*\x07|[^\x1b\r\n]+|\x1b")
_COLOURS = {
    31: "#d33",
    32: "#2a8a2a",
    33: "#a67c00",
    34: "#36c",
    35: "#a3a",
    36: "#188",
    90: "#777",
    91: "#d33",
}
#: Of the 216 colours that terminals number from 16.
_LEVELS = (0, 95, 135, 175, 215, 255)
_PAGE = """<!doctype html><meta charset="utf-8"><style>
:root {{ color-scheme: light dark }}
body {{ margin: 0; background: Canvas; color: CanvasText }}
#piece {{ display: block; padding: 14px 18px; box-sizing: border-box; width: 100%; {style} }}
pre {{ margin: 0; font: 13px/1.35 "DejaVu Sans Mono", monospace }}
.in {{ color: GrayText; margin-bottom: 10px }}
</style><div id="piece">{body}</div>"""


def record(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command on a terminal of its own; gives the lines that are left on it, with their colours."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    process.wait()
    return "\n".join(settled(said.decode(errors="replace"))).rstrip() + "\n"


def settled(text: str) -> list[str]:
    """Give the lines that stay when a progress bar has drawn itself anew and anew.

    Bars write whole lines, so that a line is known by the last that was written into it.

    Examples
    --------
    >>> settled("begin\\r\\n10 %\\r\\x1b[2K100 %\\r\\n\\x1b[1A\\x1b[2Kdone\\r\\n")
    ['begin', 'done', '']
    """
    lines, row, is_new = [""], 0, False
    for sign in _SIGN.finditer(text):
        word, kind = sign[0], sign[2]
        if word in ("\r\n", "\n"):
            row, is_new = row + 1, False
            lines.extend([""] * (row + 1 - len(lines)))
        elif word == "\r":
            is_new = True
        elif kind == "A":
            row = max(0, row - int(sign[1] or 1))
        elif kind == "K":
            lines[row] = ""
        elif kind == "m" or (kind is None and not word.startswith("\x1b")):
            lines[row] = word if is_new else lines[row] + word
            is_new = False
    return lines


def page(text: str) -> str:
    """Give a page that shows a terminal."""
    return _PAGE.format(style="", body=f"<pre>{_painted(text)}</pre>")


def cell(code: str, shown: str) -> str:
    """Give a page that shows a cell of a notebook and what it ends with."""
    body = f'<pre class="in">{html.escape(code)}</pre>{shown}'
    return _PAGE.format(style="font: 14px/1.5 system-ui, sans-serif", body=body)


def _painted(text: str) -> str:
    parts: list[str] = []
    style: dict[str, str] = {}
    for piece in re.split(r"(\x1b\[[\d;]*m)", text):
        if piece.startswith("\x1b["):
            style = _styled(style, [int(one or 0) for one in piece[2:-1].split(";")])
        elif style:
            css = ";".join(f"{name}:{value}" for name, value in style.items())
            parts.append(f'<span style="{css}">{html.escape(piece)}</span>')
        else:
            parts.append(html.escape(piece))
    return "".join(parts)


def _styled(style: Mapping[str, str], codes: Sequence[int]) -> dict[str, str]:
    if codes[:2] == [38, 5]:
        if codes[2] < 16:  # the eight colours of old, dark and bright
            return _styled(style, [30 + codes[2] if codes[2] < 8 else 82 + codes[2]])
        if codes[2] > 231:  # greys
            grey = 8 + 10 * (codes[2] - 232)
            return {**style, "color": f"rgb({grey}, {grey}, {grey})"}
        number = codes[2] - 16
        levels = (_LEVELS[number // 36], _LEVELS[number // 6 % 6], _LEVELS[number % 6])
        return {**style, "color": f"rgb{levels}"}
    found = dict(style)
    for code in codes:
        if code == 0:
            found = {}
        elif code == 1:
            found["font-weight"] = "bold"
        elif code == 2:
            found["opacity"] = "0.7"
        elif code in _COLOURS:
            found["color"] = _COLOURS[code]
    return found
