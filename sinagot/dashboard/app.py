"""The app: all pages, the API and the door before them, for one workspace.

Knows what there is and puts it together; must not know how anything is shown. `sinagot serve` puts it on a socket.
"""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from sinagot.dashboard import accounts_api, actions, api, pipelines_api, service_api
from sinagot.dashboard.answers import HealthAnswer
from sinagot.dashboard.api import REFUSALS
from sinagot.dashboard.auth import Hosts, Keys
from sinagot.dashboard.guard import API, Guard
from sinagot.dashboard.house import House
from sinagot.dashboard.metrics import CONTENT_TYPE, Meter, Metrics
from sinagot.dashboard.pages import history, overview, pipelines, records, schedules, settings
from sinagot.dashboard.problems import (
    RefusedError,
    describe,
    faults_of,
    problem_response,
    sentence_of,
    wants_page,
)
from sinagot.errors import ConfigurationError, HistoryUnavailableError, SinagotError
from sinagot.version import __version__

if TYPE_CHECKING:
    from sinagot.workspace.workspace import Workspace

__all__ = ["create_app", "parse_prefix"]

#: Seconds that a browser keeps the cookie.
_COOKIE_AGE = 12 * 3600
_API_PARTS = (api, accounts_api, service_api, pipelines_api, actions)
_PARTS = (overview, records, history, pipelines, schedules, settings, *_API_PARTS)
#: A pipeline in one run: a page, though a pipeline might have such a name.
_PAGE_OF_RUN = re.compile(r"/pipelines/.+/\d{8}T\d{6}-[^/]*", re.DOTALL)
#: Beginnings of addresses of the API that programs may also ask for without `/api/v1`.
_PLAIN = ("status", "pipelines", "runs", "records", "schedules")


