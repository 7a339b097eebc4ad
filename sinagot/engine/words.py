"""How statuses and outcomes are called, marked and coloured: the same in a terminal, a notebook, a page and a plot.

Pure, and light to import: every command loads it. Colours are those of Okabe and Ito, which people of every colour
vision tell apart; each comes with a word, and with a letter and a sign where words do not fit, so that nothing is told
by colour alone.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ACTS",
    "LAUNCHES",
    "NODES",
    "OUTCOMES",
    "PLACES",
    "STATUS",
    "TICKS",
    "TONES",
    "VERDICTS",
    "Tone",
    "Word",
    "css",
    "tone_of",
]


class Tone(NamedTuple):
    """A colour: as a fill on light and on dark ground, what is legible on each, and the colour of a terminal."""

    light: str
    light_ink: str
    dark: str
    dark_ink: str
    terminal: int


class Word(NamedTuple):
    """What people read of a status or an outcome."""

    text: str
    letter: str
    sign: str
    tone: str
    #: What a bar is filled with; the letter where a terminal shows ASCII only.
    fill: str = "█"


#: Okabe, M. and Ito, K., Color Universal Design (2008); the last three are greys and a tint. Every ink has a contrast
#: of at least 4.5 to its fill (WCAG 2.2, 1.4.3).
TONES = {
    "good": Tone("#007a59", "#ffffff", "#009e73", "#000000", 36),
    "bad": Tone("#b34700", "#ffffff", "#e8702a", "#000000", 166),
    "cut": Tone("#e69f00", "#000000", "#e69f00", "#000000", 214),
    "busy": Tone("#0072b2", "#ffffff", "#56b4e9", "#000000", 32),
    "old": Tone("#cc79a7", "#000000", "#cc79a7", "#000000", 175),
    "wait": Tone("#f0e442", "#000000", "#f0e442", "#000000", 178),
    "ready": Tone("#cfe8f7", "#000000", "#2b4a5e", "#ffffff", 110),
    "none": Tone("#e4e4e4", "#000000", "#3a3a3a", "#ffffff", 245),
    "out": Tone("#6b6b6b", "#ffffff", "#8f8f8f", "#000000", 245),
}

#: By name of the status, in the order of tables.
STATUS = {
    "DONE": Word("done", "D", "✓", "good"),
    "ERROR": Word("error", "E", "✗", "bad", "▓"),
    "INTERRUPTED": Word("interrupted", "I", "!", "cut", "▚"),
    "PROCESSING": Word("running", ">", "▶", "busy", "▞"),
    "OUTDATED": Word("outdated", "O", "↻", "old", "▒"),
    "DATA_READY": Word("ready", "r", "○", "ready", "░"),
    "INIT": Word("no input", ".", "·", "none", "·"),
    "BLOCKED": Word("blocked", "B", "⊘", "wait", "▄"),
    "DATA_NOT_AVAILABLE": Word("no data", "N", "∅", "none", "_"),
    "EXCLUDED": Word("excluded", "X", "–", "out", "-"),  # noqa: RUF001  (a dash)
}

#: By outcome, in the order of tables.
OUTCOMES = {
    "done": Word("done", "D", "✓", "good"),
    "up_to_date": Word("up to date", "U", "=", "good"),
    "done_elsewhere": Word("done elsewhere", "d", "✓", "good"),
    "failed": Word("failed", "E", "✗", "bad"),
    "missing_input": Word("missing input", ".", "·", "none"),
    "blocked": Word("blocked", "B", "⊘", "wait"),
    "excluded": Word("excluded", "X", "–", "out"),  # noqa: RUF001  (a dash)
    "interrupted": Word("interrupted", "I", "!", "cut"),
    "not_begun": Word("not begun", "n", "□", "ready"),
}

#: By verdict of a plan, in the order of tables.
VERDICTS = {
    "run": Word("would run", ">", "▶", "busy"),
    **{name: OUTCOMES[name] for name in ("up_to_date", "missing_input", "blocked", "excluded")},
}

#: By place where a record or a job stands on its way, in the order of tables.
PLACES = {
    "excluded": OUTCOMES["excluded"],
    "missing_input": OUTCOMES["missing_input"],
    "failed": OUTCOMES["failed"],
    "interrupted": OUTCOMES["interrupted"],
    "running": STATUS["PROCESSING"],
    "ready": Word("not run yet", "r", "○", "ready"),
    "waiting": Word("waiting for a step before", "w", "…", "wait"),
    "outdated": STATUS["OUTDATED"],
    "done": OUTCOMES["done"],
}

#: By state of the data of one node of a workflow, in the order of tables.
NODES = {
    "stored": Word("stored", "D", "✓", "good"),
    "stale": Word("stale", "O", "↻", "old"),
    "missing": Word("missing", "m", "□", "none"),
    "failed": OUTCOMES["failed"],
    "not stored": Word("not stored", "r", "○", "ready"),
    "no input": STATUS["INIT"],
}

#: By state of an act, such as a stage of a pipeline, in the order of tables.
ACTS = {
    "DONE": STATUS["DONE"],
    "ERROR": STATUS["ERROR"],
    "INTERRUPTED": STATUS["INTERRUPTED"],
    "RUNNING": STATUS["PROCESSING"],
    "SKIPPED": Word("skipped", "s", "»", "out"),
    "WAITING": Word("waiting", "w", "…", "ready"),
}

#: By verdict about a tick of a schedule, in the order of tables; the last is of one that is still to come.
TICKS = {
    "fired": Word("fired", "F", "✓", "good"),
    "caught-up": Word("caught up", "C", "↻", "old"),
    "queued": Word("queued", "q", "…", "busy"),
    "skipped-overlap": Word("skipped: overlap", "S", "»", "wait"),
    "missed": Word("missed", "M", "!", "cut"),
    "disabled": Word("disabled", "X", "–", "out"),  # noqa: RUF001  (a dash)
    "begun": Word("begun", "b", "·", "none"),
    "due": Word("to come", "n", "○", "ready"),
}

#: By state of a run that was asked for, in the order of tables.
LAUNCHES = {
    "queued": Word("queued", "q", "…", "ready"),
    "running": STATUS["PROCESSING"],
    "done": STATUS["DONE"],
    "failed": OUTCOMES["failed"],
    "lost": Word("lost", "L", "?", "bad"),
    "stopped": Word("stopped", "s", "!", "cut"),
    "cancelled": Word("cancelled", "X", "–", "out"),  # noqa: RUF001  (a dash)
}

_ALL = (STATUS, OUTCOMES, VERDICTS, PLACES, NODES, ACTS)
_BY_TEXT = {word.text: word.tone for words in _ALL for word in words.values()}


def tone_of(text: str) -> str | None:
    """Name the tone of a word that people read; None for one without colour.

    Examples
    --------
    >>> tone_of("failed"), tone_of("done"), tone_of("elephant")
    ('bad', 'good', None)
    """
    return _BY_TEXT.get(text)


def css(selector: str = ":root", *, dark: bool = False) -> str:
    """Give the tones as custom properties of CSS: ``--sg-good``, and ``--sg-good-ink`` for text on it.

    Parameters
    ----------
    selector : str
        What has them.
    dark : bool
        Those for dark ground.

    Examples
    --------
    >>> css().split(";")[0]
    ':root{--sg-good:#007a59'
    """
    pairs = (
        f"--sg-{name}:{tone.dark if dark else tone.light};--sg-{name}-ink:{tone.dark_ink if dark else tone.light_ink}"
        for name, tone in TONES.items()
    )
    return f"{selector}{{{';'.join(pairs)}}}"
