"""Who may ask: the token, the cookie that follows from it, and which hosts are ours.

Knows secrets and names of hosts; must not know pages. Everything is compared in constant time, and nothing of it is
written anywhere.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from sinagot.errors import ConfigurationError

__all__ = ["LEAST_TOKEN", "Hosts", "Keys", "is_loopback", "new_token"]

#: Characters of the shortest token that is taken.
LEAST_TOKEN = 16
_LONGEST = 512
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def new_token() -> str:
    """Make a token of 32 random bytes."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, and can't be reached from another one.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


class Keys:
    """The token, and what is derived from it: the cookie of a browser, and the proof that a form is ours.

    Parameters
    ----------
    token : str
        At least `LEAST_TOKEN` characters.

    Raises
    ------
    ConfigurationError
        The token is too short.

    Examples
    --------
    >>> keys = Keys("a-token-for-examples")
    >>> keys.is_token("a-token-for-examples"), keys.is_token("another"), keys.is_cookie(keys.cookie)
    (True, False, True)
    """

    def __init__(self, token: str) -> None:
        if len(token) < LEAST_TOKEN:
            raise ConfigurationError.at(
                f"it has {len(token)} characters; whoever guesses it sees the data, so it takes {LEAST_TOKEN} at least",
                key="token",
            )
        self._token = token.encode()
        #: Value of the cookie; whoever gets hold of it does not know the token.
        self.cookie = self._derive("cookie")
        #: Proof that a form was made by one of our pages.
        self.csrf = self._derive("form")
        #: Two servers on one machine share cookies: each has its own name.
        self.cookie_name = f"sinagot-{self._derive('name')[:12]}"

    def _derive(self, what: str) -> str:
        return hmac.new(self._token, what.encode(), hashlib.sha256).hexdigest()

    def is_token(self, given: str) -> bool:
        """Say whether a text is the token."""
        return _is_same(given, self._token)

    def is_cookie(self, given: str) -> bool:
        """Say whether a text is the value of the cookie."""
        return _is_same(given, self.cookie.encode())

    def is_csrf(self, given: str) -> bool:
        """Say whether a text is the proof of a form."""
        return _is_same(given, self.csrf.encode())


def _is_same(given: str, wanted: bytes) -> bool:
    if len(given) > _LONGEST:
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted)


class Hosts:
    """Names under which the server may be asked for.

    Parameters
    ----------
    names : iterable of str
        Besides those of the loopback.

    Examples
    --------
    >>> hosts = Hosts(["lab.example.org"])
    >>> [hosts.has(name) for name in ("localhost:8765", "[::1]:80", "lab.example.org", "evil.example", "")]
    [True, True, True, False, False]
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {*_LOOPBACK, *(name.strip("[]").rstrip(".").lower() for name in names)}

    def has(self, host: str) -> bool:
        """Say whether the value of a header `Host` is ours, whatever its port."""
        if not host or any(sign in host for sign in "/@\\?# \t") or not host.isascii():
            return False
        try:
            parts = urlsplit(f"//{host}")
            name = parts.hostname or ""
            parts.port  # noqa: B018  (a broken one is an error)
        except ValueError:
            return False
        return name.removesuffix(".") in self._names

    def has_origin(self, origin: str, host: str) -> bool:
        """Say whether the value of a header `Origin` is that of one of our pages."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https"):
            return False  # "null" too
        # A proxy may change the port and the name in `Host`; the names that were allowed are the same site then.
        return parts.netloc == host or (self.has(parts.netloc) and not is_loopback(parts.hostname or ""))