def __getattr__(name: str) -> FastAPI:
    """Make `app` when a server asks for it by name; nothing is made while this is imported."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sinagot.dashboard.environment import app_of_environment

    try:
        return app_of_environment(create_app)
    except SinagotError as error:  # a server would show a traceback
        sys.stderr.write(f"sinagot: {error}\n")
        raise SystemExit(4) from error


def parse_prefix(text: str) -> str:
    """Read the path that all addresses begin with.

    Parameters
    ----------
    text : str
        As given; ``"/"`` and nothing mean none.

    Raises
    ------
    ConfigurationError
        It is no path.

    Examples
    --------
    >>> parse_prefix("/user/ada/proxy/8765/"), parse_prefix("/")
    ('/user/ada/proxy/8765', '')
    """
    prefix = "/" + text.strip("/") if text.strip("/") else ""
    if (
        any(not sign.isascii() or not (sign.isalnum() or sign in "/-._~@") for sign in prefix)
        or ".." in prefix
    ):
        raise ConfigurationError.at(
            f"{text!r} is no path; it takes letters, digits and any of / - . _ ~ @", key="prefix", found=text
        )
    return prefix


def create_app(
    workspace: Workspace,
    *,
    token: str,
    prefix: str = "",
    allowed_hosts: Iterable[str] = (),
    read_only: bool = False,
    words: Sequence[str] = (),
    decides: bool = True,
) -> FastAPI:
    """Make the dashboard of a workspace.

    Parameters
    ----------
    workspace : Workspace
        What is shown.
    token : str
        Who knows it may see all; at least 16 characters.
    prefix : str
        Path that all addresses begin with, where a proxy serves it below one.
    allowed_hosts : iterable of str
        Names under which it may be asked for, besides those of the loopback.
    read_only : bool
        Nothing can be started or changed.
    words : sequence of str
        Options that lead to the workspace on a command line, for commands to copy.
    decides : bool
        A service here decides about the ticks of schedules; else they are left to others.

    Returns
    -------
    FastAPI
        An ASGI app; while it runs, the workspace is watched, and a service works where there is something to do.

    Raises
    ------
    ConfigurationError
        The token is too short, or the prefix is no path.
    """
    house = House(
        workspace,
        Keys(token),
        prefix=parse_prefix(prefix),
        words=words,
        read_only=read_only,
        decides=decides,
    )

    @asynccontextmanager
    async def work(_: FastAPI) -> AsyncIterator[None]:
        house.snapshot.start()
        await run_in_threadpool(house.reception.begin)
        yield
        house.close_streams()
        await run_in_threadpool(house.reception.close)
        house.snapshot.close()

    app = FastAPI(
        title="sinagot",
        version=__version__,
        summary="What is done, what failed and why, of one workspace; and its pipelines, run by hand and by schedule.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=work,
    )
    app.state.house = house
    for kind in (400, 404, 405, HTTPException, SinagotError, RequestValidationError, Exception):
        app.add_exception_handler(kind, _explain)
    describe(app)
    metrics = Metrics()
    app.add_middleware(Meter, metrics=metrics)
    app.add_middleware(
        Guard,
        keys=house.keys,
        hosts=Hosts(allowed_hosts),
        prefix=house.prefix,
        stranger=_stranger,
        is_plain=_is_plain,
        cut_off=house.reception.hurry,
    )
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    _add_doors(app, house, metrics)
    for part in _PARTS:
        app.include_router(part.router)
    return app


@cache
def _plain_patterns() -> list[re.Pattern[str]]:
    return [
        route.path_regex
        for part in _API_PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute) and route.path.removeprefix(f"{API}/").partition("/")[0] in _PLAIN
    ]


def _is_plain(path: str) -> bool:
    """Say whether a path is one of the API, but for its beginning; those of pages alone are not."""
    return not _PAGE_OF_RUN.fullmatch(path) and any(
        pattern.match(f"{API}{path}") for pattern in _plain_patterns()
    )


def _add_doors(app: FastAPI, house: House, counted: Metrics) -> None:
    """Add what is no page: the way in, the stream of news, the colours."""
    tones = str(house.templates.globals["tones"])

    @app.get("/tones.css", include_in_schema=False)
    def colours() -> Response:
        return Response(tones, media_type="text/css")

    @app.head("/health", include_in_schema=False)
    @app.get(
        "/health",
        tags=["service"],
        response_model=HealthAnswer,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        openapi_extra={"security": []},
    )
    async def health(request: Request) -> Response:
        """Say that the server is there: to anybody, whatever runs; as text, or as JSON where that is asked for."""
        # No thread, no file: nothing that another request could hold.
        is_away = house.reception.is_away
        if "json" in request.headers.get("accept", ""):
            facts = {"status": "ok", "version": __version__, "history": "away" if is_away else "ok"}
            return JSONResponse(facts)
        return PlainTextResponse("ok; the history of schedules is away\n" if is_away else "ok\n")

    @app.get(
        "/metrics",
        tags=["service"],
        response_class=PlainTextResponse,
        responses={code: REFUSALS[code] for code in (400, 401, 403)},
    )
    def metrics() -> Response:
        """Tell figures in the text format of Prometheus."""
        return Response(counted.text(house), media_type=CONTENT_TYPE)

    @app.get("/login", include_in_schema=False)
    def ask(request: Request) -> Response:
        return house.page("login.html", request, 401, is_wrong=False)

    @app.post("/login", include_in_schema=False)
    async def enter(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=4)
        if not house.keys.is_token(form.get("token", [""])[0].strip()):
            return house.page("login.html", request, 401, is_wrong=True)
        answer = RedirectResponse(f"{house.prefix}/", status_code=303)
        answer.set_cookie(
            house.keys.cookie_name,
            house.keys.cookie,
            max_age=_COOKIE_AGE,
            path=house.prefix or "/",
            httponly=True,
            samesite="strict",
        )
        return answer

    @app.get("/events", include_in_schema=False)
    async def events() -> Response:
        if house.stream.is_full:
            raise HTTPException(503, "too many pages are open; close some", headers={"Retry-After": "10"})
        return StreamingResponse(
            house.stream.lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )


async def _stranger(scope: Any, receive: Any, send: Any) -> None:
    """Answer who has no cookie: how to get in."""
    request = Request(scope)
    house: House = scope["app"].state.house
    await house.page("login.html", request, 401, is_wrong=False)(scope, receive, send)


async def _explain(request: Request, error: Exception) -> Response:
    """Say what went wrong: as JSON to programs, as a page to people."""
    house: House = request.app.state.house
    status, detail = getattr(error, "status_code", 409), getattr(error, "detail", str(error))
    faults, headers = None, getattr(error, "headers", None)
    if isinstance(error, RequestValidationError):
        if isinstance(error.body, bytes):  # it was not read as JSON
            status, detail = 415, "the body is JSON: send the header 'Content-Type: application/json'"
        else:
            faults = faults_of(error.errors())
            status, detail = 422, sentence_of(faults)
    elif status == 405:
        headers = {"Allow": _methods_of(request.app, request.scope["path"].removeprefix(house.prefix))}
    elif isinstance(error, RefusedError):
        faults = error.faults
    elif isinstance(error, HistoryUnavailableError):
        status = 503
    elif not isinstance(error, SinagotError) and not hasattr(error, "status_code"):
        status, detail = (
            500,
            "something went wrong here that is not about the request; the server's output has more",
        )
    path = request.scope["path"].removeprefix(house.prefix)
    if path.startswith(("/api/", "/parts/")) or not wants_page(request.headers.get("accept", "")):
        return problem_response(status, str(detail), faults, headers)
    word = HTTPStatus(status).phrase
    return house.page("problem.html", request, status, word=word, detail=detail)


def _methods_of(app: FastAPI, path: str) -> str:
    """List the methods that an address knows: the framework names those of one of its routes."""
    found: set[str] = set()
    for route in [*app.routes, *(route for part in _PARTS for route in part.router.routes)]:
        if isinstance(route, APIRoute) and route.path_regex.match(path):
            found |= route.methods or set()
    return ", ".join(sorted(found))
