"""Contradictions between the tables of a company, found by general checks and said with their share.

No check knows a company: it reads what `crm.tables` states (clocks, references, dates that bound each other),
what custom columns are called, and which mapping source brought a row. Nothing personal is quoted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crm.engine import DuckDBEngine, quote_name, quote_text
from crm.references import Reference, find_references
from crm.schema import DType, Table
from crm.store import Generation
from crm.tables import TABLES, table

# A contradiction in fewer rows than this is a typing error, not a property of the source.
WORTH_SAYING = 0.01
# A row recorded this long after it happened was entered afterwards. A few such rows are how people work; a source of
# which more than this share was entered afterwards does not show what was known when.
BACK_DATED_DAYS = 7
BACK_DATED_SHARE = 0.05

# Within one row the first moment cannot lie after the second.
ORDERED: tuple[tuple[str, str, str], ...] = (
    ("agreements", "starts_on", "ends_on"),
    ("opportunities", "created_at", "closed_at"),
    ("leads", "created_at", "converted_at"),
    ("leads", "created_at", "disqualified_at"),
    ("tickets", "opened_at", "closed_at"),
    ("invoices", "issued_on", "due_on"),
    ("receipts", "received_on", "matures_on"),
    ("absences", "starts_on", "ends_on"),
    ("reps", "hired_on", "left_on"),
    ("promises", "made_on", "promised_on"),
    ("org_units", "valid_from", "valid_to"),
)
# The day from which a row of the table can have something happen to it: an agreement is ordered and invoiced from its
# signature on, and used once it runs.
BEGINS: dict[str, str] = {
    "agreements": "signed_on",
    "accounts": "created_at",
    "leads": "created_at",
    "opportunities": "created_at",
    "invoices": "issued_on",
    "reps": "hired_on",
}
USED_FROM: dict[str, str] = {"agreements": "starts_on"}
_FILLER = {"is", "has", "flag", "was", "the", "id", "yes", "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Something that two places of the record tell differently.

    Parameters
    ----------
    check : str
        `order`, `begins`, `flag_against_events`, `flag_against_flag`, `dangling`, `back_dated`, `over_allocated`.
    table, column : str
        Where it shows.
    n_rows, n_checked : int
        Rows that contradict, of the rows that could.
    sentence : str
        What it is, in English, with its share.
    """

    check: str
    table: str
    column: str
    n_rows: int
    n_checked: int
    sentence: str

    @property
    def share(self) -> float:
        """Share of the checked rows that contradict."""
        return self.n_rows / self.n_checked


def find_contradictions(generation: Generation) -> tuple[Contradiction, ...]:
    """Every contradiction worth saying in the current state of a record, the largest share first.

    Parameters
    ----------
    generation : Generation
        The record.
    """
    with generation.engine() as engine:
        references = find_references(engine, generation)
        found = [
            *_order(engine, generation),
            *_begins(engine, references),
            *_dangling(engine, references),
            *_back_dated(engine, generation),
            *_flags_against_events(engine, generation, references),
            *_flags_against_flags(engine, generation, references),
            *_over_allocated(engine, generation),
        ]
    worth = [one for one in found if one.n_checked and one.share >= _worth_saying(one.check)]
    return tuple(sorted(worth, key=lambda one: (-one.share, one.table, one.column)))


def _worth_saying(check: str) -> float:
    return BACK_DATED_SHARE if check == "back_dated" else WORTH_SAYING


def _count(engine: DuckDBEngine, sql: str) -> tuple[int, int]:
    """Contradicting and checked rows of a query with the columns `bad` and `n`."""
    row = engine.query(sql).to_pylist()[0]
    return int(row["bad"] or 0), int(row["n"] or 0)


def _percent(bad: int, checked: int) -> str:
    return f"{100 * bad / max(checked, 1):.0f} %" if bad * 100 >= checked else "under 1 %"


def _day(stated: Table, name: str, alias: str) -> str:
    """A moment as a day: contradictions within one day are a matter of clocks, not of the source."""
    quoted = f"{alias}.{quote_name(name)}"
    return quoted if stated.column(name).dtype is DType.DATE else f"CAST({quoted} AS DATE)"


