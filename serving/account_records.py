"""Accounts that come with a request: the habit that the record derives of a stored customer, derived of these too.

The gaps between its purchases are its own rows'; what they are drawn to is what the record knew of customers of its
kind when it bought.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from crm.customer_history import USUAL_GAP_DAYS, usual_gaps
from serving.record_view import RecordView
from serving.records import Row

_EVERYBODY = None


class AccountRecords:
    """Completes accounts that come with a request.

    Parameters
    ----------
    record : RecordView
        The record, its derived tables derived.
    """

    sources = frozenset({"purchases"})

    def __init__(self, record: RecordView) -> None:
        self._record = record
        self._kinds: dict[str | None, tuple[list[datetime], list[float]]] | None = None

    def warm_up(self) -> None:
        """Read how long the gaps of every kind of customer were known to be, purchase by purchase."""
        kinds: dict[str | None, tuple[list[datetime], list[float]]] = {_EVERYBODY: ([], [])}
        if self._record.has("purchases"):
            for row in self._record.query(
                "SELECT segment, GREATEST(ordered_at, recorded_at) AS known_at, kind_gap_days FROM purchases "
                "ORDER BY known_at, purchase_id"
            ).to_pylist():
                for segment in (row["segment"], _EVERYBODY):
                    moments, gaps = kinds.setdefault(segment, ([], []))
                    moments.append(row["known_at"])
                    gaps.append(row["kind_gap_days"])
        self._kinds = kinds

    def complete(
        self, row: Row, events: Mapping[str, Sequence[Row]], *, known_to: datetime, may_join: bool
    ) -> tuple[Row, dict[str, Sequence[Row]]]:
        """The account and its events with its purchases, where orders were sent or none were made yet.

        Of an order line that the record had at `known_to`, its kind's gap is what it was when the line was taken in,
        where the sender may see the account.
        """
        found = dict(events)
        if "orders" in events:
            stored = self._record.rows_where("purchases", "account_id", str(row["account_id"])) if may_join else []
            until = known_to.astimezone(UTC).replace(tzinfo=None)
            known = [one for one in stored if cast("datetime", one["recorded_at"]) <= until]
            found["purchases"] = self.purchases_of(row, events["orders"], known)
        return row, found

    def purchases_of(self, row: Row, orders: Sequence[Row], stored: Sequence[Row] = ()) -> list[Row]:
        """Rows of `purchases` of one account; an order line that is not stored is known since it was ordered."""
        kind = str(row.get("buyer_type") or row.get("region") or "")
        of_record = {one["purchase_id"]: one for one in stored}
        bought: list[tuple[datetime, datetime, float]] = []
        for one in (one for one in orders if _is_bought(one)):
            at = cast("datetime", one["ordered_at"])
            known = of_record.get(f"{one.get('order_id')}|{one.get('line')}")
            if known is None:
                bought.append((at, at, self._gap_of_kind(kind, at)))
            else:
                known_at = max(at, cast("datetime", known["recorded_at"]))
                bought.append((known_at, at, cast("float", known["kind_gap_days"])))
        bought.sort()
        gaps = usual_gaps([(known_at, at.date()) for known_at, at, _ in bought], [of_kind for *_, of_kind in bought])
        return [
            {"purchase_id": f"{place:06d}", "ordered_at": at, "kind_gap_days": of_kind, "shrunk_gap_days": gap}
            for place, ((_, at, of_kind), gap) in enumerate(zip(bought, gaps, strict=True))
        ]

    def _gap_of_kind(self, kind: str, at: datetime) -> float:
        """What was known at a moment: of its kind, else of everybody, else a quarter."""
        if self._kinds is None:
            self.warm_up()
        for segment in (kind, _EVERYBODY):
            moments, gaps = (self._kinds or {}).get(segment, ([], []))
            place = bisect_right(moments, at)
            if place:
                return gaps[place - 1]
        return USUAL_GAP_DAYS


def _is_bought(order: Row) -> bool:
    quantity = cast("float | None", order.get("quantity"))
    return quantity is None or quantity >= 0
