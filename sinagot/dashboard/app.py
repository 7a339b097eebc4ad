"""The app: all pages, the API and the door before them, for one workspace.

Knows what there is and puts it together; must not know how anything is shown. `sinagot serve` puts it on a socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from sinagot.dashboard import accounts_api, actions, api, pipelines_api
from sinagot.dashboard.auth import Hosts, Keys
from sinagot.dashboard.guard import Guard
from sinagot.dashboard.house import House
from sinagot.dashboard.pages import history, overview, pipelines, records, settings
from sinagot.errors import ConfigurationError, SinagotError
from sinagot.version import __version__

if TYPE_CHECKING:
    from sinagot.workspace.workspace import Workspace

__all__ = ["create_app", "parse_prefix"]

#: Seconds that a browser keeps the cookie.
_COOKIE_AGE = 12 * 3600


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

    Returns
    -------
    FastAPI
        An ASGI app; the workspace is watched while it runs.

    Raises
    ------
    ConfigurationError
        The token is too short, or the prefix is no path.
    """
    house = House(workspace, Keys(token), prefix=parse_prefix(prefix), words=words, read_only=read_only)

    @asynccontextmanager
    async def watch(_: FastAPI) -> AsyncIterator[None]:
        house.snapshot.start()
        yield
        house.stream.close()
        house.snapshot.close()

    app = FastAPI(
        title="sinagot",
        version=__version__,
        summary="What is done, what failed and why, of one workspace.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=watch,
    )
    app.state.house = house
    for kind in (404, 405, HTTPException, SinagotError):
        app.add_exception_handler(kind, _explain)
    app.add_middleware(
        Guard,
        keys=house.keys,
        hosts=Hosts(allowed_hosts),
        prefix=house.prefix,
        stranger=_stranger,
    )
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    _add_doors(app, house)
    for part in (
        overview,
        records,
        history,
        pipelines,
        settings,
        api,
        accounts_api,
        pipelines_api,
        actions,
    ):
        app.include_router(part.router)
    return app


def _add_doors(app: FastAPI, house: House) -> None:
    """Add what is no page: the way in, the stream of news, the colours."""
    tones = str(house.templates.globals["tones"])

    @app.get("/tones.css", include_in_schema=False)
    def colours() -> Response:
        return Response(tones, media_type="text/css")

    @app.get("/health", include_in_schema=False)
    def health() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

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
    error = HTTPException(status, detail, getattr(error, "headers", None))
    path = request.scope["path"].removeprefix(house.prefix)
    if path.startswith(("/api/", "/parts/")):
        return await http_exception_handler(request, error)
    word = HTTPStatus(status).phrase
    return house.page("problem.html", request, status, word=word, detail=detail)
