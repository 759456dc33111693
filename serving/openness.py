"""What is open at a moment, entity by entity: what has an answer, and why something has none.

The same rules choose what a refresh scores, what an id is answered with, and whether a row that comes with a request
can be scored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from threading import Lock
from typing import Protocol, cast

import pyarrow as pa

from crm.clocks import value_as_known
from crm.engine import DuckDBEngine, quote_name, quote_text
from crm.tables import empty_table, table
from features.account_moments import ACTIVE_DAYS, customers_at
from features.question import Question
from features.renewals import why_not_up_for_renewal
from features.spine import build_open_spine
from serving.account_records import AccountRecords
from serving.record_view import RecordView
from serving.records import ReadRecord, Row

KNOWN = "Nothing is open any more: the outcome is known."
NOT_YET = "It did not exist at that moment."
_CLOSED_BY: dict[str, tuple[str, ...]] = {
    "leads": ("converted_at", "disqualified_at"),
    "opportunities": ("closed_at",),
}
_MOST_KEPT = 8


class Openness(Protocol):
    """What of one entity has something to score."""

    def open_ids(self, at: datetime) -> list[str]:
        """Ids of everything open at a moment."""
        ...

    def closed(self, ids: Sequence[str], at: datetime) -> dict[str, str]:
        """Why there is nothing to score, of those of the ids that were there but are not open."""
        ...

    def closed_records(self, records: Sequence[ReadRecord], moments: Sequence[datetime]) -> list[str | None]:
        """Why rows that came with a request cannot be scored at their moments, same order; None for those that can."""
        ...


def openness_of(record: RecordView, question: Question) -> Openness:
    """The rules of a question's entity."""
    if question.entity == "accounts":
        return _Customers(record, question)
    if question.entity == "agreements":
        return _UpForRenewal(record) if question.event == "lost" else _Running(record, question)
    if question.entity == "invoices":
        return _Unsettled(record)
    return _ClosedByColumn(record, question)


class _ClosedByColumn:
    """Leads and opportunities: open until a column says that they ended."""

    def __init__(self, record: RecordView, question: Question) -> None:
        self._record = record
        self._question = question
        self._columns = _CLOSED_BY[question.entity]

    def open_ids(self, at: datetime) -> list[str]:
        ids: list[str] = build_open_spine(self._record.generation, self._question, as_of=at)["entity_id"].to_pylist()
        return ids

    def closed(self, ids: Sequence[str], at: datetime) -> dict[str, str]:
        stated, when = table(self._question.entity), self._record.as_of(at)
        key = quote_name(stated.key[0])
        known = [f"({value_as_known(stated, stated.column(c), 'e', when)}) IS NOT NULL" for c in self._columns]
        listed = ", ".join(quote_text(one) for one in dict.fromkeys(ids))
        found = self._record.query(
            f"SELECT e.{key} AS id FROM {stated.name} e WHERE e.{key} IN ({listed}) AND ({' OR '.join(known)})"
        )
        return dict.fromkeys(found.column("id").to_pylist(), KNOWN)

    def closed_records(self, records: Sequence[ReadRecord], moments: Sequence[datetime]) -> list[str | None]:
        return [self._closed_record(one, at) for one, at in zip(records, moments, strict=True)]

    def _closed_record(self, record: ReadRecord, at: datetime) -> str | None:
        ends = (record.row.get(column) for column in self._columns)
        return KNOWN if any(isinstance(end, datetime) and end <= _naive(at) for end in ends) else None


class _Customers:
    """Accounts: open while they are customers, as `features.account_moments` says."""

    def __init__(self, record: RecordView, question: Question) -> None:
        self._record = record
        self._question = question
        self._own = AccountRecords(record)
        self._kept: OrderedDict[datetime, frozenset[str]] = OrderedDict()
        self._lock = Lock()
        self._why = _NO_CUSTOMER[question.event]

    def open_ids(self, at: datetime) -> list[str]:
        return sorted(self._customers(at))

    def closed(self, ids: Sequence[str], at: datetime) -> dict[str, str]:
        customers = self._customers(at)
        return {one: self._why for one in ids if one not in customers}

    def closed_records(self, records: Sequence[ReadRecord], moments: Sequence[datetime]) -> list[str | None]:
        # Their own rows in an engine of their own, under made-up names: the same text judges them.
        named = [f"{place}" for place in range(len(records))]
        with DuckDBEngine({}, threads=1) as engine:
            for name in ("orders", "agreements"):
                engine.register(name, _rows_of(name, named, [one.events.get(name, ()) for one in records]))
            bought = [self._own.purchases_of(one.row, one.events.get("orders", ())) for one in records]
            engine.register("purchases", _rows_of("purchases", named, bought))
            asked = sorted({_naive(at) for at in moments})
            rows = customers_at(engine, self._question, asked, zone=self._record.zone).to_pylist()
        customers = {(row["entity_id"], row["as_of"]) for row in rows}
        why = f"{self._why} Its orders and agreements belong into `events`."
        return [None if (name, _naive(at)) in customers else why for name, at in zip(named, moments, strict=True)]

    def _customers(self, at: datetime) -> frozenset[str]:
        # One moment after the other, so that callers who name the same one wait for a single answer.
        with self._lock:
            found = self._kept.get(at)
            if found is None:
                found = self._kept[at] = self._read_customers(at)
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            return found

    def _read_customers(self, at: datetime) -> frozenset[str]:
        needed = "orders" if self._question.event == "lapsed" else "agreements"
        if not self._record.has(needed):
            return frozenset()
        # An engine of its own: whoever asks about the past keeps nobody waiting at the other doors.
        with self._record.generation.engine(threads=1) as engine:
            rows = customers_at(engine, self._question, [_naive(at)], zone=self._record.zone)
        return frozenset(rows.column("entity_id").to_pylist())


