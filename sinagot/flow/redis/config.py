"""Where a Redis server is and how it is used: the options of `redis_config`, and what of them may be shown.

Pure: a mapping in, checked facts out. Must not know connections or streams. User names and passwords are in no message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sinagot.config.hints import did_you_mean
from sinagot.errors import FlowDefinitionError

__all__ = ["RedisConfig"]

#: Scheme of an address -> the port that it has by default.
_SCHEMES = {"redis": 6379, "rediss": 6379, "unix": None}
_NUMBERS = {"expire": 1.0, "timeout": 0.1, "lost_after": 1.0}


@dataclass(frozen=True, repr=False)
class RedisConfig:
    """How streams are kept in a Redis server.

    Attributes
    ----------
    url : str, default "redis://localhost:6379/0"
        Address: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with the number of the database behind it. User name
        and password may be in it; ``?ssl_ca_certs=...`` and the like are passed on.
    username, password : str, optional
        What is logged in with, where it is not in `url`.
    prefix : str, default "sinagot"
        What the keys begin with: ``prefix:run_id:stream``.
    expire : float, seconds, default 86400
        How long keys stay when nobody renews them any more. A run renews its keys as long as it goes on.
    timeout : float, seconds, default 5
        For how long the server may not answer before that is an error. A shorter break is waited for.
    lost_after : float, seconds, default 10
        A process that writes a stream shows every second that it lives; after such a silence it is taken for dead.
    trim : int, optional
        Most values that are kept of a stream: older ones are deleted, and can't be read any more. By default all are
        kept until the run is left. With ``trim``, processors need a smaller ``max_lead``.

    Raises
    ------
    FlowDefinitionError
        When one of them can't be used.

    Examples
    --------
    >>> RedisConfig("redis://me:secret@lab.example:6380/2")
    RedisConfig('redis://lab.example:6380/2')
    """

    url: str = "redis://localhost:6379/0"
    username: str | None = None
    password: str | None = None
    prefix: str = "sinagot"
    expire: float = 86_400.0
    timeout: float = 5.0
    lost_after: float = 10.0
    trim: int | None = None

    def __post_init__(self) -> None:
        given: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("url", "username", "password", "prefix"):
            value = given[name]
            if not isinstance(value, str) and (value is not None or name in ("url", "prefix")):
                raise FlowDefinitionError(f"redis_config: {name} must be a text, not {type(value).__name__}")
        for name, least in _NUMBERS.items():
            value = given[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e10:
                raise FlowDefinitionError(
                    f"redis_config: {name} = {value!r} must be seconds, {least:g} or more"
                )
        trim = given["trim"]
        if trim is not None and (isinstance(trim, bool) or not isinstance(trim, int) or trim < 1):
            raise FlowDefinitionError(f"redis_config: trim = {trim!r} must be a number of values, 1 or more")
        object.__setattr__(self, "_address", self._checked_address())

    @classmethod
    def of(cls, given: Any) -> RedisConfig:
        """Read a mapping of options.

        Parameters
        ----------
        given : mapping or RedisConfig
            What `Supervisor` was given.

        Returns
        -------
        RedisConfig
            The options, checked.

        Raises
        ------
        FlowDefinitionError
            When one is unknown or can't be used.

        Examples
        --------
        >>> RedisConfig.of({"url": "unix:///run/redis.sock?db=1", "expire": 60}).address
        'unix:///run/redis.sock'
        """
        if isinstance(given, RedisConfig):
            return given
        if not isinstance(given, Mapping):
            raise FlowDefinitionError(
                f"redis_config must be a mapping such as {{'url': 'redis://localhost:6379/0'}}, "
                f"not {type(given).__name__}"
            )
        known = [field.name for field in fields(cls)]
        for key in given:
            if key not in known:
                hint = did_you_mean(str(key), known)
                raise FlowDefinitionError(
                    f"redis_config has no option {key!r}; {hint + '; ' if hint else ''}"
                    f"options are {', '.join(known)}"
                )
        return cls(**given)

    @property
    def address(self) -> str:
        """Where the server is, without what must not be shown."""
        address: str = self.__dict__["_address"]
        return address

    def redacted(self, text: str) -> str:
        """Take out of a text what must not be shown.

        Parameters
        ----------
        text : str
            What a library says.
        """
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query))
        words = {self.password, self.username, parts.password, parts.username}
        words |= {query.get("password"), query.get("username"), query.get("ssl_password")}
        for word in sorted((one for one in words if one), key=len, reverse=True):
            for form in {word, unquote(word)}:
                if form != "default":
                    text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "***", text)
        return text

    def _checked_address(self) -> str:
        """Give the address; what is wrong with it is told without it, for a password may be anywhere in it."""
        wrong = (
            "redis_config: url can't be read; it is redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix:///PATH; "
            "special characters of a password are written as %XX (urllib.parse.quote)"
        )
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise FlowDefinitionError(wrong) from None
        if parts.scheme not in _SCHEMES or parts.fragment or "@" in parts.path + parts.query:
            raise FlowDefinitionError(wrong)
        odd = [
            key
            for key, _ in parse_qsl(parts.query, keep_blank_values=True)
            if key != "db" and not key.startswith("ssl_")
        ]
        if odd:
            raise FlowDefinitionError(
                f"redis_config: url has the unknown option {odd[0]!r}; there are db and those of TLS (ssl_...)"
            )
        if (parts.password and self.password) or (parts.username and self.username):
            raise FlowDefinitionError(
                "redis_config: user name and password are in url and beside it; give them once"
            )
        if parts.scheme == "unix":
            if not parts.path.strip("/"):
                raise FlowDefinitionError(wrong)
            return f"unix://{parts.path}"
        database = parts.path.strip("/")
        if database and not database.isdecimal():
            raise FlowDefinitionError(wrong)
        host = parts.hostname or "localhost"
        host = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{host}:{port or _SCHEMES[parts.scheme]}/{database or 0}"

    def __repr__(self) -> str:
        return f"RedisConfig({self.address!r})"
