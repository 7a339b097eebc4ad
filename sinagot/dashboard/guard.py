"""The door: every request passes here before anything else looks at it.

Knows headers, sizes and keys; must not know pages. Refuses foreign hosts, strangers, forms of other sites and bodies
that are too large, and gives every answer the headers that keep a browser from harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from fastapi import HTTPException

from sinagot.dashboard.auth import Hosts, Keys
from sinagot.dashboard.problems import MEDIA_TYPE, problem_text, wants_page

__all__ = ["API", "LARGEST_BODY", "Guard"]

#: Beginning of the addresses of the API.
API = "/api/v1"

#: Bytes of a request's body.
LARGEST_BODY = 1 << 20

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]
#: Status and words of a refusal.
_Refusal = tuple[int, str]

_SAFE = ("GET", "HEAD")
_METHODS = (*_SAFE, "POST", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "QUERY")
#: What strangers may see: the door itself.
_OPEN = ("/static/", "/tones.css", "/login", "/health")

_WHO = "send the header 'Authorization: Bearer TOKEN'; in a browser, open the link that serve printed"

_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # with none at all, forms of ours would have no origin
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class _TooLargeError(HTTPException):
    """The body goes on beyond what is taken; of its kind because who reads bodies hides any other exception."""

    def __init__(self) -> None:
        super().__init__(413, f"the body is larger than {LARGEST_BODY} bytes")


class Guard:
    """Middleware that stands before the app.

    Parameters
    ----------
    app : callable
        The app, as ASGI has it.
    keys : Keys
        Token, cookie and proof of forms.
    hosts : Hosts
        Names that are ours.
    prefix : str
        Path that all addresses begin with, also where a proxy has cut it off.
    stranger : callable
        The page for who has no cookie, as ASGI app.
    is_plain : callable
        Says whether a path is one of the API without its beginning: programs get the API there, browsers a page.
    cut_off : callable
        Called where the server does not wait for the end of the app.
    """

    def __init__(
        self,
        app: _App,
        *,
        keys: Keys,
        hosts: Hosts,
        prefix: str,
        stranger: _App,
        is_plain: Callable[[str], bool],
        cut_off: Callable[[], object],
    ) -> None:
        self._app = app
        self._keys = keys
        self._hosts = hosts
        self._prefix = prefix
        self._stranger = stranger
        self._is_plain = is_plain
        self._cut_off = cut_off

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer a request, or let the app do so."""
        if scope["type"] == "lifespan":
            await self._app(scope, self._until_cut_off(receive), send)
            return
        if scope["type"] != "http":  # there are no websockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = _Headers(scope)
        guarded = _Answer(send, _path(scope, self._prefix))
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(guarded.send, *refusal)
            return
        scope["root_path"] = self._prefix
        path = _path(scope, self._prefix)
        if self._is_for_program(scope, headers, path):
            path = f"{API}{path}"
            scope["path"] = f"{self._prefix}{path}"
        try:
            if self._is_known(headers) or path.startswith(_OPEN):
                await self._app(scope, _limited(receive), guarded.send)
            elif path.startswith("/api/") or not wants_page(headers.one(b"accept")):
                await _refuse(guarded.send, 401, _WHO)
            else:
                await self._stranger(scope, receive, guarded.send)
        except _TooLargeError as error:
            if not guarded.has_begun:
                await _refuse(guarded.send, 413, error.detail)

    def _until_cut_off(self, receive: _Receive) -> _Receive:
        """Let a server that ends at once be one that ends: else it would tell people of a task that was cancelled."""

        async def received() -> MutableMapping[str, Any]:
            try:
                return await receive()
            except asyncio.CancelledError:
                self._cut_off()
                return {"type": "lifespan.shutdown"}

        return received

    def _is_for_program(self, scope: _Scope, headers: _Headers, path: str) -> bool:
        """Say whether a program asks for a plain address of the API: pages are asked for as HTML, or with a cookie."""
        if not self._is_plain(path):
            return False
        return scope["method"] not in _SAFE or not (
            headers.one(b"cookie") or wants_page(headers.one(b"accept"))
        )

    def _refusal(self, scope: _Scope, headers: _Headers) -> _Refusal | None:
        """Say why a request is refused whoever asks; None when it is not."""
        hosts = headers.all(b"host")
        if len(hosts) != 1 or not self._hosts.has(hosts[0]):
            return 403, (
                "this host name is not known here; name it when the server is started: --allow-host NAME"
                if len(hosts) == 1
                else "one header Host is needed"
            )
        if not scope["path"].startswith("/"):
            return 400, "an address begins with a slash"
        if "\0" in scope["path"] or "\\" in scope["path"]:
            return 404, "this is no address of a page"
        if scope["method"] not in _METHODS:
            return 405, "this method is not known"
        length = headers.one(b"content-length")
        if length and (not length.isdigit() or int(length[:20]) > LARGEST_BODY):
            return 413, f"the body is larger than {LARGEST_BODY} bytes"
        site = headers.one(b"sec-fetch-site")
        if scope["method"] not in _SAFE:
            return self._foreign(headers, hosts[0], site)
        is_page = (
            headers.one(b"sec-fetch-mode") == "navigate" and headers.one(b"sec-fetch-dest") == "document"
        )
        if site in ("cross-site", "same-site") and not is_page:
            return 403, "another site asked for this"
        return None

    def _foreign(self, headers: _Headers, host: str, site: str) -> _Refusal | None:
        """Say why a request that changes something is not taken; None when one of our pages, or a program, sent it."""
        origin = headers.one(b"origin")
        if site not in ("", "same-origin") or (origin and not self._hosts.has_origin(origin, host)):
            return 403, "another site sent this"
        is_open = headers.path(self._prefix).startswith(_OPEN)
        if is_open or self._keys.is_token(headers.bearer):
            return None
        if not self._is_known(headers):
            return 401, _WHO
        if not self._keys.is_csrf(headers.one(b"x-csrf-token")):
            return 403, "the proof that one of our pages sent this is missing; load the page again"
        return None

    def _is_known(self, headers: _Headers) -> bool:
        if self._keys.is_token(headers.bearer):
            return True
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.one(b"cookie")[:16384])
        except CookieError:
            return False
        morsel = cookies.get(self._keys.cookie_name)
        return morsel is not None and self._keys.is_cookie(morsel.value)


