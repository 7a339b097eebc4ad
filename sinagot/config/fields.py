"""What keys of a configuration take: text, lists, durations, amounts of memory; and the rules of all tables.

Knows pydantic and units; must not know which tables there are: `sinagot.config.schema`, `sinagot.config.services` do.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag

from sinagot.config import quantities

__all__ = [
    "STRICT",
    "Bytes",
    "Check",
    "Count",
    "Params",
    "Pattern",
    "Pause",
    "Seconds",
    "Text",
    "Texts",
    "Words",
]

Text = Annotated[str, Field(min_length=1, json_schema_extra={"allowed": "text that is not empty"})]
#: Of a long list only the first wrong item is reported.
Texts = Annotated[list[str], Field(fail_fast=True)]
Words = Annotated[
    list[str], Field(min_length=1, fail_fast=True, json_schema_extra={"allowed": "a list of text"})
]
Pattern = str | Texts
Seconds = Annotated[
    str | float,
    AfterValidator(quantities.seconds_of_text),
    Field(json_schema_extra={"allowed": quantities.SECONDS_WORDS}),
]
#: A duration that may be nothing at all.
Pause = Annotated[
    str | float,
    AfterValidator(quantities.pause_of_text),
    Field(json_schema_extra={"allowed": f"0, or {quantities.SECONDS_WORDS}"}),
]
Bytes = Annotated[
    str | int,
    AfterValidator(quantities.bytes_of_text),
    Field(json_schema_extra={"allowed": quantities.BYTES_WORDS}),
]
Count = Annotated[int, Field(ge=0, json_schema_extra={"allowed": "an integer from 0"})]
CheckWord = Literal["stat", "digest"]
#: What is wrong is told of the one form or of the other.
Check = Annotated[
    Annotated[CheckWord, Tag("word")] | Annotated[dict[str, CheckWord], Tag("table")],
    Discriminator(lambda value: "table" if isinstance(value, dict) else "word"),
    Field(json_schema_extra={"allowed": "'stat' or 'digest', or a table of these by input"}),
]
#: Parameters of steps: any TOML data.
Params = dict[str, Any]


#: Nothing is converted: what is checked here is used as it was written.
STRICT = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())
