"""What a script sees as `self.params`: a read-only mapping, or an instance of its own class `Params`.

Knows a script's class `Params` (a pydantic model) by what it can do, so that pydantic is loaded by such scripts only;
must not know where values were written. The workspace makes the values that travel in jobs, each attempt its own view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from sinagot.config.hints import did_you_mean

__all__ = ["ParamsView", "TypedParams", "ValueProblem", "model_of", "names_of", "typed_params", "view_of"]


class ParamsView(dict[str, Any]):
    """Parameters of one attempt, read-only; `view.low` is `view["low"]`.

    Examples
    --------
    >>> params = ParamsView({"low": 8.0, "band": {"name": "alpha"}})
    >>> params["low"], params.band.name
    (8.0, 'alpha')
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__({key: _fresh(value) for key, value in (values or {}).items()})

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(self._unknown(name))

    def __missing__(self, name: str) -> NoReturn:
        raise KeyError(self._unknown(name))

    def _unknown(self, name: str) -> str:
        hint = did_you_mean(str(name), self)
        return f"no parameter {name!r}; there is {', '.join(self) or 'none'}{'; ' + hint if hint else ''}"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in self if name.isidentifier())})

    def __reduce__(self) -> tuple[Any, ...]:
        return ParamsView, (dict(self),)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("parameters are read-only; take a copy: dict(self.params)")

    __setitem__ = __delitem__ = __setattr__ = __delattr__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


def _fresh(value: Any) -> Any:
    """Copy a value, so that what a script does to a list concerns its own attempt only."""
    if isinstance(value, Mapping):
        return ParamsView(value)
    return [_fresh(one) for one in value] if isinstance(value, list) else value


class TypedParams(dict[str, Any]):
    """Effective parameters of a step whose script has a class `Params`, as plain values, defaults included.

    Attributes
    ----------
    given : dict
        What they were made of; each attempt makes its own instance of the class from it.
    """

    given: dict[str, Any]

    def __init__(self, effective: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        super().__init__(effective)
        self.given = dict(given)

    def __reduce__(self) -> tuple[Any, ...]:
        return TypedParams, (dict(self), self.given)


class ValueProblem(NamedTuple):
    """What a class `Params` says against a value: the keys that lead to it, whether it is there, and why."""

    path: tuple[str, ...]
    is_missing: bool
    text: str
    #: The class has a type for it whose values nobody is to read.
    is_secret: bool = False


def model_of(script: type) -> Any:
    """Give the class `Params` of a script; None without one that can check values."""
    model = getattr(script, "Params", None)
    return model if isinstance(model, type) and hasattr(model, "model_validate") else None


def names_of(model: Any) -> list[str] | None:
    """List the parameters that a class `Params` takes; None when it takes any.

    Notes
    -----
    Names are those by which pydantic takes values: aliases where there are some.
    """
    config = getattr(model, "model_config", {})
    if config.get("extra") == "allow":
        return None
    names: dict[str, None] = {}
    for name, field in model.model_fields.items():
        aliases = list(_aliases(getattr(field, "validation_alias", None) or getattr(field, "alias", None)))
        by_name = any(config.get(key) for key in ("populate_by_name", "validate_by_name"))
        names |= dict.fromkeys([*aliases, *([name] if by_name or not aliases else [])])
    return list(names)


def _aliases(alias: Any) -> Iterator[str]:
    if isinstance(alias, str):
        yield alias
    for one in getattr(alias, "choices", ()):
        yield from _aliases(one)
    if path := getattr(alias, "path", ()):
        yield str(path[0])


def typed_params(model: Any, given: Mapping[str, Any]) -> TypedParams | list[ValueProblem]:
    """Check values with a class `Params`.

    Parameters
    ----------
    model : type
        The class.
    given : mapping
        Values that are of the step, or of wider layers: those that the class does not know are left out.

    Returns
    -------
    TypedParams or list of ValueProblem
        What holds; or all that is wrong.
    """
    names = names_of(model)
    taken = {key: value for key, value in given.items() if names is None or key in names}
    try:
        made = model.model_validate(_plain(taken))
    except Exception as error:  # noqa: BLE001  validators are code of the user, and pydantic is not imported here
        return list(_problems(error, model))
    try:
        effective = made.model_dump(mode="json")
    except Exception:  # noqa: BLE001  a value that JSON cannot say
        effective = made.model_dump()
    return TypedParams(effective, taken)


def _plain(value: Any) -> Any:
    """Copy tables and lists: a validator may change what it is given."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _problems(error: Exception, model: Any) -> Iterator[ValueProblem]:
    facts = getattr(error, "errors", None)
    if not (isinstance(error, ValueError) and callable(facts)):
        yield ValueProblem((), False, f"{type(error).__name__}: {error}")
        return
    for fact in facts(include_url=False, include_context=False):
        path = tuple(part for part in fact["loc"] if isinstance(part, str))
        field = model.model_fields.get(path[0]) if path else None
        is_secret = "Secret" in repr(getattr(field, "annotation", ""))
        yield ValueProblem(path, fact["type"] == "missing", str(fact["msg"]), is_secret)


def view_of(script: type, params: Mapping[str, Any] | None) -> Any:
    """Make what one attempt of a script sees as `self.params`.

    Raises
    ------
    pydantic.ValidationError
        The script has a class `Params` and the values are not good for it (those of a job were checked before).
    """
    model = model_of(script)
    if model is None:
        return ParamsView(params)
    return model.model_validate(_plain(getattr(params, "given", params) or {}))
