"""Outcomes: when an entity's event happened, and what that makes of a row.

y = 1 when the event lies in (as_of + gap, as_of + gap + horizon], 0 when the record reaches past that window
without it, NaN (censored) as long as the record does not: an unknown outcome is never a negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.engine import Engine
from crm.store import Generation
from features.account_moments import churned_at
from features.question import BadQuestion, Question
from features.renewals import LOST

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An outcome of an entity.

    Parameters
    ----------
    entity : str
        Table of the entity.
    phrase_en, phrase_zh : str
        How the outcome is called.
    needs : tuple of str
        Tables it is read from.
    sql : str
        SQL of (entity_id, happened_at), at most one row per entity that had it.
    """

    entity: str
    phrase_en: str
    phrase_zh: str
    needs: tuple[str, ...]
    sql: str


_LEAD_DEALS = (
    "SELECT l.lead_id AS entity_id, MIN(o.{moment}) AS happened_at FROM leads AS l JOIN opportunities AS o "
    "ON o.opportunity_id = l.opportunity_id OR o.lead_id = l.lead_id WHERE {where} GROUP BY l.lead_id"
)
_CLOSED = (
    "SELECT opportunity_id AS entity_id, closed_at AS happened_at FROM opportunities "
    "WHERE outcome = '{outcome}' AND closed_at IS NOT NULL"
)

EVENTS: dict[tuple[str, str], Event] = {
    ("leads", "qualified"): Event(
        entity="leads",
        phrase_en="lead qualified",
        phrase_zh="线索转化",
        needs=("leads",),
        sql="SELECT lead_id AS entity_id, converted_at AS happened_at FROM leads WHERE converted_at IS NOT NULL",
    ),
    ("leads", "opportunity"): Event(
        entity="leads",
        phrase_en="opportunity created",
        phrase_zh="产生商机",
        needs=("leads", "opportunities"),
        sql=_LEAD_DEALS.format(moment="created_at", where="o.created_at IS NOT NULL"),
    ),
    ("leads", "won"): Event(
        entity="leads",
        phrase_en="opportunity won",
        phrase_zh="赢单",
        needs=("leads", "opportunities"),
        sql=_LEAD_DEALS.format(moment="closed_at", where="o.outcome = 'won' AND o.closed_at IS NOT NULL"),
    ),
    ("opportunities", "won"): Event(
        entity="opportunities",
        phrase_en="opportunity won",
        phrase_zh="赢单",
        needs=("opportunities",),
        sql=_CLOSED.format(outcome="won"),
    ),
    ("opportunities", "lost"): Event(
        entity="opportunities",
        phrase_en="opportunity lost",
        phrase_zh="输单",
        needs=("opportunities",),
        sql=_CLOSED.format(outcome="lost"),
    ),
    # What may happen to an account again and again is judged per row (`outcome_moments`); this is its last word.
    ("accounts", "lapsed"): Event(
        entity="accounts",
        phrase_en="customer left: neither renewed nor bought when due",
        phrase_zh="客户流失：到期未续约、到期未复购",
        needs=("accounts", "orders"),
        sql="SELECT account_id AS entity_id, MAX(ordered_at) + INTERVAL '90' DAY AS happened_at FROM orders "
        "WHERE account_id IS NOT NULL GROUP BY account_id "
        "HAVING MAX(ordered_at) + INTERVAL '90' DAY <= (SELECT MAX(ordered_at) FROM orders)",
    ),
    ("accounts", "cancelled"): Event(
        entity="accounts",
        phrase_en="agreement cancelled",
        phrase_zh="合同取消",
        needs=("accounts", "agreements"),
        sql="SELECT account_id AS entity_id, CAST(MIN(cancelled_at) AS TIMESTAMP) AS happened_at FROM agreements "
        "WHERE account_id IS NOT NULL AND cancelled_at IS NOT NULL GROUP BY account_id",
    ),
    ("accounts", "bought_line"): Event(
        entity="accounts",
        phrase_en="product line bought",
        phrase_zh="购买该产品线",
        needs=("accounts", "orders"),
        sql="SELECT account_id AS entity_id, MAX(ordered_at) AS happened_at FROM orders "
        "WHERE account_id IS NOT NULL GROUP BY account_id",
    ),
    # By its allocations alone; when it was known, and what a red invoice took back, `features.invoice_rows` tells.
    ("invoices", "paid"): Event(
        entity="invoices",
        phrase_en="invoice paid",
        phrase_zh="发票结清",
        needs=("invoices", "receipts", "receipt_allocations"),
        sql="SELECT a.invoice_id AS entity_id, CAST(MAX(r.received_on) AS TIMESTAMP) + INTERVAL '12' HOUR "
        "AS happened_at FROM receipt_allocations AS a JOIN receipts AS r ON r.receipt_id = a.receipt_id "
        "JOIN invoices AS i ON i.invoice_id = a.invoice_id GROUP BY a.invoice_id "
        "HAVING SUM(a.amount) >= MAX(i.gross_amount)",
    ),
    ("agreements", "lost"): Event(
        entity="agreements",
        phrase_en="agreement lost or renewed for less",
        phrase_zh="合同流失或降额续签",
        needs=("agreements",),
        sql=LOST,
    ),
    ("agreements", "cancelled"): Event(
        entity="agreements",
        phrase_en="agreement cancelled",
        phrase_zh="合同取消",
        needs=("agreements",),
        sql="SELECT agreement_id AS entity_id, CAST(cancelled_at AS TIMESTAMP) AS happened_at FROM agreements "
        "WHERE cancelled_at IS NOT NULL",
    ),
}


