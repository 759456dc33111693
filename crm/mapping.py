"""The mapping: a YAML file that says how a company's own files become the record.

`docs/mapping.md` shows one whole example of each kind of source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from crm.mapping_columns import (
    ColumnEntry,
    ColumnSpec,
    EventsTarget,
    ObservationsTarget,
    PanelTarget,
    RowOptions,
    TableTarget,
    misplaced,
)
from crm.mapping_sources import Currency, Encoding, Formats, Limits, Names, Place, SourceSpec, Text, Zone
from crm.schema import SYSTEM_NAMES, DType
from crm.tables import TABLES
from crm.yaml_file import BadYaml, Section, explain, parse_yaml

__all__ = ["Limits", "Mapping", "Source", "SourceSpec", "read_mapping"]


class CompanyDefaults(Section):
    """What holds for every source that does not say otherwise.

    `currency` and `time_zone` fall back on the configuration's.
    """

    encoding: Encoding = "utf-8"
    currency: Currency | None = None
    time_zone: Zone | None = None
    date_formats: Formats = ()
    decimal_comma: bool = False
    missing: tuple[Text, ...] = ()


class Source(Place, RowOptions):
    """One source: where its rows are, and what they become.

    Exactly one of `table` (with `columns`), `tables`, `observations`, `panel` and `events` is given.

    Attributes
    ----------
    from_table : str or None
        Table of a DuckDB file or an SQL database to read.
    exclude : tuple of str
        Source columns that are left out.
    rename : mapping of str to str
        Custom columns that are kept under another name.
    missing_in : mapping of str to tuple of str
        Cells of one source column that mean "no value", for instance `pdays: 999`.
    written_after_outcome : tuple of str
        Source columns that are filled after the outcome is known: grade C, never a feature.
    known_at_entry : tuple of str
        Source columns that a person vouches for: written when the row was, so that the search for leaks does not
        leave them out as suspected.
    codes_of : mapping of str to str
        Columns of the record whose account codes belong to another system, each with the source that brings that
        system's accounts: they become ours where `identities` joins the two.
    on_reject : str
        `keep`: rows at fault are left out and reported; `refuse`: one bad row refuses the source.
    """

    from_table: str | None = None
    date_formats: Formats = ()
    time_zone: Zone | None = None
    currency: Currency | None = None
    exclude: Names = ()
    rename: dict[str, str] = Field(default_factory=dict)
    missing_in: dict[str, Names] = Field(default_factory=dict)
    written_after_outcome: Names = ()
    known_at_entry: Names = ()
    codes_of: dict[str, str] = Field(default_factory=dict)
    on_reject: str = Field(default="keep", pattern=r"^(keep|refuse)$")
    table: str | None = None
    columns: dict[str, ColumnEntry] = Field(default_factory=dict)
    tables: tuple[TableTarget, ...] = ()
    observations: ObservationsTarget | None = None
    panel: PanelTarget | None = None
    events: EventsTarget | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        given = [kind for kind in ("table", "tables", "observations", "panel", "events") if getattr(self, kind)]
        if len(given) != 1:
            came = " and ".join(given) or "none of them"
            raise ValueError(f"expected one of table, tables, observations, panel, events; came {came}")
        if self.from_table is not None and self.query is not None:
            raise ValueError("expected one of `from_table:` and `query:`, not both")
        if (self.table is None) != (not self.columns):
            raise ValueError("`table:` and `columns:` go together")
        return self

    @property
    def spec(self) -> SourceSpec:
        """What a reader needs to know of this source."""
        place = {name: getattr(self, name) for name in Place.model_fields}
        return SourceSpec(**place, table=self.from_table)

    @property
    def targets(self) -> tuple[TableTarget, ...]:
        """The tables of the record that it fills by stated columns; empty for observations and panels."""
        if self.events is not None:
            return self.events.outputs
        if self.table is None:
            return self.tables
        options = {name: getattr(self, name) for name in RowOptions.model_fields}
        options["custom"] = self.custom if self.custom is not None else "all"
        return (TableTarget.model_construct(**options, table=self.table, columns=self.columns),)


class Mapping(Section):
    """How a company's files become the record."""

    company: CompanyDefaults = CompanyDefaults()
    sources: tuple[Source, ...]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if not self.sources:
            raise ValueError("expected at least one source")
        names = [source.name for source in self.sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sources are named {name!r}; names tell them apart in reports")
        return self


def read_mapping(path: Path) -> Mapping:
    """The mapping of a YAML file, checked against the tables of the record.

    Raises
    ------
    BadYaml
        The file does not fit; every fault is named with its line, and with the nearest spelling when a
        table or a column is unknown.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadYaml(f"{path.name}: no such file") from None
    except UnicodeDecodeError as error:
        raise BadYaml(f"{path.name}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    return parse_mapping(content, name=path.name)


def parse_mapping(content: str, *, name: str = "mapping") -> Mapping:
    """YAML text as a mapping; see `read_mapping`."""
    mapping = parse_yaml(content, Mapping, name=name)
    faults = [fault for number, source in enumerate(mapping.sources) for fault in _faults_of(source, number)]
    if faults:
        raise BadYaml(explain(content, faults, name=name))
    return mapping.model_copy(update={"sources": tuple(_with_defaults(s, mapping.company) for s in mapping.sources)})


Fault = tuple[tuple[str | int, ...], str]


def _with_defaults(source: Source, company: CompanyDefaults) -> Source:
    changes: dict[str, object] = {"missing": tuple(dict.fromkeys((*source.missing, *company.missing)))}
    if "encoding" not in source.model_fields_set:
        changes["encoding"] = company.encoding
    for name in ("date_formats", "time_zone", "currency"):
        if not getattr(source, name):
            changes[name] = getattr(company, name)
    return source.model_copy(update=changes)


def _faults_of(source: Source, number: int) -> Iterator[Fault]:
    here: tuple[str | int, ...] = ("sources", number)
    if source.table is not None:
        yield from _faults_of_target(source.targets[0], here)
    for position, target in enumerate(source.tables):
        yield from _faults_of_target(target, (*here, "tables", position))
    for column in source.codes_of:
        yield from _faults_of_codes(source, column, (*here, "codes_of", column))
    if source.events is not None:
        for position, target in enumerate(source.events.outputs):
            yield from _faults_of_target(target, (*here, "events", "outputs", position))
    elif any(spec.event for target in source.targets for spec in target.columns.values()):
        yield here, "`event:` belongs to the outputs of an event log (`events:`)"


def _faults_of_target(target: TableTarget, here: tuple[str | int, ...]) -> Iterator[Fault]:
    if target.table not in TABLES:
        yield (*here, "table"), f"no table {target.table!r} in the record; {nearest(target.table, sorted(TABLES))}"
        return
    stated = TABLES[target.table]
    for column, spec in target.columns.items():
        if not stated.has(column):
            hint = "recorded_at stands beside `columns:`" if column in SYSTEM_NAMES else nearest(column, stated.names)
            yield (*here, "columns", column), f"table {stated.name} has no column {column!r}; {hint}"
            continue
        for setting in misplaced(spec, stated.column(column).dtype):
            yield (
                (*here, "columns", column, setting),
                f"{setting} has no meaning for {stated.column(column).dtype} columns",
            )
        computed = spec.add or spec.subtract or spec.multiply
        if computed and stated.column(column).dtype not in (DType.MONEY, DType.NUMBER):
            yield (*here, "columns", column), "add, subtract and multiply fill amounts and numbers only"
        if spec.lookup is not None:
            yield from _faults_of_lookup(spec, (*here, "columns", column, "lookup"))
    absent = [c.name for c in stated.columns if c.required and c.name not in target.columns]
    if absent:
        yield (*here, "columns"), f"table {stated.name} needs {', '.join(absent)}"
    if target.ordered_by is not None and target.ordered_by not in target.columns:
        yield (*here, "ordered_by"), f"expected one of the mapped columns; {nearest(target.ordered_by, target.columns)}"


def _faults_of_codes(source: Source, column: str, here: tuple[str | int, ...]) -> Iterator[Fault]:
    filled = [TABLES[target.table] for target in source.targets if column in target.columns and target.table in TABLES]
    if not filled:
        yield here, f"no column {column!r} is filled here; codes_of names a column of the record, such as account_id"
    for stated in filled:
        if not stated.has(column) or stated.column(column).refers_to != "accounts" or column in stated.key:
            yield here, f"{column} of table {stated.name} is no reference to accounts that could be another one's code"


def _faults_of_lookup(spec: ColumnSpec, here: tuple[str | int, ...]) -> Iterator[Fault]:
    lookup = spec.lookup
    assert lookup is not None
    if lookup.table not in TABLES:
        yield (*here, "table"), f"no table {lookup.table!r} in the record; {nearest(lookup.table, sorted(TABLES))}"
        return
    stated = TABLES[lookup.table]
    for part, column in (("key", lookup.key), ("take", lookup.take)):
        if not stated.has(column):
            yield (*here, part), f"table {stated.name} has no column {column!r}; {nearest(column, stated.names)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Words that point to the nearest spelling of a name among those known.

    Examples
    --------
    >>> nearest("lead", ["leads", "accounts"])
    "did you mean 'leads'?"
    """
    names = list(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names[:40])}"