def _order(engine: DuckDBEngine, generation: Generation) -> Iterator[Contradiction]:
    for name, first, second in ORDERED:
        if not generation.has(name):
            continue
        stated = table(name)
        one, other = _day(stated, first, "t"), _day(stated, second, "t")
        bad, checked = _count(
            engine,
            f"SELECT SUM(CASE WHEN {other} < {one} THEN 1 ELSE 0 END) AS bad, COUNT(*) AS n FROM {name} t "
            f"WHERE {one} IS NOT NULL AND {other} IS NOT NULL",
        )
        yield Contradiction(
            check="order",
            table=name,
            column=second,
            n_rows=bad,
            n_checked=checked,
            sentence=f"{_percent(bad, checked)} of {name} have {second} before {first}",
        )


def _begins(engine: DuckDBEngine, references: tuple[Reference, ...]) -> Iterator[Contradiction]:
    for found in references:
        child, parent = table(found.table), table(found.parent)
        begin = (USED_FROM if found.table == "usage" else BEGINS).get(found.parent) or BEGINS.get(found.parent)
        if begin is None or child.clock is None or found.table == found.parent or _is_filled_later(found):
            continue
        moment, start = _day(child, child.clock, "c"), _day(parent, begin, "p")
        bad, checked = _count(
            engine,
            f"SELECT SUM(CASE WHEN {moment} < {start} THEN 1 ELSE 0 END) AS bad, COUNT(*) AS n "
            f"FROM {found.rows()} c JOIN {found.parent} p ON c.{quote_name(found.column)} = p.{quote_name(found.key)} "
            f"WHERE {moment} IS NOT NULL AND {start} IS NOT NULL",
        )
        yield Contradiction(
            check="begins",
            table=found.table,
            column=child.clock,
            n_rows=bad,
            n_checked=checked,
            sentence=f"{_percent(bad, checked)} of {found.table} happened before {begin} of their {found.parent}",
        )


def _is_filled_later(found: Reference) -> bool:
    """Whether the column says what the row became or who has it now, and so may name a younger row."""
    if not found.is_stated:
        return False
    column = table(found.table).column(found.column)
    return column.mutable or column.known_at is not None


def _dangling(engine: DuckDBEngine, references: tuple[Reference, ...]) -> Iterator[Contradiction]:
    for found in references:
        column, key = quote_name(found.column), quote_name(found.key)
        bad, checked = _count(
            engine,
            f"SELECT SUM(CASE WHEN p.k IS NULL THEN 1 ELSE 0 END) AS bad, COUNT(*) AS n FROM {found.rows()} c "
            f"LEFT JOIN (SELECT DISTINCT {key} AS k FROM {found.parent}) p ON c.{column} = p.k "
            f"WHERE c.{column} IS NOT NULL",
        )
        yield Contradiction(
            check="dangling",
            table=found.table,
            column=found.column,
            n_rows=bad,
            n_checked=checked,
            sentence=f"{_percent(bad, checked)} of {found.table}.{found.column} name {found.parent} not on record",
        )


def _back_dated(engine: DuckDBEngine, generation: Generation) -> Iterator[Contradiction]:
    for name, stated in TABLES.items():
        if not generation.has(name) or stated.clock is None:
            continue
        bad, checked = _count(
            engine,
            f"SELECT SUM(CASE WHEN CAST(recorded_at AS DATE) - {_known_from(stated)} > {BACK_DATED_DAYS} "
            f"THEN 1 ELSE 0 END) AS bad, COUNT(*) AS n FROM {name} t WHERE NOT COALESCE(backfilled, false)",
        )
        yield Contradiction(
            check="back_dated",
            table=name,
            column=stated.clock,
            n_rows=bad,
            n_checked=checked,
            sentence=f"{_percent(bad, checked)} of {name} were entered over {BACK_DATED_DAYS} days after they happened",
        )


def _known_from(stated: Table) -> str:
    """The first day on which a row can be entered: a month's sum is known when the month has ended."""
    assert stated.clock is not None
    day = _day(stated, stated.clock, "t")
    return f"CAST({day} + INTERVAL 1 MONTH AS DATE)" if stated.clock.endswith("_month") else day