class _Headers:
    """Headers of a request, as text."""

    def __init__(self, scope: _Scope) -> None:
        self._pairs = scope["headers"]
        self._scope = scope

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self._pairs if key == name]

    def one(self, name: bytes) -> str:
        """Give a header; empty when it is absent, of several the first."""
        return next(iter(self.all(name)), "")

    @property
    def bearer(self) -> str:
        kind, _, value = self.one(b"authorization").partition(" ")
        return value.strip() if kind.lower() == "bearer" else ""

    def path(self, prefix: str) -> str:
        return _path(self._scope, prefix)


def _path(scope: _Scope, prefix: str) -> str:
    """Give the path below the prefix."""
    path = str(scope["path"])
    return path[len(prefix) :] or "/" if prefix and f"{path}/".startswith(f"{prefix}/") else path


def _limited(receive: _Receive) -> _Receive:
    """Count the bytes of a body that does not say how long it is."""
    seen = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            raise _TooLargeError
        return message

    return counted


class _Answer:
    """Adds our headers to an answer; pages are never kept by a browser, files of ours are."""

    def __init__(self, send: _Send, path: str) -> None:
        self._send = send
        self._path = path
        self.has_begun = False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"server"]
            known = {name.lower() for name, _ in headers}
            headers += [pair for pair in _HEADERS if pair[0] not in known]
            if b"cache-control" not in known:
                headers.append(
                    (b"cache-control", b"no-cache" if self._path.startswith("/static/") else b"no-store")
                )
            message["headers"] = headers
        await self._send(message)


async def _refuse(send: _Send, status: int, words: str) -> None:
    body = problem_text(status, words)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
