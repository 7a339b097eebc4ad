"""What the jobs of one chain hand on without files: values that no step stores.

Knows keys, values and claims; must not know what a value is. Made by whoever runs a chain, in the process that runs it,
and gone with it.
"""

from __future__ import annotations

from typing import Any

from sinagot.engine.state.claims import Claim, ClaimDesk

__all__ = ["Memory"]


class Memory:
    """The values of one record, by name of their step.

    Attributes
    ----------
    values : dict
        Name -> what the value came from, and the value. Whoever asks compares the former with what is there now.
    versions : dict
        Name -> what made the value besides that, kept by whoever keeps the values longer than one chain.
    aside : str
        Folder for files that turn out to be damaged.
    error : BaseException or None
        What ended the last attempt that failed here: text alone travels, but in this process the exception is at hand.

    Examples
    --------
    >>> memory = Memory()
    >>> memory.put("filtered", ("8 17",), [1.0])
    >>> memory.get("filtered", ("8 17",)), memory.get("filtered", ("9 20",))
    (([1.0],), None)
    """

    __slots__ = ("_held", "aside", "error", "values", "versions")

    def __init__(self) -> None:
        self.values: dict[str, tuple[Any, Any]] = {}
        self.versions: dict[str, Any] = {}
        self.error: BaseException | None = None
        self.aside = ""
        self._held: list[tuple[ClaimDesk, Claim]] = []

    def get(self, name: str, token: Any) -> tuple[Any] | None:
        """Give the value of a step in a tuple of its own; None when there is none that came from the same."""
        found = self.values.get(name)
        return (found[1],) if found is not None and found[0] == token else None

    def put(self, name: str, token: Any, value: Any) -> None:
        """Keep the value of a step, and what it came from."""
        self.values[name] = (token, value)

    def forget_error(self) -> None:
        """Let go of the exception of an earlier attempt."""
        self.error = None

    def hold(self, desk: ClaimDesk, claim: Claim) -> None:
        """Keep a claim as long as its value: nobody computes it a second time before those who need it are done."""
        self._held.append((desk, claim))

    def release(self) -> None:
        """Give all claims back."""
        while self._held:
            desk, claim = self._held.pop()
            desk.release(claim)
