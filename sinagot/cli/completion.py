"""Words that a shell may complete: commands and options by click, names of the workspace by its index.

Knows the shells' protocols and one small file; must not open the workspace, look at its data, or import scripts.
Whatever goes wrong, there is nothing to complete, and nothing is said: it would land in what the user types.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from sinagot.cli.places import find_state

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["SHELLS", "VARIABLE", "answer", "known", "script"]

#: Set by the script in the shell: ``bash_complete``, ``zsh_complete``, ``fish_complete``.
VARIABLE = "_SINAGOT_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

#: Names that a shell is given at most.
_MOST = 500
#: A word may hold anything that a file name may: it is quoted, never expanded.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' kind value
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                printf -v value %%q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


def known(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Give what completes the names of a kind, for an option or an argument.

    Parameters
    ----------
    kind : {"records", "steps", "tasks", "modalities"}
        A field of `KnownNames`.
    """

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from sinagot.engine.state.names import KnownNames

        state = find_state(ctx)
        if state is None:
            return []
        names: Sequence[str] = getattr(KnownNames.read(state), kind)
        return _beginning(names if kind == "records" else sorted(names), incomplete)

    return complete


def _beginning(names: Sequence[str], start: str) -> list[str]:
    """Give sorted names that begin so; of very many the first ones and the last, which begin alike as far as all do."""
    first = bisect_left(names, start)
    last = first + _count(names[first:], start)
    found = list(names[first : min(last, first + _MOST)])
    if last - first > _MOST:
        found[-1] = names[last - 1]
    return [name for name in found if "\n" not in name and "\r" not in name]


def _count(names: Sequence[str], start: str) -> int:
    """Count the names at the front that begin so."""
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        if names[middle].startswith(start):
            low = middle + 1
        else:
            high = middle
    return low


def _joined(words: Sequence[str]) -> list[str]:
    """Put words together that bash has taken apart at ``:`` and ``=``."""
    found: list[str] = []
    is_open = False
    for word in words:
        is_break = bool(word) and not word.strip(":=")
        if found and (is_break or is_open):
            found[-1] += word
        else:
            found.append(word)
        is_open = is_break
    return found


def answer(group: click.Group, program: str, instruction: str) -> int:
    """Print what the word on a command line may become; see the protocols of click.

    Parameters
    ----------
    group : Group
        The commands.
    program : str
        Name of the program.
    instruction : str
        Value of `VARIABLE`.

    Returns
    -------
    int
        The exit code.
    """
    shell, _, word = instruction.partition("_")
    if shell not in SHELLS or word != "complete":
        return 1
    try:
        text = _shell(group, program, shell).complete()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")
        sys.stdout.flush()
    except Exception:  # noqa: BLE001  the user is typing: nothing must be printed
        return 1
    return 0


def script(group: click.Group, program: str, shell: str) -> str:
    """Give the text that teaches a shell to complete our words.

    Parameters
    ----------
    group : Group
        The commands.
    program : str
        Name of the program.
    shell : str
        One of `SHELLS`.
    """
    return _shell(group, program, shell).source()


def _shell(group: click.Group, program: str, shell: str) -> click.shell_completion.ShellComplete:
    from click.shell_completion import FishComplete, ShellComplete, ZshComplete, split_arg_string

    class Bash(ShellComplete):
        name = "bash"
        source_template = _BASH

        def get_completion_args(self) -> tuple[list[str], str]:
            words = split_arg_string(os.environ["COMP_WORDS"])
            place = int(os.environ["COMP_CWORD"])
            args = words[1:place]
            incomplete = words[place] if place < len(words) else ""
            # bash takes `--step=mean` for three words, and `flows:Lab=data` for five.
            if incomplete == "=" and args:
                incomplete = ""
            elif args and args[-1] == "=":
                args.pop()
            return _joined(args), incomplete

        def format_completion(self, item: CompletionItem[str]) -> str:
            return f"{item.type}\t{item.value}"

    kinds = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}
    return kinds[shell](group, {}, program, VARIABLE)
