"""Parameters and variables of a pipeline: names with defaults, that a run takes a copy of.

Knows names and, where there is one, a pydantic model that checks values; must not know stages. pydantic is loaded by
whoever hands a model in, never from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, ClassVar, Self

from sinagot.config.hints import did_you_mean
from sinagot.errors import PipelineDefinitionError
from sinagot.scripts.params import TypedParams, ValueProblem, model_of, typed_params
from sinagot.scripts.secrets import Secret, secrets_of

__all__ = ["Parameters", "Secret", "Variables", "fresh", "secrets_of"]


class _Names(MutableMapping[str, Any]):
    """Names with defaults, and what they are now."""

    _what = "name"

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        for name in defaults:
            if not isinstance(name, str):
                raise PipelineDefinitionError(f"the name of a {self._what} must be text, found {name!r}")
        self._defaults = dict(defaults)
        self._values: dict[str, Any] = fresh(self._defaults)

    @classmethod
    def define(cls, **defaults: Any) -> Self:
        """Make them of names and defaults.

        Examples
        --------
        >>> Variables.define(count=0)
        Variables(count=0)
        """
        return cls(defaults)

    @property
    def defaults(self) -> dict[str, Any]:
        """What holds when nothing is said."""
        return dict(self._defaults)

    def set(self, name: str, value: Any) -> Self:
        """Give one a value."""
        self[name] = value
        return self

    def sets(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """Give several a value: all of them, or none when one is wrong."""
        wanted = {**(values or {}), **more}
        for name in wanted:
            self._check_name(name)
        self._values |= wanted
        return self

    def get(self, name: str, default: Any = None) -> Any:
        """Give the value of one; the default where there is none of that name."""
        return self._values.get(name, default)

    def reset(self, *names: str) -> Self:
        """Give some, or all, their default again; one that was not defined is gone."""
        wrong = next(
            (name for name in names if name not in self._values and name not in self._defaults), None
        )
        if wrong is not None:
            raise self.unknown(wrong)
        for name in names or list({**self._defaults, **self._values}):
            if name in self._defaults:
                self._values[name] = fresh(self._defaults[name])
            else:
                del self._values[name]
        return self

    def copy(self) -> Self:
        """Give another of the same names and values; what is put into a list of one is not in that of the other."""
        other = self.__class__.__new__(self.__class__)
        other.__dict__.update(self.__dict__)
        other._values = fresh(self._values)
        return other

    def _check_name(self, name: Any) -> None:
        """Raise where a name can have no value."""
        if not isinstance(name, str):
            raise PipelineDefinitionError(f"the name of a {self._what} must be text, found {name!r}")

    def unknown(self, name: str) -> PipelineDefinitionError:
        """Give the error of a name that there is not."""
        hint = did_you_mean(str(name), self._values)
        known = ", ".join(self._values) or "none"
        text = f"no {self._what} {name!r}; there is {known}{'; ' + hint if hint else ''}"
        return PipelineDefinitionError(text, parameter=name)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._check_name(name)
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"
        )


class Variables(_Names):
    """What stages of one run tell one another beside their outputs; each run begins with what they are before it.

    Examples
    --------
    >>> variables = Variables.define(seen=0)
    >>> variables.set("seen", 3).get("seen"), variables.reset()["seen"]
    (3, 0)
    """

    _what = "variable"


class Parameters(_Names):
    """What a run is told.

    Examples
    --------
    >>> parameters = Parameters.define(low=8.0, high=13.0)
    >>> parameters.set("low", 7.5)["low"], dict(parameters.reset())
    (7.5, {'low': 8.0, 'high': 13.0})
    """

    _what = "parameter"

    def __init__(self, defaults: Mapping[str, Any], model: Any = None) -> None:
        super().__init__(defaults)
        #: Class that checks values; None where any will do.
        self.model = model

    @classmethod
    def define(cls, model: Any = None, /, **defaults: Any) -> Self:
        """Make them of names and defaults, or of a pydantic model.

        Parameters
        ----------
        model : type, optional
            A pydantic model: its fields are the parameters, with their types, bounds and defaults.
        **defaults : object
            The parameters and what holds when nothing is said; of a model, other defaults than its own.

        Raises
        ------
        PipelineDefinitionError
            The model is none, or has no such field.
        """
        if model is None:
            return cls(defaults)
        if model_of(type("_", (), {"Params": model})) is None:
            raise PipelineDefinitionError(
                f"Parameters.define() takes a pydantic model or name=default; found {model!r}"
            )
        known = {}
        for name, field in model.model_fields.items():
            known[name] = REQUIRED if field.is_required() else field.get_default(call_default_factory=True)
        made = cls(known, model)
        for name in defaults:
            made._check_name(name)
        made._defaults |= defaults
        made._values |= defaults
        return made

    def _check_name(self, name: Any) -> None:
        if name not in self._values and name not in self._defaults:
            raise self.unknown(name)

    def merged(self, given: Mapping[str, Any]) -> Parameters:
        """Give a copy for one run, with other values, all of them checked.

        Raises
        ------
        PipelineDefinitionError
            There is no such parameter, one is missing, or the model refuses one; the message names all that is wrong.
        """
        made = self.copy()
        unknown = [str(made.unknown(name)) for name in given if name not in made]
        if unknown:
            raise PipelineDefinitionError(
                "; ".join(unknown), parameter=next(n for n in given if n not in made)
            )
        for name, value in given.items():
            is_secret = isinstance(self._defaults.get(name), Secret) and isinstance(value, str)
            made._values[name] = Secret(value) if is_secret else value
        if self.model is not None:
            made._check()
        missing = [name for name, value in made._values.items() if value is REQUIRED]
        if missing:
            raise PipelineDefinitionError(
                f"parameter {missing[0]!r} is required, and absent", parameter=missing[0]
            )
        return made

    def _check(self) -> None:
        values = {name: value for name, value in self._values.items() if value is not REQUIRED}
        found = typed_params(self.model, values)
        if not isinstance(found, TypedParams):
            told = [
                f"parameter {'.'.join(one.path) or '(all)'}: {'required, and absent' if one.is_missing else one.text}"
                + ("" if one.is_missing or not one.path else f"; found {self._shown(one, values)}")
                for one in found
            ]
            raise PipelineDefinitionError(
                "; ".join(told), parameter=found[0].path[0] if found[0].path else None
            )
        made = self.model.model_validate(values)
        self._values = {name: getattr(made, name) for name in self._values}

    def _shown(self, problem: ValueProblem, values: Mapping[str, Any]) -> str:
        """Give a value for a message; one that nobody is to read is ``***``."""
        name = problem.path[0]
        is_secret = problem.is_secret or secrets_of({"": self._defaults.get(name), " ": values.get(name)})
        return "***" if is_secret else repr(values.get(name))

    def script_model(self) -> Any:
        """Give what a script has as its class `Params`."""
        if self.model is not None:
            return self.model
        fields = {name: _Field(value) for name, value in self._defaults.items()}
        return type("Params", (_Plain,), {"model_fields": fields, "__module__": __name__})


class _Required:
    """There is no default."""

    def __repr__(self) -> str:
        return "required"

    def __reduce__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


class _Field:
    """What is known of a parameter without a type, in the words of pydantic."""

    alias = validation_alias = None
    annotation = Any
    description = None

    def __init__(self, default: Any) -> None:
        self.default = default

    def is_required(self) -> bool:
        return self.default is REQUIRED

    def get_default(self, **options: Any) -> Any:
        return self.default


class _Plain:
    """Parameters without types as a class `Params`: names are checked, values are not. No pydantic is needed."""

    model_config: ClassVar[dict[str, Any]] = {}
    model_fields: ClassVar[dict[str, _Field]] = {}

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: field.default for name, field in self.model_fields.items()} | dict(values)

    @classmethod
    def model_validate(cls, values: Mapping[str, Any]) -> Self:
        return cls(values)

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Give the values as they are told: a secret as stars."""
        secret = {name for name, field in self.model_fields.items() if isinstance(field.default, Secret)}
        return {
            name: "***" if isinstance(value, Secret) or (name in secret and isinstance(value, str)) else value
            for name, value in self._values.items()
        }

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None


def fresh(value: Any, known: dict[int, Any] | None = None) -> Any:
    """Copy tables, lists and sets, at any depth, and nothing that they hold."""
    if type(value) not in (dict, list, set):
        return value
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    made = known[id(value)] = type(value)()
    if type(value) is dict:
        made.update((key, fresh(one, known)) for key, one in value.items())
    elif type(value) is list:
        made.extend(fresh(one, known) for one in value)
    else:
        made |= value
    return made