def _words(text: str) -> set[str]:
    """The telling words of a column or source name.

    Examples
    --------
    >>> sorted(_words("ravenstack_churn_events"))
    ['churn', 'events', 'ravenstack']
    """
    return {word for word in text.lower().replace("-", "_").split("_") if len(word) > 2} - _FILLER


def _flags(generation: Generation, name: str) -> list[str]:
    stated = [column.name for column in table(name).columns if column.dtype is DType.FLAG]
    return stated + [column for column, dtype in generation.custom(name).items() if dtype is DType.FLAG]


def _flags_against_events(
    engine: DuckDBEngine, generation: Generation, references: tuple[Reference, ...]
) -> Iterator[Contradiction]:
    """A flag of an entity and the rows of a source that is called alike: both say whether it happened."""
    for found in references:
        sources = engine.query(f"SELECT DISTINCT source FROM {found.rows()} r WHERE source IS NOT NULL ORDER BY source")
        for flag in _flags(generation, found.parent):
            for source in sources.column("source").to_pylist():
                if not _words(flag) & _words(source):
                    continue
                bad, checked = _count(
                    engine,
                    f"SELECT SUM(CASE WHEN p.{quote_name(flag)} <> (c.k IS NOT NULL) THEN 1 ELSE 0 END) AS bad, "
                    f"COUNT(*) AS n FROM {found.parent} p LEFT JOIN (SELECT DISTINCT {quote_name(found.column)} AS k "
                    f"FROM {found.rows()} r WHERE r.source = {quote_text(source)}) c "
                    f"ON c.k = p.{quote_name(found.key)} WHERE p.{quote_name(flag)} IS NOT NULL",
                )
                yield Contradiction(
                    check="flag_against_events",
                    table=found.parent,
                    column=flag,
                    n_rows=bad,
                    n_checked=checked,
                    sentence=f"{flag} of {found.parent} and the rows of {source} agree for "
                    f"{_percent(checked - bad, checked)} of {found.parent}",
                )


def _flags_against_flags(
    engine: DuckDBEngine, generation: Generation, references: tuple[Reference, ...]
) -> Iterator[Contradiction]:
    """A flag that an entity and the rows that belong to it both carry: any of the rows, and the entity, agree."""
    for found in references:
        if found.table == found.parent:
            continue
        for flag in set(_flags(generation, found.parent)) & set(_flags(generation, found.table)):
            name = quote_name(flag)
            bad, checked = _count(
                engine,
                f"SELECT SUM(CASE WHEN p.{name} <> c.f THEN 1 ELSE 0 END) AS bad, COUNT(*) AS n "
                f"FROM {found.parent} p JOIN (SELECT {quote_name(found.column)} AS k, BOOL_OR({name}) AS f "
                f"FROM {found.table} GROUP BY 1) c ON c.k = p.{quote_name(found.key)} "
                f"WHERE p.{name} IS NOT NULL AND c.f IS NOT NULL",
            )
            yield Contradiction(
                check="flag_against_flag",
                table=found.parent,
                column=flag,
                n_rows=bad,
                n_checked=checked,
                sentence=f"{flag} of {found.parent} and of their {found.table} agree for "
                f"{_percent(checked - bad, checked)} of {found.parent}",
            )


def _over_allocated(engine: DuckDBEngine, generation: Generation) -> Iterator[Contradiction]:
    if not (generation.has("receipts") and generation.has("receipt_allocations")):
        return
    bad, checked = _count(
        engine,
        "SELECT SUM(CASE WHEN a.total > r.gross_amount THEN 1 ELSE 0 END) AS bad, COUNT(*) AS n FROM receipts r "
        "JOIN (SELECT receipt_id, SUM(amount) AS total FROM receipt_allocations GROUP BY 1) a "
        "ON a.receipt_id = r.receipt_id",
    )
    yield Contradiction(
        check="over_allocated",
        table="receipt_allocations",
        column="amount",
        n_rows=bad,
        n_checked=checked,
        sentence=f"{_percent(bad, checked)} of receipts are allocated beyond their amount",
    )
