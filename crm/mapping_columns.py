"""How one column of the record is filled from columns of a source."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from crm.mapping_sources import Formats, Names, Text, Zone
from crm.schema import DType
from crm.yaml_file import Section

UNITS = {"千": 1_000, "万": 10_000, "百万": 1_000_000, "亿": 100_000_000, "k": 1_000, "m": 1_000_000, "cents": 0}


def _keys_as_text(value: object) -> object:
    if not isinstance(value, dict):
        return value
    for key in value:
        if key is None or isinstance(key, bool):
            raise ValueError("YAML reads yes, no, true, false and null as no text; put the words in quotes")
    return {str(key): inner for key, inner in value.items()}


Words = Annotated[dict[str, Text], BeforeValidator(_keys_as_text)]


class Lookup(Section):
    """A value fetched from another table of the record by the value of this column."""

    table: str
    key: str
    take: str


class ColumnSpec(Section):
    """How one column of the record is filled. In YAML a bare name stands for `{from: name}`.

    Attributes
    ----------
    from_ : tuple of str
        Source columns (`from:`); several are joined by `joined_by`.
    prefix : str or None
        Put before every value that is there: keeps keys of two systems apart.
    constant : str or None
        The same value in every row.
    row_number : bool
        The number of the row in the source, from 1.
    fingerprint : bool
        A short digest of the row's content (or of the `from` columns), with a count for equal rows: a key
        for lines that have none, the same however the rows are ordered.
    add, subtract, multiply : tuple of str
        Exact arithmetic over number columns of the source.
    format : tuple of str
        Patterns of dates and times (`D/M/YYYY`, `YYYY-MM-DD HH:mm`), tried in order.
    period : str or None
        The cell names a week, month or quarter (`1998Q1`, `2016-01`); the column takes its first day.
    unit : str or None
        What one counts: `万`, `亿`, `k`, `m`; `cents` when amounts are whole hundredths of the currency unit already.
    tax : str or None
        Whether the source's amount is `gross` or `net`; with `tax_rate` it is converted to what the column is.
    on_change : str
        What a later, different value does: `overwrite`, `keep` the first, take the `earliest` or the `latest`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    from_: Names = Field(default=(), alias="from")
    joined_by: str = "-"
    prefix: Text | None = None
    constant: Text | None = None
    row_number: bool = False
    fingerprint: bool = False
    add: Names = ()
    subtract: Names = ()
    multiply: Names = ()
    parse: Literal["excel_serial", "whole_number", "percent", "lower", "upper"] | None = None
    format: Formats = ()
    period: Literal["week", "month", "quarter"] | None = None
    time_zone: Zone | None = None
    unit: Literal["千", "万", "百万", "亿", "k", "m", "cents"] | None = None
    decimal_comma: bool = False
    rounded: bool = False
    tax: Literal["gross", "net"] | None = None
    tax_rate: float | None = Field(default=None, ge=0, lt=1)
    values: Words = Field(default_factory=dict)
    missing: tuple[Text, ...] = ()
    split: str | None = Field(default=None, min_length=1)
    default: Text | None = None
    true: Names = ()
    false: Names = ()
    lookup: Lookup | None = None
    on_change: Literal["overwrite", "keep", "earliest", "latest"] = "overwrite"
    event: Literal["first", "last", "previous"] | None = None
    among: Names = ()

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = [
            name
            for name, given in (
                ("from", self.from_ and not self.fingerprint),
                ("constant", self.constant is not None),
                ("row_number", self.row_number),
                ("fingerprint", self.fingerprint),
                ("add", self.add),
                ("subtract", self.subtract),
                ("multiply", self.multiply),
            )
            if given
        ]
        if len(origins) != 1:
            came = " and ".join(origins) or "none"
            raise ValueError(
                f"expected one of from, constant, row_number, fingerprint, add, subtract, multiply; came {came}"
            )
        for name in ("add", "subtract", "multiply"):
            if len(getattr(self, name)) == 1:
                raise ValueError(f"{name} needs at least two columns")
        if (self.tax is None) != (self.tax_rate is None):
            raise ValueError("tax and tax_rate go together")
        if self.event is not None and not self.from_:
            raise ValueError("event: first, last or previous takes the value of the column in `from`")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The source columns that it reads."""
        return (*self.from_, *self.add, *self.subtract, *self.multiply)


def as_column(value: object) -> object:
    """A bare source name as `{from: name}`; other shapes as they are.

    Examples
    --------
    >>> as_column("Lead Source")
    {'from': 'Lead Source'}
    """
    if isinstance(value, str):
        return {"from": value}
    if value is None or isinstance(value, bool | int | float):
        raise ValueError("expected the name of a source column in quotes, or a block such as {from: name}")
    return value


_NUMBERS = frozenset({DType.MONEY, DType.NUMBER, DType.INTEGER})
_MOMENTS = frozenset({DType.DATE, DType.TIMESTAMP})
_MEANT_FOR: dict[str, frozenset[DType]] = {
    "unit": _NUMBERS,
    "tax": frozenset({DType.MONEY}),
    "rounded": frozenset({DType.MONEY}),
    "format": _MOMENTS,
    "period": _MOMENTS,
    "time_zone": _MOMENTS,
    "split": frozenset({DType.TEXTS}),
    "true": frozenset({DType.FLAG}),
    "false": frozenset({DType.FLAG}),
}


def misplaced(spec: ColumnSpec, dtype: DType) -> tuple[str, ...]:
    """The settings that would be without effect on a column of that dtype.

    Examples
    --------
    >>> misplaced(ColumnSpec.model_validate({"from": "Region", "unit": "k"}), DType.TEXT)
    ('unit',)
    """
    return tuple(name for name, dtypes in _MEANT_FOR.items() if getattr(spec, name) and dtype not in dtypes)


ColumnEntry = Annotated[ColumnSpec, BeforeValidator(as_column)]


class RecordedAt(Section):
    """When the company's systems knew a row: a column of the source, or the clock plus a delay.

    Without it a first load takes the table's clock itself, and later loads the moment of ingest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Names = Field(default=(), alias="from")
    format: Formats = ()
    time_zone: Zone | None = None
    latency_days: int = Field(default=0, ge=0, le=3_660)
    every_load: bool = Field(default=False, description="Derive it in later loads too, not only in the first.")
    beginning: bool = Field(default=False, description="Known ever since: reference data without a date.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if len(self.from_) > 1 or (self.from_ and self.beginning):
            raise ValueError("expected one column in `from`, or `beginning: true`, or `latency_days` alone")
        return self


Custom = Literal["all", "none"] | tuple[Text, ...] | dict[str, DType]


class RowOptions(Section):
    """Which rows of a source are meant, which unknown columns are kept, and when the rows were known.

    Every condition of `where`, `where_not` and `present` holds; patterns know `*` and `?`.
    `one_row_per_key` reduces rows of equal key: the first or last by `ordered_by` (a column of the record),
    or the sum or mean of their numbers. `custom` keeps columns that the record does not know: all of them, none,
    those listed, or all with the dtypes stated.
    """

    where: dict[str, Names] = Field(default_factory=dict)
    where_not: dict[str, Names] = Field(default_factory=dict)
    present: Names = ()
    one_row_per_key: Literal["first", "last", "sum", "mean"] | None = None
    ordered_by: str | None = None
    custom: Custom | None = None
    recorded_at: RecordedAt | None = None
    updated_at: ColumnEntry | None = None


class TableTarget(RowOptions):
    """Rows of a source as rows of one table of the record."""

    table: str
    columns: dict[str, ColumnEntry] = Field(min_length=1)
    per: Literal["row", "case"] = "row"


class LabelSpec(Section):
    """The outcome: the words that mean yes; every other word means no, an empty cell means not known yet."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Text = Field(alias="from")
    positive: Names
    negative: Names = ()


class ObservationsTarget(Section):
    """A flat table: one row an entity, with an outcome."""

    task: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    entity_id: ColumnEntry | None = None
    row_number: bool = False
    label: LabelSpec
    order: Text | None = Field(default=None, description="A column that orders rows in time, or `row_number`.")
    order_format: Formats = ()

    @model_validator(mode="after")
    def _one_entity(self) -> Self:
        if (self.entity_id is None) != self.row_number:
            raise ValueError("expected one of `entity_id:` (a column) and `row_number: true`")
        return self


class PanelTarget(Section):
    """A panel: the value of every node in every period."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    nodes: Names = Field(min_length=1)
    period: Text
    period_format: Formats = ()
    value: Text
    decimal_comma: bool = False
    frequency: Literal["week", "month", "quarter"]
    aggregate: Literal["sum", "mean"] | None = None


class EventsTarget(Section):
    """An event log: every row is an event of a case; it becomes rows of several tables."""

    case: Text
    activity: Text
    time: ColumnEntry
    outputs: tuple[TableTarget, ...]
