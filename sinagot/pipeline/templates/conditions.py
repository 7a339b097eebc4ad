"""`Condition`: `if:` and `until:`, restricted expressions over the values of a run.

Knows how a condition is written; must not know stages or jobs. What may stand in one is decided when it is loaded, by
the kinds of its parts; values are bound to names and never become text that is read. `simpleeval` evaluates, with
the operators and functions of `bounds`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from sinagot.config.quiet import quiet
from sinagot.errors import ConfigurationError, SinagotError
from sinagot.pipeline.templates.bounds import FUNCTIONS, OPERATORS, truth_of
from sinagot.pipeline.templates.expressions import Expression, Filters, Known
from sinagot.pipeline.templates.faults import Where, kind_of, load_error, run_error, unknown_word
from sinagot.pipeline.templates.plain import number_of
from sinagot.pipeline.templates.syntax import Segment, Written, pieces_of

__all__ = ["Condition"]

#: Characters, and parts within parts: what a person writes has fewer by far.
_LONGEST = 4000
_DEEPEST = 40
#: Constants in the words of YAML.
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_ALLOWED = (
    ast.Attribute,
    ast.BinOp,
    ast.BoolOp,
    ast.Call,
    ast.Compare,
    ast.Constant,
    ast.List,
    ast.Name,
    ast.Set,
    ast.Subscript,
    ast.Tuple,
    ast.UnaryOp,
)
_EVALUATED = tuple(kind for kind in _ALLOWED if kind not in (ast.Attribute, ast.Subscript))
_OPERATORS: tuple[type[ast.AST], ...] = (ast.And, ast.Or, ast.Load, *OPERATORS)
#: Names that nobody could write: of what is bound, and of the function that takes nothing but true and false.
_BOUND = "bound {}"
_TRUTH = "truth of"


class _Quoted(NamedTuple):
    """A quoted text with expressions within."""

    parts: tuple[str | Expression, ...]


class Condition:
    """What stands behind ``if:`` or ``until:``, compiled.

    Made by `Condition.parse`, once; `evaluate` any number of times, from any thread.

    Notes
    -----
    Values come from ``${{ path | filter }}``, or from a plain dotted path, ``params.n``; the first name of such a path
    is one of the context. Only maps and lists are looked into. In quotes, ``'${{ params.x }}'`` is the value as text.
    Beside them there are numbers, quoted texts, ``true false null``, lists, comparisons, ``in``, ``is``,
    ``and or not``, ``+ - * / // % **`` and the functions ``abs bool float int len max min str``. A path is looked up
    only when it is reached: ``${{ params.a? }} != null and params.a > 3`` is good without ``a``.

    The result, and what stands beside ``and``, ``or`` and ``not``, must be true or false: a text, a number or null is
    an error, for ``"false"`` is a text that would count as true. ``bool(x)`` and comparisons say what is meant.

    Examples
    --------
    >>> condition = Condition.parse("${{ params.name | lower }} in ['a', 'b'] and params.n > 3")
    >>> condition.evaluate({"params": {"name": "A", "n": 4}})
    True
    >>> Condition.parse("'${{ params.x }}' == 'day 1'").evaluate({"params": {"x": "' == '' or '1"}})
    False
    """

    __slots__ = ("_bound", "_tree", "text", "where")

    def __init__(
        self, text: str, where: Where | None, tree: ast.expr, bound: dict[str, Expression | _Quoted]
    ) -> None:
        self.text = text
        self.where = where
        self._tree = tree
        self._bound = bound

    @classmethod
    def parse(cls, value: Any, where: Where | None = None) -> Condition:
        """Compile a condition.

        Parameters
        ----------
        value : str or bool
            As it stands in the file.
        where : Where, optional
            Where it stands.

        Returns
        -------
        Condition
            Good for any number of runs.

        Raises
        ------
        ConfigurationError
            When it is not well written, or holds what no condition may.

        Examples
        --------
        >>> Condition.parse("open('x').read()")
        Traceback (most recent call last):
        sinagot.errors.ConfigurationError: open('x').read(): only functions can be called here...
        """
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            raise load_error(where, f"a condition is a text, true or false, not {kind_of(value)}")
        try:
            text, token, marked = _marked(value, where)
            tree = _parsed(text)
            reader = _Reader(token, marked, where)
            reader.refuse(tree)
            return cls(value.strip(), where, reader.bind(tree), reader.bound)
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            # The last three are Python's parser, which refuses so what is wrong, and what is nested too deep.
            text = error.msg if isinstance(error, SyntaxError) else str(error)
            hint = "two values are compared by `==`" if re.search(r"[^=!<>:]=[^=]", value) else ""
            hint = hint if isinstance(error, SyntaxError) else ""
            raise load_error(where, text or "it is nested too deep", value.strip(), hint) from None

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All lookups in it, in order."""
        found: list[Expression] = []
        for one in self._bound.values():
            if isinstance(one, Expression):
                found.append(one)
            else:
                found += [part for part in one.parts if not isinstance(part, str)]
        return tuple(found)

    def paths(self) -> tuple[tuple[str, ...], ...]:
        """List the paths that it looks up, each once.

        Examples
        --------
        >>> Condition.parse("params.n > 3 and ${{ jobs.a-b.ok }}").paths()
        (('params', 'n'), ('jobs', 'a-b', 'ok'))
        """
        return tuple(dict.fromkeys(one.path for one in self.expressions))

    def check(self, known: Known, filters: Filters | None = None) -> list[ConfigurationError]:
        """Find unknown names and filters before any value is there, as `Template.check` does."""
        return [problem for one in self.expressions for problem in one.check(known, filters)]

    def evaluate(self, context: Mapping[str, Any], filters: Filters | None = None) -> bool:
        """Decide.

        Parameters
        ----------
        context : mapping
            What paths are looked up in.
        filters : mapping, optional
            Filters by name; those of the process unless given.

        Returns
        -------
        bool
            The answer.

        Raises
        ------
        TemplateError
            When a path is not there, values cannot be compared, a bound is reached, or the answer is neither true
            nor false.
        """
        from simpleeval import EvalWithCompoundTypes

        evaluator = EvalWithCompoundTypes(
            operators=OPERATORS,
            functions={**FUNCTIONS, _TRUTH: truth_of},
            names=_Values(self._bound, context, filters),
        )
        # Nothing but what was let through when the condition was loaded: no attributes, no comprehensions.
        evaluator.nodes = {kind: evaluator.nodes[kind] for kind in _EVALUATED}
        try:
            value = number_of(evaluator.eval(self.text, previously_parsed=self._tree))
        except SinagotError:
            raise
        except Exception as error:
            message = str(error) or type(error).__name__
            raise run_error(self.where, f"it cannot be decided: {message}", self.text) from error
        if not isinstance(value, bool):
            hint = "compare it, such as `x == 'a'` or `len(x) > 0`"
            raise run_error(
                self.where, f"it gives {kind_of(value)}, which is neither true nor false", self.text, hint
            )
        return value


