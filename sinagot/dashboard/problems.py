"""Why there is no answer, as RFC 9457 has it: `application/problem+json`, the same for all addresses of the API.

Knows status codes and how OpenAPI tells of them; must not know what was asked for. The door refuses in these words too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

__all__ = [
    "MEDIA_TYPE",
    "Fault",
    "Problem",
    "RefusedError",
    "describe",
    "faults_of",
    "pointer",
    "problem_response",
    "problem_text",
    "sentence_of",
    "wants_page",
]

MEDIA_TYPE = "application/problem+json"
#: Faults of one answer, and signs of one of them.
_MOST = 50
_LONGEST = 2000
#: What FastAPI says of itself, in place of which `Problem` is told.
_FOREIGN = ("HTTPValidationError", "ValidationError")


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    detail: str
    #: Of the body: where, as a JSON pointer.
    pointer: str | None = None
    #: Of the address or a header: which part of it.
    parameter: str | None = None


class Problem(BaseModel):
    """Why there is no answer."""

    #: Nothing beyond the status is meant.
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    #: With 422: all that is wrong with the request, one by one.
    errors: list[Fault] | None = Field(default=None, exclude_if=lambda value: value is None)


class RefusedError(HTTPException):
    """A request that can't be taken, with all that is wrong with it.

    Parameters
    ----------
    faults : sequence of Fault
        At least one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(422, sentence_of(faults))
        self.faults = list(faults)


def problem_text(status: int, detail: str, faults: Sequence[Fault] | None = None) -> bytes:
    """Write a problem as JSON.

    Parameters
    ----------
    status : int
        Of the answer.
    detail : str
        What is wrong, and what to do next.
    faults : sequence of Fault, optional
        One by one, with 422.

    Examples
    --------
    >>> problem_text(404, "there is no run x here")
    b'{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no run x here"}'
    """
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if faults is not None:
        found["errors"] = [one.model_dump(exclude_none=True) for one in faults[:_MOST]]
    return json.dumps(found).encode()


def problem_response(
    status: int,
    detail: str,
    faults: Sequence[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Give a problem as an answer; parameters are as of `problem_text`."""
    return Response(
        problem_text(status, detail, faults),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=None if headers is None else dict(headers),
    )


def wants_page(accept: str) -> bool:
    """Say by the header Accept whether a page is asked for, as browsers do; others get a problem.

    Examples
    --------
    >>> wants_page("text/html,application/xhtml+xml,*/*;q=0.8"), wants_page("*/*")
    (True, False)
    """
    return "text/html" in accept.lower()


def faults_of(errors: Sequence[Any]) -> list[Fault]:
    """Give what FastAPI found wrong with a request, each with its place.

    Examples
    --------
    >>> faults_of([{"loc": ("body", "params", "a/b"), "msg": "Field required"}])
    [Fault(detail='Field required', pointer='#/params/a~1b', parameter=None)]
    >>> faults_of([{"loc": ("query", "limit"), "msg": "too large"}])
    [Fault(detail='too large', pointer=None, parameter='limit')]
    """
    found = []
    for one in errors[:_MOST]:
        side, *path = one.get("loc") or ("body",)
        text = str(one.get("msg", ""))[:_LONGEST].encode("utf-8", "replace").decode()
        keys = [str(key)[:200].encode("utf-8", "replace").decode() for key in path]
        if side == "body":
            is_json = one.get("type") != "json_invalid"  # else its place is a number of signs
            found.append(Fault(detail=text, pointer=pointer(*keys) if is_json else "#"))
        else:
            found.append(Fault(detail=text, parameter=".".join(keys)))
    return found


def pointer(*keys: str) -> str:
    """Write a place in a body as a JSON pointer (RFC 6901), for an address."""
    return "#" + "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def sentence_of(faults: Sequence[Fault]) -> str:
    """Say in one sentence what is wrong."""
    shown = [
        f"{(one.pointer or '').removeprefix('#/') or one.parameter or 'the body'}: {one.detail}"
        for one in faults[:3]
    ]
    more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
    return "; ".join(shown) + more


def describe(app: FastAPI) -> None:
    """Have the description of an app say how it refuses: each code from 400 on is a `Problem`.

    Parameters
    ----------
    app : FastAPI
        Its `openapi` is exchanged.
    """
    write = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        found = write()
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        for name in _FOREIGN:
            schemas.pop(name, None)
        whole = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= whole.pop("$defs", {}) | {Problem.__name__: whole}
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
        reference = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
        for operations in found["paths"].values():
            for operation in operations.values():
                for code, answer in operation["responses"].items():
                    if code >= "400":
                        answer["content"] = {MEDIA_TYPE: reference}
        return found

    app.openapi = described  # type: ignore[method-assign]
