"""Where the rows of a source are and how the file is written: the part of a mapping that readers need."""

from __future__ import annotations

import codecs
import re
from datetime import date, datetime
from pathlib import PurePath
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from crm.parse_dates import compile_format
from crm.yaml_file import Section

Kind = Literal["csv", "excel", "parquet", "duckdb", "sql"]

_KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".duckdb": "duckdb",
    ".db": "duckdb",
}


def as_text(value: object) -> object:
    """A YAML scalar as the text that stands in a data file; `yes`, `no` and `null` must be quoted.

    Examples
    --------
    >>> as_text(999)
    '999'
    """
    if value is None or isinstance(value, bool):
        word = "null" if value is None else "yes, no, true and false"
        raise ValueError(f"YAML reads {word} as no text; put it in quotes as it stands in the data")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    return value


def listed(value: object) -> object:
    """One value as a list of one, so that a single name needs no brackets."""
    return value if isinstance(value, list | tuple) else [value]


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected an IANA time zone such as Europe/Paris") from None
    return value


def _known_encoding(value: str) -> str:
    try:
        codecs.lookup(value)
    except (LookupError, ValueError):
        raise ValueError("expected an encoding such as utf-8, gbk, gb18030, latin-1") from None
    return value


def _known_formats(value: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in value:
        compile_format(pattern)
    return value


def _currency(value: str) -> str:
    if re.fullmatch("[A-Z]{3}", value) is None:
        raise ValueError("expected a currency code of three capital letters such as CNY")
    return value


Text = Annotated[str, BeforeValidator(as_text)]
Names = Annotated[tuple[Text, ...], BeforeValidator(listed)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Currency = Annotated[str, AfterValidator(_currency)]
Formats = Annotated[Names, AfterValidator(_known_formats)]


class Limits(Section):
    """Bounds that a file may not pass; a file that does is refused whole."""

    max_bytes: int = Field(default=8_000_000_000, gt=0, description="Size after unpacking.")
    max_rows: int = Field(default=100_000_000, gt=0)
    max_columns: int = Field(default=2_000, gt=0)
    max_field_bytes: int = Field(default=4_000_000, gt=0)
    seconds: int = Field(default=3_600, gt=0)


class Place(Section):
    """Where the rows of a source are and how they are written, without the table of a database.

    Attributes
    ----------
    name : str
        Name of the source: stands in reports, rejects and on every row.
    file : str or None
        Path or glob below the data folder; files that a glob finds are one source.
    kind : str or None
        What the file is; None goes by its suffix (`resolved_kind`).
    missing : tuple of str
        Cells that mean "no value" beside the empty cell, without regard to outer spaces.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$")
    file: str | None = None
    kind: Kind | None = None
    encoding: Encoding = "utf-8"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    sheet: str | int | None = None
    header_rows: int = Field(default=1, ge=0, le=5)
    skip_rows: int = Field(default=0, ge=0)
    query: str | None = None
    url_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    missing: tuple[Text, ...] = ()
    limits: Limits = Limits()

    @field_validator("file")
    @classmethod
    def _inside_folder(cls, value: str | None) -> str | None:
        if value is not None and (PurePath(value).is_absolute() or ".." in PurePath(value).parts or "\0" in value):
            raise ValueError("expected a path below the data folder, without `..`")
        return value

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.file is None and self.url_env is None:
            raise ValueError("expected `file:` (a file of the data folder) or `url_env:` (a database)")
        if self.file is not None and self.url_env is not None:
            raise ValueError("expected one of `file:` and `url_env:`, not both")
        if self.file is not None and self.kind is None:
            _kind_of(self.file)
        return self

    @property
    def resolved_kind(self) -> Kind:
        """What the source is: as stated, or by the suffix of its file (`.csv.gz` is csv)."""
        if self.kind is not None:
            return self.kind
        return "sql" if self.file is None else _kind_of(self.file)


class SourceSpec(Place):
    """A place with the table to read when it is a DuckDB file or an SQL database: all that a reader needs.

    Examples
    --------
    >>> SourceSpec(name="leads", file="Leads.csv.gz").resolved_kind
    'csv'
    """

    table: str | None = None

    @model_validator(mode="after")
    def _table_or_query(self) -> Self:
        if self.table is not None and self.query is not None:
            raise ValueError("expected one of `table` and `query`, not both")
        return self


def _kind_of(file: str) -> Kind:
    name = file.lower().removesuffix(".gz")
    suffix = PurePath(name).suffix
    if suffix not in _KINDS:
        raise ValueError(f"cannot tell from {suffix or 'no suffix'!r} what the file is; state `kind:`")
    return _KINDS[suffix]