class _Values:
    """The names of one evaluation; each is looked up when it is reached."""

    def __init__(
        self, bound: Mapping[str, Expression | _Quoted], context: Mapping[str, Any], filters: Filters | None
    ) -> None:
        self._bound = bound
        self._context = context
        self._filters = filters

    def __getitem__(self, name: str) -> Any:
        bound = self._bound[name]
        if isinstance(bound, Expression):
            return bound.evaluate(self._context, self._filters)
        return "".join(
            part if isinstance(part, str) else part.text(self._context, self._filters) for part in bound.parts
        )


def _marked(text: str, where: Where | None) -> tuple[str, str, dict[str, Expression]]:
    """Put a name that stands nowhere in the text in the place of each ``${{ }}``."""
    if len(text) > _LONGEST:
        raise ValueError(f"a condition has at most {_LONGEST} characters")
    pieces = pieces_of(text)
    token = "value"
    while token in text:
        token += "s"
    marked: dict[str, Expression] = {}
    parts: list[str] = []
    for piece in pieces:
        if isinstance(piece, Written):
            # A letter ends the number: no name is the beginning of another.
            name = f"{token}{len(marked)}x"
            marked[name] = Expression(piece, where)
            parts.append(name)
        else:
            parts.append(piece)
    return "".join(parts), token, marked


def _parsed(text: str) -> ast.expr:
    text = text.strip()
    if not text:
        raise ValueError("the condition is empty")
    with quiet():  # what the compiler has to say of `1if` is no warning of ours
        return ast.parse(f"(\n{text}\n)" if "\n" in text else text, mode="eval").body


