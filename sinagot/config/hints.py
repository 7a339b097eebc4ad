"""Finds what a user probably meant by a misspelt word.

Knows words and how alike they are; must not know keys, files or sections.
Asked by the checks of this layer, and by everyone above who refuses a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sinagot.errors import NotFoundError

__all__ = ["closest", "did_you_mean", "near_miss", "spelled_list", "unknown_step", "words_about"]


def closest(word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Find the candidate most like a word, whatever the case of their letters.

    Parameters
    ----------
    word : str
        What was written.
    candidates : iterable of str
        What could have been meant.
    cutoff : float
        Least likeness, from 0 to 1.

    Returns
    -------
    str or None
        The candidate, if one is alike.

    Examples
    --------
    >>> closest("debgu", ["DEBUG", "INFO"])
    'DEBUG'
    """
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    if word.casefold() in by_fold:
        return by_fold[word.casefold()]
    # Only a mistake needs this module: a good configuration never loads it.
    import difflib

    # A word of a megabyte is no misspelling, and comparing it would take minutes.
    found = difflib.get_close_matches(word.casefold()[:200], by_fold, n=1, cutoff=cutoff)
    return by_fold[found[0]] if found else None


def unknown_step(scope: str, step: str, known: Sequence[str]) -> NotFoundError:
    """Make the error that says that a scope has no such step, and which it has.

    Examples
    --------
    >>> str(unknown_step("<RS instance>", "alhpa", ["read", "alpha"]))
    "<RS instance> has no step 'alhpa'; steps are read, alpha; did you mean 'alpha'?"
    """
    hint = did_you_mean(step, known)
    text = f"{scope} has no step {step!r}; steps are {', '.join(known) or 'none'}"
    return NotFoundError(f"{text}; {hint}" if hint else text, name=step, allowed=list(known))


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return a question that names the candidate most like the word.

    Parameters
    ----------
    word : str
        What was written.
    candidates : iterable of str
        What could have been meant.

    Returns
    -------
    str
        ``"did you mean 'steps'?"``, or ``""`` when nothing is alike.

    Examples
    --------
    >>> did_you_mean("scirpts", ["scripts", "label"])
    "did you mean 'scripts'?"
    >>> did_you_mean("zebra", ["scripts", "label"])
    ''
    """
    best = closest(word, candidates)
    return f"did you mean {best!r}?" if best is not None else ""


def near_miss(word: str, candidates: Iterable[str]) -> str | None:
    """Find the candidate that a word is almost certainly a misspelling of.

    Stricter than `did_you_mean`, because the caller refuses the word: same first letter, nearly the same
    length and letters, or the singular of the candidate. ``[step]`` is one, ``[recordings]`` and ``[tags]``
    are not.

    Parameters
    ----------
    word : str
        What was written.
    candidates : iterable of str
        The words that it may be mixed up with.

    Returns
    -------
    str or None
        The candidate, if there is one.

    Examples
    --------
    >>> near_miss("step", ["steps", "records"]), near_miss("modality", ["modalities"])
    ('steps', 'modalities')
    >>> near_miss("recordings", ["records"]) is None
    True
    """
    singular = word.casefold()
    alike = []
    for candidate in candidates:
        if candidate == word:
            continue
        if candidate in (singular, singular + "s", singular.removesuffix("y") + "ies"):
            return candidate
        if candidate[:1] == singular[:1] and abs(len(candidate) - len(word)) <= 2:
            alike.append(candidate)
    return closest(word, alike, 0.8)


def spelled_list(words: Iterable[str], last: str = "or") -> str:
    """Write words as a person would list them.

    Parameters
    ----------
    words : iterable of str
        Words, in order.
    last : str
        What stands before the last one.

    Returns
    -------
    str
        The list.

    Examples
    --------
    >>> spelled_list(["'a'", "'b'", "'c'"])
    "'a', 'b' or 'c'"
    """
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def words_about(command: str, name: str, *options: str) -> list[str]:
    """Give the words of a command about a record; a name that begins with a dash is not taken for an option.

    Parameters
    ----------
    command : str
        A command that takes the name as an argument.
    name : str
        Of a record.
    *options : str
        Further words.

    Examples
    --------
    >>> words_about("logs", "REC-1", "--step", "mean"), words_about("logs", "-1", "--step", "mean")
    (['logs', 'REC-1', '--step', 'mean'], ['logs', '--step', 'mean', '--', '-1'])
    """
    return [command, *options, "--", name] if name.startswith("-") else [command, name, *options]
