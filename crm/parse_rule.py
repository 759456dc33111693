"""How the cells of one column are read, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.parse_numbers import FALSE_WORDS, TRUE_WORDS
from crm.schema import DType

UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the cells of one column are read.

    Parameters
    ----------
    dtype : DType
        What the column holds.
    zone : ZoneInfo
        Zone of times without an offset, and of the company's days.
    formats : tuple of str
        Patterns of dates, tried in order; none means ISO 8601.
    period : str or None
        Days are the first of this period (`week`, `month`, `quarter`).
    scale : Decimal
        What one in the source counts (`万`: 10000), times the tax factor.
    rounded : bool
        Amounts finer than a hundredth are rounded half to even instead of rejected.
    allowed : tuple of str
        The closed list of the column; empty when any text is allowed.
    """

    dtype: DType
    zone: ZoneInfo = UTC_ZONE
    formats: tuple[str, ...] = ()
    period: str | None = None
    decimal_comma: bool = False
    scale: Decimal = Decimal(1)
    rounded: bool = False
    style: Literal["excel_serial", "whole_number", "percent", "lower", "upper"] | None = None
    true: tuple[str, ...] = TRUE_WORDS
    false: tuple[str, ...] = FALSE_WORDS
    split: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BadCell:
    """A cell that does not fit; `row` counts from 0."""

    row: int
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parsed:
    """A typed column, null where a cell was empty or bad."""

    values: pa.Array
    bad: tuple[BadCell, ...] = ()