_NO_CUSTOMER = {
    "lapsed": "No purchase is due within the window: an agreement covers it beyond, its usual gap between purchases "
    f"lasts longer, or it is no customer (nothing bought in the {ACTIVE_DAYS} days before or within its usual gap).",
    "cancelled": "It is not asked about at that moment: none of its agreements was running.",
}


def _rows_of(name: str, ids: Sequence[str], lists: Sequence[Sequence[Row]]) -> pa.Table:
    """The rows of one list of events of all records, each known since it happened."""
    stated = table(name)
    clock = str(stated.clock)
    filled = [
        {**row, "account_id": one, "recorded_at": _FIRST, clock: row[clock]}
        for one, rows in zip(ids, lists, strict=True)
        for row in rows
    ]
    return pa.Table.from_pylist(filled, schema=empty_table(name).schema)


_FIRST = datetime(1970, 1, 1)  # noqa: DTZ001  # naive UTC, as the record holds moments


class _UpForRenewal:
    """Agreements in the days before their last one, as `features.renewals` says."""

    def __init__(self, record: RecordView) -> None:
        self._record = record

    def open_ids(self, at: datetime) -> list[str]:
        on = _local(at, self._record)
        rows = self._rows(f"WHERE g.recorded_at <= {self._record.as_of(at).at}")
        return [str(row["agreement_id"]) for row in rows if why_not_up_for_renewal(row, on) is None]

    def closed(self, ids: Sequence[str], at: datetime) -> dict[str, str]:
        on = _local(at, self._record)
        listed = ", ".join(quote_text(one) for one in dict.fromkeys(ids))
        reasons = {
            str(row["agreement_id"]): why_not_up_for_renewal(row, on)
            for row in self._rows(f"WHERE g.agreement_id IN ({listed})")
        }
        return {one: reason for one, reason in reasons.items() if reason is not None}

    def closed_records(self, records: Sequence[ReadRecord], moments: Sequence[datetime]) -> list[str | None]:
        days = (_local(at, self._record) for at in moments)
        return [why_not_up_for_renewal(one.row, on) for one, on in zip(records, days, strict=True)]

    def _rows(self, where: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = self._record.query(
            "SELECT g.agreement_id, g.kind, g.starts_on, g.signed_on, g.ends_on, g.cancelled_at, "
            "n.signed_on AS next_on FROM agreements AS g LEFT JOIN agreements AS n ON n.agreement_id = g.renewed_to "
            f"{where} ORDER BY g.agreement_id"
        ).to_pylist()
        return rows


class _Running:
    """Agreements from their first day until they are cancelled or their last day comes."""

    def __init__(self, record: RecordView, question: Question) -> None:
        self._record = record
        self._question = question

    def open_ids(self, at: datetime) -> list[str]:
        ids: list[str] = build_open_spine(self._record.generation, self._question, as_of=at)["entity_id"].to_pylist()
        return ids

    def closed(self, ids: Sequence[str], at: datetime) -> dict[str, str]:
        running = set(self.open_ids(at))
        return {one: _NOT_RUNNING for one in ids if one not in running}

    def closed_records(self, records: Sequence[ReadRecord], moments: Sequence[datetime]) -> list[str | None]:
        days = (_local(at, self._record) for at in moments)
        return [None if _runs(one.row, on) else _NOT_RUNNING for one, on in zip(records, days, strict=True)]


_NOT_RUNNING = "It was not running at that moment: it had not begun, or had ended or been cancelled."


class _Unsettled:
    """Invoices: open until they are known to be settled or taken back, as `crm.settlements` says."""

    def __init__(self, record: RecordView) -> None:
        self._record = record

    def open_ids(self, at: datetime) -> list[str]:
        when = self._record.as_of(at).at
        found = self._record.query(
            f"SELECT invoice_id FROM settlements WHERE known_at <= {when} "
            f"AND (closed_at IS NULL OR closed_at > {when}) ORDER BY invoice_id"
        )
        ids: list[str] = found.column("invoice_id").to_pylist()
        return ids

    def closed(self, ids: Sequence[str], at: datetime) -> dict[str, str]:
        listed = ", ".join(quote_text(one) for one in dict.fromkeys(ids))
        rows = self._record.query(
            f"SELECT i.invoice_id, s.invoice_id IS NOT NULL AS is_claim, s.closed_at <= {self._record.as_of(at).at} "
            "AS is_closed FROM invoices i LEFT JOIN settlements s ON s.invoice_id = i.invoice_id "
            f"WHERE i.invoice_id IN ({listed})"
        ).to_pylist()
        closed = {str(row["invoice_id"]): _SETTLED for row in rows if row["is_closed"]}
        return closed | {str(row["invoice_id"]): _CREDIT_NOTE for row in rows if not row["is_claim"]}

    def closed_records(self, records: Sequence[ReadRecord], moments: Sequence[datetime]) -> list[str | None]:
        amounts = (cast("int | None", one.row.get("gross_amount")) for one in records)
        return [_NO_AMOUNT if amount is None else _CREDIT_NOTE if amount <= 0 else None for amount in amounts]


_SETTLED = "It is settled or was taken back: nothing is open any more."
_NO_AMOUNT = "An invoice needs its gross_amount."
_CREDIT_NOTE = "A credit note is not paid by the customer."


def _runs(row: Mapping[str, object], on: date) -> bool:
    starts, ends, cancelled = (cast("date | None", row.get(name)) for name in ("starts_on", "ends_on", "cancelled_at"))
    return starts is not None and starts < on and all(last is None or last >= on for last in (ends, cancelled))


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _local(at: datetime, record: RecordView) -> date:
    return at.astimezone(record.zone).date()
