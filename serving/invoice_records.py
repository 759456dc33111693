"""Invoices that come with a request: what the record derives of a stored invoice, derived of these too.

The settlement of an invoice says what was known of its customer when it was issued. Of an invoice that the record
has, that is what its settlement says; of any other, what that of its customer's latest invoice says. The customer's
invoices are those of the record with this one among them, as they were in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import cast

from serving.record_view import RecordView
from serving.records import Row

NAMELESS = "\x00asked"
# What stays as it was when the invoice was issued; terms and amount are the row's own.
_AT_ISSUE = ("median_days_at_issue", "segment_late_share", "shrunk_late_share", "shrunk_days_to_pay")


class InvoiceRecords:
    """Completes invoices that come with a request.

    Parameters
    ----------
    record : RecordView
        The record, its derived tables derived.
    """

    sources = frozenset({"customer_invoices", "settlements", "promised"})

    def __init__(self, record: RecordView) -> None:
        self._record = record
        self._unknown: Row = {}

    def warm_up(self) -> None:
        """Read what is expected of a customer of whom nothing is known."""
        rows = self._record.query(
            f"SELECT {', '.join(_AT_ISSUE)} FROM settlements WHERE median_days_at_issue IS NULL "
            "ORDER BY known_at DESC, invoice_id LIMIT 1"
        ).to_pylist()
        self._unknown = rows[0] if rows else {}

    def complete(
        self, row: Row, events: Mapping[str, Sequence[Row]], *, known_to: datetime, may_join: bool
    ) -> tuple[Row, dict[str, Sequence[Row]]]:
        """The invoice and its events with its settlement, its customer's invoices and the terms of its promises.

        Parameters
        ----------
        row : mapping
            The invoice.
        events : mapping of str to sequence of mapping
            Its own events, by name.
        known_to : datetime
            With a time zone: what became known later is not looked at.
        may_join : bool
            Whether the sender may see what is known of its account.
        """
        named: Row = {**row, "invoice_id": row.get("invoice_id") or NAMELESS}
        known: Sequence[Row] = []
        if may_join:
            moment = known_to.astimezone(UTC).replace(tzinfo=None)
            all_known = self._record.rows_where("settlements", "account_id", str(row["account_id"]))
            known = [one for one in all_known if cast("datetime", one["known_at"]) <= moment]
        stored = next((one for one in known if one["invoice_id"] == named["invoice_id"]), None)
        earlier = _issued_before(row, known)
        settlement = {**_own_terms(named, stored, earlier), **self._at_issue(stored, earlier)}
        others = [one for one in known if one is not stored]
        found = {**events, "settlements": [settlement]}
        if "promises" in events:
            found["promised"] = _promised(events["promises"])
        if may_join:
            found["customer_invoices"] = [*others, settlement]
        return named, found

    def _at_issue(self, stored: Row | None, earlier: Sequence[Row]) -> Row:
        if stored is not None:
            source: Row = stored
        elif earlier:
            source = max(earlier, key=lambda one: (cast("date", one["issued_on"]), str(one["invoice_id"])))
        else:
            source = self._unknown
        return {name: source.get(name) for name in _AT_ISSUE}


def _issued_before(row: Row, known: Sequence[Row]) -> list[Row]:
    issued = cast("date | None", row.get("issued_on"))
    return [one for one in known if issued is None or cast("date", one["issued_on"]) <= issued]


def _own_terms(row: Row, stored: Row | None, earlier: Sequence[Row]) -> dict[str, object]:
    issued, due = cast("date | None", row.get("issued_on")), cast("date | None", row.get("due_on"))
    amount = cast("int | None", row.get("gross_amount"))
    usual = _usual(stored, earlier)
    return {
        "invoice_id": row["invoice_id"],
        "account_id": row.get("account_id"),
        "issued_on": issued,
        "due_on": due if stored is None else stored["due_on"],
        "gross_amount": amount,
        "terms_days": _terms(issued, due) if stored is None else stored["terms_days"],
        "amount_to_usual": None if usual is None or amount is None else amount / usual,
    }


def _terms(issued: date | None, due: date | None) -> float | None:
    return None if issued is None or due is None else float((due - issued).days)


def _usual(stored: Row | None, earlier: Sequence[Row]) -> float | None:
    """Mean amount of the customer's invoices before this one, hundredths; None without any."""
    if stored is not None:
        ratio = cast("float | None", stored["amount_to_usual"])
        return cast("float", stored["gross_amount"]) / ratio if ratio else None
    amounts = [cast("int", one["gross_amount"]) for one in earlier if one["gross_amount"] is not None]
    return sum(amounts) / len(amounts) if amounts else None


def _promised(promises: Sequence[Row]) -> list[Row]:
    return [
        {
            "promise_id": one.get("promise_id"),
            "made_on": one.get("made_on"),
            "promised_within_days": float((cast("date", one["promised_on"]) - cast("date", one["made_on"])).days),
        }
        for one in promises
        if one.get("promised_on") is not None and one.get("made_on") is not None
    ]