def event_of(question: Question) -> Event:
    """The event a question asks for.

    Raises
    ------
    BadQuestion
        The entity knows no such event; the message lists those it knows.
    """
    try:
        return EVENTS[question.entity, question.event]
    except KeyError:
        known = ", ".join(event for entity, event in EVENTS if entity == question.entity)
        raise BadQuestion(f"no event {question.event!r} of {question.entity}; there are {known or 'none'}") from None


def read_events(engine: Engine, event: Event) -> pa.Table:
    """When the event happened: `entity_id`, `happened_at`, one row per entity that had it."""
    return engine.query(event.sql)


def happened_at(entity_id: npt.NDArray[np.str_], events: pa.Table) -> npt.NDArray[np.datetime64]:
    """The moment of each row's event, shape (n_rows,), NaT where there was none."""
    place = {name: at for at, name in enumerate(events.column("entity_id").to_pylist())}
    moments = np.append(events.column("happened_at").cast(pa.timestamp("us")).to_numpy(), np.datetime64("NaT", "us"))
    index = np.fromiter((place.get(name, -1) for name in entity_id.tolist()), dtype=np.intp, count=len(entity_id))
    return moments[index]


def outcome_moments(
    engine: Engine, question: Question, entity_id: npt.NDArray[np.str_], as_of: npt.NDArray[np.datetime64]
) -> npt.NDArray[np.datetime64]:
    """The moment of each row's event, shape (n_rows,), NaT where there was none.

    An account may leave and come back: its event is the next one after the row's moment.
    """
    if question.entity == "accounts":
        return churned_at(engine, question, entity_id, as_of)
    return happened_at(entity_id, read_events(engine, event_of(question)))


def build_labels(
    as_of: npt.NDArray[np.datetime64],
    happened: npt.NDArray[np.datetime64],
    *,
    horizon_days: int,
    gap_days: int,
    recorded_to: datetime,
) -> npt.NDArray[np.float64]:
    """1 event inside the window, 0 none although the record reaches past it, NaN not known yet.

    Parameters
    ----------
    as_of, happened : ndarray of datetime64[us], shape (n_rows,)
        The moments of the rows and of their events; NaT where there was none.
    horizon_days, gap_days : int
        The window (as_of + gap, as_of + gap + horizon].
    recorded_to : datetime
        How far the record reaches.

    Examples
    --------
    >>> day = np.array(["2026-01-01", "2026-01-01", "2026-03-01"], dtype="datetime64[us]")
    >>> event = np.array(["2026-01-15", "NaT", "NaT"], dtype="datetime64[us]")
    >>> build_labels(day, event, horizon_days=30, gap_days=0, recorded_to=datetime(2026, 3, 15, tzinfo=UTC))
    array([ 1.,  0., nan])
    """
    opens = as_of + gap_days * _DAY
    closes = opens + horizon_days * _DAY
    reach = np.datetime64(recorded_to.astimezone(UTC).replace(tzinfo=None), "us")
    label = ((happened > opens) & (happened <= closes)).astype(np.float64)
    label[closes > reach] = np.nan
    return label


def label_rows(generation: Generation, question: Question, spine: pa.Table) -> npt.NDArray[np.float64]:
    """The labels of a spine's rows, shape (n_rows,)."""
    entity_id, as_of = spine.column("entity_id").to_numpy().astype(np.str_), spine.column("as_of").to_numpy()
    with generation.engine() as engine:
        happened = outcome_moments(engine, question, entity_id, as_of)
    return build_labels(
        as_of,
        happened,
        horizon_days=question.horizon_days,
        gap_days=question.gap_days,
        recorded_to=generation.recorded_to,
    )
