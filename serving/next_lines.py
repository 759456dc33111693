"""Which product line an account buys next: every line offered, the likeliest first, with the reasons of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

import numpy as np
import pyarrow as pa

from crm.config import Config
from features.labels import event_of
from features.line_panel import RECENT_DAYS
from features.next_product import line_rows
from features.purchases import Purchases, read_purchases
from models.explain import Reason
from models.predictor import N_REASONS
from models.task import Task
from serving.answers import ReasonOut
from serving.champion import Champion
from serving.record_view import RecordView
from serving.roles import Principal
from serving.schemas import RowStatus

POPULARITY = "share_of_accounts_buying"
_NOT_FOUND = "There is no such entity."
_NO_PURCHASE = "It has bought nothing yet: the lines stand in the order of what all customers bought lately."
_NO_MODEL = "No model was promoted yet: the lines stand in the order of what all customers bought lately."
_NO_LINES = "No purchase of any product line is on record."


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOut:
    """One line of an account.

    Attributes
    ----------
    line : str
        The product line.
    probability : float or None
        That the account buys of it within the horizon; None where nothing can be compared yet.
    is_new : bool
        The account bought nothing of it within a year.
    days_since : float or None
        Days since it last bought of it; None when it never did.
    reasons : tuple of ReasonOut
        Strongest first; empty for a base rate.
    """

    line: str
    probability: float | None
    is_new: bool
    days_since: float | None
    reasons: tuple[ReasonOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesOut:
    """The answer for one account; `lines` stand in the order of their probability."""

    entity_id: str
    status: RowStatus
    lines: tuple[LineOut, ...] = ()
    next_line: str | None = None
    next_new_line: str | None = None
    horizon_days: int | None = None
    event: str | None = None
    prediction_id: str | None = None
    model_version: str | None = None
    as_of: datetime | None = None
    message: str | None = None


def not_found(entity_id: str) -> LinesOut:
    """The answer for what does not exist, and for what the caller may not see."""
    return LinesOut(entity_id=entity_id, status=RowStatus.NOT_FOUND, message=_NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shelf:
    """All customers and lines at one moment: `places` holds the rows of each account."""

    as_of: datetime
    rows: pa.Table
    places: Mapping[str, slice]
    popular: tuple[LineOut, ...]


class NextLines:
    """Ranks product lines from one state of the record and one champion; safe to share between threads.

    Parameters
    ----------
    config : Config
        Horizon, where the company sets its own.
    task : Task
        The task.
    record : RecordView
        The record.
    champion : Champion or None
        None ranks by what all customers bought lately.
    """

    def __init__(self, config: Config, task: Task, record: RecordView, champion: Champion | None) -> None:
        self._question = task.question.as_configured(config.tasks)
        self._record, self._champion = record, champion
        self._lock = Lock()
        self._purchases: Purchases | None = None
        self._shelf: _Shelf | None = None

    @property
    def digest(self) -> str:
        """The bundle that answers; empty without one."""
        return "" if self._champion is None else self._champion.published.digest

    def rank(
        self, ids: Sequence[str], *, principal: Principal, now: datetime, as_of: datetime | None = None
    ) -> list[LinesOut]:
        """One answer an id, same order; what the caller may not see is answered like what does not exist.

        Parameters
        ----------
        ids : sequence of str
            Accounts.
        principal : Principal
            The caller.
        now : datetime
            The moment of the request, UTC.
        as_of : datetime or None
            The moment of the answer; None for how far the record reaches.
        """
        # Nothing is known beyond the reach of the record: later windows would look empty.
        at = min(as_of or self._record.watermark, self._record.watermark)
        seen = self._record.reps_seen_by(principal, now)
        accounts = self._record.existing("accounts", ids, at)
        visible = {name for name, (owner, was_there) in accounts.items() if was_there and seen.may_see(owner)}
        shelf = self._at(at) if visible else None
        found = {name: self._answer(name, shelf) for name in visible if shelf is not None}
        return [found.get(name) or not_found(name) for name in ids]

    def _at(self, at: datetime) -> _Shelf:
        with self._lock:
            if self._shelf is None or self._shelf.as_of != at:
                self._shelf = self._stock(at)
            return self._shelf

    def _stock(self, at: datetime) -> _Shelf:
        record = self._record
        if self._purchases is None:
            self._purchases = read_purchases(record.generation, zone=record.zone)
        moments = np.array([at.astimezone(UTC).replace(tzinfo=None)], dtype="datetime64[us]")
        rows, account, _ = line_rows(record.generation, self._purchases, self._question, moments, zone=record.zone)
        names, first, size = np.unique(account, return_index=True, return_counts=True)
        places = {
            name: slice(start, start + n)
            for name, start, n in zip(names.tolist(), first.tolist(), size.tolist(), strict=True)
        }
        n_lines = int(size[0]) if len(size) else 0
        lines = rows.column("line").to_pylist()[:n_lines]
        shares = rows.column(POPULARITY).to_numpy().reshape(-1, n_lines).mean(axis=0) if n_lines else np.empty(0)
        popular = [
            LineOut(line=line, probability=None if np.isnan(share) else float(share), is_new=True, days_since=None)
            for line, share in zip(lines, shares.tolist(), strict=True)
        ]
        popular.sort(key=lambda one: -(one.probability or 0.0))
        return _Shelf(as_of=at, rows=rows, places=places, popular=tuple(popular))

    def _answer(self, name: str, shelf: _Shelf) -> LinesOut:
        champion, place = self._champion, shelf.places.get(name)
        if place is None:
            return self._out(name, shelf, RowStatus.BASE_RATE, shelf.popular, _NO_PURCHASE)
        rows = shelf.rows.slice(place.start, place.stop - place.start)
        if champion is None:
            shares = [None if share != share else share for share in rows.column(POPULARITY).to_pylist()]
            lines = _lines(rows, shares, [()] * rows.num_rows)
            return self._out(name, shelf, RowStatus.INSUFFICIENT_DATA, lines, _NO_MODEL)
        scorer = champion.predictor
        p = scorer.predict_table(rows).tolist()
        if scorer.about.kind == "base_rate":
            return self._out(name, shelf, RowStatus.BASE_RATE, _lines(rows, p, [()] * len(p)), None)
        lines = _lines(rows, p, scorer.explain_table(rows, n_reasons=N_REASONS))
        return self._out(name, shelf, RowStatus.SCORED, lines, None)

    def _out(
        self, name: str, shelf: _Shelf, status: RowStatus, lines: tuple[LineOut, ...], message: str | None
    ) -> LinesOut:
        champion = self._champion
        return LinesOut(
            entity_id=name,
            status=status if lines else RowStatus.INSUFFICIENT_DATA,
            lines=lines,
            next_line=lines[0].line if lines else None,
            next_new_line=next((one.line for one in lines if one.is_new), None),
            horizon_days=self._question.horizon_days,
            event=event_of(self._question).phrase_en,
            model_version=None if champion is None else champion.version,
            as_of=shelf.as_of,
            message=message if lines else _NO_LINES,
        )


def _lines(
    rows: pa.Table, probabilities: Sequence[float | None], reasons: Sequence[tuple[Reason, ...]]
) -> tuple[LineOut, ...]:
    """The lines of one account, likeliest first; of equals the more popular one."""
    found = []
    for values, probability, why in zip(rows.to_pylist(), probabilities, reasons, strict=True):
        since = values["days_since_line"]
        line = LineOut(
            line=values["line"],
            probability=probability,
            is_new=not since <= RECENT_DAYS,
            days_since=None if np.isnan(since) else since,
            reasons=tuple(
                ReasonOut(feature=r.feature, value=r.value, effect=r.effect, text_en=r.text_en, text_zh=r.text_zh)
                for r in why
            ),
        )
        found.append((line, values[POPULARITY]))
    found.sort(key=lambda one: (-(one[0].probability or 0.0), -np.nan_to_num(one[1])))
    return tuple(line for line, _ in found)