class _Reader:
    """Lets through what a condition may hold, and binds values to names."""

    def __init__(self, token: str, marked: dict[str, Expression], where: Where | None) -> None:
        self.token = token
        self.marked = marked
        self.where = where
        self.bound: dict[str, Expression | _Quoted] = {}

    def refuse(self, tree: ast.expr) -> None:
        """Raise when a part of some kind has no place in a condition, or it is nested too deep."""
        pending: list[tuple[ast.AST, int]] = [(tree, 0)]
        while pending:
            node, depth = pending.pop()
            if depth > _DEEPEST:
                raise ValueError(f"it is nested more than {_DEEPEST} deep")
            if isinstance(node, ast.expr):
                self._refuse_one(node)
            elif not isinstance(node, _OPERATORS):
                raise ValueError(f"{type(node).__name__} has no place in a condition")
            pending += [(child, depth + 1) for child in ast.iter_child_nodes(node)]

    def _refuse_one(self, node: ast.expr) -> None:
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"{_KINDS.get(type(node), type(node).__name__)} has no place in a condition")
        if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None):
            raise ValueError(f"a literal of kind {type(node.value).__name__} has no place in a condition")
        word = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if word.startswith("__") or (isinstance(node, ast.Name) and word.startswith("_")):
            raise ValueError(f"{word!r}: names with leading underscores are not for conditions")
        if isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name):
                raise ValueError("only functions can be called here, not what a path or another call gives")
            if node.func.id not in FUNCTIONS:
                message, hint = unknown_word("function", node.func.id, FUNCTIONS)
                raise ValueError(f"{message}; {hint}" if hint else message)
            if node.keywords:
                raise ValueError("functions take no named arguments here")

        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and self._is_one_word(node):
            word = ast.unparse(node).replace(" - ", "-")
            raise ValueError(
                f"`{word}` is a subtraction here; write `${{{{ {word} }}}}` for a name, or put blanks round the minus"
            )

    def _is_one_word(self, node: ast.BinOp) -> bool:
        """Tell whether `a.b-c` was meant as a name: two paths, with nothing but the minus between them."""
        if (node.right.lineno, node.right.col_offset) != (
            node.left.end_lineno,
            (node.left.end_col_offset or 0) + 1,
        ):
            return False
        left = node.left.right if isinstance(node.left, ast.BinOp) else node.left
        return all(
            isinstance(side, ast.Name | ast.Attribute) and self.token not in ast.unparse(side)
            for side in (left, node.right)
        )

    def bind(self, node: ast.expr) -> ast.expr:
        """Put a name in the place of each path and of each quoted text with values."""
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._bind_path(node)
        if isinstance(node, ast.Constant):
            return self._bind_quoted(node) if isinstance(node.value, str) else node
        if isinstance(node, ast.BoolOp):
            node.values = [self._truth(self.bind(one)) for one in node.values]
            return node
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, name, [self.bind(one) if isinstance(one, ast.expr) else one for one in value])
            elif isinstance(value, ast.expr) and not (name == "func" and isinstance(node, ast.Call)):
                setattr(node, name, self.bind(value))
        return node

    def _truth(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Compare | ast.BoolOp):
            return node
        return ast.Call(ast.Name(_TRUTH, ast.Load()), [node], [])

    def _bind_path(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Name):
            if node.id in self.marked:
                return self._name(self.marked[node.id])
            if node.id in _CONSTANTS:
                return ast.Constant(_CONSTANTS[node.id])
        names = self._names(node)
        if any(self.token in name for name in names):
            raise ValueError(
                "something stands right before or behind a `${{ ... }}`; put the whole path into it"
            )
        if names[0] in FUNCTIONS:
            raise ValueError(f"{names[0]!r} is a function: write `{names[0]}(...)`")
        written = Written(".".join(names), tuple(map(Segment, names)))
        return self._name(Expression(written, self.where))

    def _names(self, node: ast.expr) -> list[str]:
        names: list[str] = []
        while not isinstance(node, ast.Name):
            if isinstance(node, ast.Attribute):
                names.append(node.attr)
                node = node.value
            elif isinstance(node, ast.Subscript):
                key = node.slice.value if isinstance(node.slice, ast.Constant) else None
                if isinstance(key, bool) or not isinstance(key, str | int):
                    raise ValueError("what stands in `[...]` must be a whole number or a quoted name")
                names.append(str(key))
                node = node.value
            else:
                raise ValueError(
                    "only a path can be looked into: `params.name`, `params['name']`, `params.items[0]`"
                )
        return [node.id, *reversed(names)]

    def _bind_quoted(self, node: ast.Constant) -> ast.expr:
        rest = str(node.value)
        parts: list[str | Expression] = []
        for name, expression in self.marked.items():
            before, found, after = rest.partition(name)
            if found:
                parts += [before, expression]
                rest = after
        # In a text the same value cannot stand twice, and those in it are in order: each has a name of its own.
        if not parts:
            return node
        return self._name(_Quoted(tuple(part for part in (*parts, rest) if part)))

    def _name(self, bound: Expression | _Quoted) -> ast.expr:
        name = _BOUND.format(len(self.bound))
        self.bound[name] = bound
        return ast.Name(name, ast.Load())


_KINDS: dict[type[ast.AST], str] = {
    ast.JoinedStr: "an f-string",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Dict: "a map",
    ast.IfExp: "`x if y else z`",
    ast.NamedExpr: "`:=`",
    ast.Starred: "`*`",
    ast.Slice: "a slice",
    ast.Await: "`await`",
}
