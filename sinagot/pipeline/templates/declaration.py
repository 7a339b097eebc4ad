"""One parameter of a pipeline as its YAML declares it: type, default, options, bounds.

Knows what a value must be; must not know how a declaration is written in a file.
`typed` makes declarations and asks each for its value; forms and help pages read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sinagot.config.hints import did_you_mean, spelled_list
from sinagot.pipeline.templates.places import Place
from sinagot.pipeline.templates.values import convert, described, plain_copy

__all__ = ["Declaration", "option_text"]


@dataclass(frozen=True)
class Declaration:
    """One parameter as it is declared.

    Examples
    --------
    >>> declaration = Declaration("n", "array", items=Declaration("n", "int"))
    >>> declaration.type_text, declaration.is_required
    ('array of int', True)
    """

    name: str
    type: str
    doc: str = ""
    #: A value must be given: there is no default.
    is_required: bool = True
    #: Already of the type; None when there is none, or when it is None.
    default: Any = None
    #: Of a choice.
    options: tuple[Any, ...] = ()
    #: Of an array: what each item is.
    items: Declaration | None = None
    #: Bounds, both inside.
    least: Any = None
    most: Any = None
    shortest: int | None = None
    longest: int | None = None
    #: Where it is declared.
    place: Place | None = None

    @property
    def type_text(self) -> str:
        """The type for people, such as ``array of int``."""
        return f"{self.type} of {self.items.type_text}" if self.items is not None else self.type

    def value_of(self, value: Any) -> Any:
        """Turn a given value into what is declared.

        Parameters
        ----------
        value : object
            None is allowed only where the default is None.

        Raises
        ------
        ValueError
            It is something else; the message says what was found and what is allowed.

        Examples
        --------
        >>> Declaration("n", "int", least=1).value_of("0")
        Traceback (most recent call last):
        ValueError: found '0', allowed is 1 or more
        """
        if value is None and not self.is_required and self.default is None:
            return None
        try:
            found = convert(self.type, value)
        except ValueError as error:
            raise ValueError(f"found {described(value)}, allowed is {error}") from None
        if self.type == "choice":
            return self._chosen(value)
        if self.type == "array":
            found = self._items_of(found)
        self._check_bounds(value, found)
        return found

    def _chosen(self, value: Any) -> Any:
        for option in self.options:
            if type(option) is type(value) and option == value:
                return option
        # Text from a command line or a form, where it can be one of them only.
        alike = [option for option in self.options if isinstance(value, str) and option_text(option) == value]
        if len(alike) == 1:
            return alike[0]
        allowed = spelled_list(described(option) for option in self.options)
        near = (
            did_you_mean(value, [option_text(option) for option in self.options])
            if isinstance(value, str)
            else ""
        )
        raise ValueError(f"found {described(value)}, allowed is {allowed}" + (f"; {near}" if near else ""))

    def _items_of(self, values: list[Any]) -> list[Any]:
        found = []
        for at, one in enumerate(values):
            try:
                found.append(plain_copy(one) if self.items is None else self.items.value_of(one))
            except ValueError as error:
                message = str(error)
                if self.items is None:
                    message = f"found {described(one)}, allowed is {message}"
                raise ValueError(f"item {at + 1}: {message}") from None
        return found

    def _check_bounds(self, value: Any, found: Any) -> None:
        try:
            # Written so that nan, which is neither, is refused.
            is_low = self.least is not None and not found >= self.least
            is_high = self.most is not None and not found <= self.most
        except TypeError:
            bound = self.least if self.least is not None else self.most
            zone = "with" if getattr(bound, "tzinfo", None) else "without"
            raise ValueError(
                f"found {described(value)}, allowed is a time {zone} a time zone, as the bound {bound} is"
            ) from None
        if is_low:
            raise ValueError(f"found {described(value)}, allowed is {self.least} or more")
        if is_high:
            raise ValueError(f"found {described(value)}, allowed is {self.most} or less")
        if self.shortest is not None and len(found) < self.shortest:
            raise ValueError(f"found a length of {len(found)}, allowed is {self.shortest} or more")
        if self.longest is not None and len(found) > self.longest:
            raise ValueError(f"found a length of {len(found)}, allowed is {self.longest} or less")


def option_text(option: Any) -> str:
    """Write an option as a form or command line gives it back."""
    return str(option).lower() if isinstance(option, bool) else str(option)
