"""Rows of the next product: an account, a product line and a moment, and whether the account bought the line then.

Every account that has bought anything is asked about at months' beginnings for every line that is offered; in a
history of years at every second or third month's, which say nearly the same as those between. When that is more than
`MOST_ROWS`, a seeded hash decides which accounts are asked about at which moment.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.config import Config
from crm.store import Generation
from features.account_moments import month_starts
from features.build import build_features
from features.catalogue import group_named
from features.labels import build_labels, event_of
from features.line_fields import LINE_FIELDS
from features.line_panel import LinePanel, customers_of, make_panel
from features.matrix import TrainingSet
from features.purchases import Purchases, read_purchases
from features.question import BadQuestion, Question
from features.training_set import graded_fields, usable_fields

MOST_ROWS = 12_000
LEAST_MOMENTS = 12
MOST_MONTHS_BETWEEN = 3
# The widest segment first; what is missing is a segment of its own.
SEGMENTS = ("industry", "region", "employees")
_DAY = np.timedelta64(1, "D")


def build_line_rows(generation: Generation, question: Question, *, config: Config) -> TrainingSet:
    """The rows, features and labels of the question, from the record.

    Parameters
    ----------
    generation : Generation
        The record.
    question : Question
        Window and account features; what the configuration says of the task stands above it.
    config : Config
        Time zone, seed, tasks.

    Returns
    -------
    TrainingSet
        Rows sorted by moment, account and line. `entity_id` is the account, of which there is one row a line and
        moment; rows whose window is not over have label NaN.

    Raises
    ------
    BadQuestion
        The record lacks orders or accounts.
    """
    asked, zone = question.as_configured(config.tasks), config.company.zone
    event = event_of(asked)
    missing = [name for name in event.needs if not generation.has(name)]
    if missing:
        raise BadQuestion(f"{asked.task} needs {', '.join(missing)}")
    purchases = read_purchases(generation, zone=zone)
    moments = _moments(purchases, asked, generation.recorded_to, zone)
    rows, account, as_of = line_rows(generation, purchases, asked, moments, zone=zone)
    kept = _drawn(account, as_of, config.seed)
    rows, account, as_of = rows.filter(pa.array(kept)), account[kept], as_of[kept]
    line = np.searchsorted(purchases.lines, np.array(rows.column("line").to_pylist(), dtype=np.str_))
    place = np.searchsorted(purchases.accounts, account)
    opens = as_of + asked.gap_days * _DAY
    label = build_labels(
        as_of,
        _next_purchase(purchases, place, line, opens),
        horizon_days=asked.horizon_days,
        gap_days=asked.gap_days,
        recorded_to=generation.recorded_to,
    )
    groups = [group_named(name) for name in asked.groups]
    fields, left_out = usable_fields((*LINE_FIELDS, *graded_fields(generation, groups)), rows)
    return TrainingSet(
        fields=fields,
        rows=rows.select([field.name for field in fields]),
        entity_id=account,
        as_of=as_of,
        position=as_of.astype(np.int64) / 86_400e6,
        label=label,
        group=account,
        value=np.full(len(account), np.nan),
        event=event.phrase_en,
        horizon_days=asked.horizon_days,
        gap_days=asked.gap_days,
        left_out=left_out,
    )


def line_rows(
    generation: Generation,
    purchases: Purchases,
    question: Question,
    moments: npt.NDArray[np.datetime64],
    *,
    zone: ZoneInfo,
) -> tuple[pa.Table, npt.NDArray[np.str_], npt.NDArray[np.datetime64]]:
    """Features, account and moment of every customer and line at given moments (naive UTC), in that order.

    Others are what a customer is compared with, so that all customers are computed, whoever is asked about.
    """
    customers = [customers_of(purchases, moment) for moment in moments]
    n_customers = [len(places) for places in customers]
    spine = pa.table(
        {
            "entity_id": pa.array(
                [name for places in customers for name in purchases.accounts[places].tolist()], pa.string()
            ),
            "as_of": np.repeat(moments.astype("datetime64[us]"), n_customers),
        }
    )
    profile = build_features(generation, question.groups, spine, zone=zone)
    segments = _segments(profile)
    ends = np.cumsum(n_customers)
    panels, kept = [], []
    for moment, end, n in zip(moments, ends, n_customers, strict=True):
        here = segments[end - n : end]
        panel = make_panel(purchases, moment, here, horizon_days=question.horizon_days)
        panels.append(panel)
        kept.append(np.repeat(np.arange(end - n, end), len(panel.line)))
    own = _table(purchases, panels)
    row = np.concatenate([np.empty(0, np.intp), *kept]).astype(np.intp)
    for name in profile.column_names:
        own = own.append_column(name, profile.column(name).take(pa.array(row)))
    as_of = spine.column("as_of").to_numpy().astype("datetime64[us]")[row]
    return own, np.array(spine.column("entity_id").to_pylist(), dtype=np.str_)[row], as_of


def _table(purchases: Purchases, panels: list[LinePanel]) -> pa.Table:
    lines = [np.tile(purchases.lines[panel.line], len(panel.account)) for panel in panels]
    columns: dict[str, pa.Array] = {
        "line": pa.array(np.concatenate([np.empty(0, np.str_), *lines]).tolist(), pa.string())
    }
    for name in (field.name for field in LINE_FIELDS[1:]):
        columns[name] = np.concatenate([np.empty(0), *(panel.values[name].ravel() for panel in panels)])
    return pa.table(columns)


def _segments(profile: pa.Table) -> npt.NDArray[np.str_]:
    """The levels of a customer's segment, shape (n_rows, n_levels); size by powers of four."""
    levels = []
    for name in SEGMENTS:
        if name not in profile.column_names:
            continue
        values = profile.column(name)
        if pa.types.is_floating(values.type):
            size = np.floor(np.log(np.maximum(values.to_numpy(), 1.0)) / np.log(4.0))
            levels.append(np.where(np.isnan(size), "", size.astype(np.str_)))
        else:
            levels.append(np.array([value or "" for value in values.to_pylist()], dtype=np.str_))
    return np.stack(levels, axis=1) if levels else np.zeros((profile.num_rows, 0), dtype=np.str_)


def _moments(
    purchases: Purchases, question: Question, recorded_to: datetime, zone: ZoneInfo
) -> npt.NDArray[np.datetime64]:
    """Months' beginnings from one window after the first complete moment on, thinned when there are many."""
    if np.isnat(purchases.complete_from):
        return np.empty(0, "datetime64[us]")
    since = (purchases.complete_from + question.horizon_days * _DAY).astype("datetime64[D]").item()
    if question.since is not None:
        since = max(since, question.since)
    starts = np.array(month_starts(since, recorded_to.astimezone(UTC), zone), dtype="datetime64[us]")
    every = int(np.clip(len(starts) // LEAST_MOMENTS, 1, MOST_MONTHS_BETWEEN))
    # Counted from the newest, which is asked about in any case.
    return starts[::-1][::every][::-1]


def _drawn(account: npt.NDArray[np.str_], as_of: npt.NDArray[np.datetime64], seed: int) -> npt.NDArray[np.bool_]:
    """Which rows are kept when there are too many; all lines of an account and moment come and go together."""
    if len(account) <= MOST_ROWS:
        return np.ones(len(account), dtype=bool)
    texts = zip(account.tolist(), as_of.astype(np.int64).tolist(), strict=True)
    digests = b"".join(hashlib.blake2b(f"{seed}:{name}:{at}".encode(), digest_size=4).digest() for name, at in texts)
    return np.asarray(np.frombuffer(digests, dtype="<u4") < 2**32 * (MOST_ROWS / len(account)))


def _next_purchase(
    purchases: Purchases, account: npt.NDArray[np.intp], line: npt.NDArray[np.intp], opens: npt.NDArray[np.datetime64]
) -> npt.NDArray[np.datetime64]:
    """The first purchase of each row's account and line after a moment, NaT where there is none.

    A purchase at the very moment is not after it: in the stable order of ties it stands before.
    """
    n_lines = len(purchases.lines)
    # Account, line and time in one ascending number; purchases stand in this order.
    key = (purchases.account * n_lines + purchases.line).astype(np.int64)
    asked = account * n_lines + line
    rank = np.argsort(np.argsort(np.concatenate([purchases.bought_at, opens]), kind="stable"), kind="stable")
    size = len(rank) + 1
    held, sought = key * size + rank[: len(key)], asked * size + rank[len(key) :]
    order = np.argsort(held, kind="stable")
    place = np.searchsorted(held[order], sought, side="right")
    found = np.append(order, -1)[np.minimum(place, len(order))]
    at = np.append(purchases.bought_at, np.datetime64("NaT", "us"))[found]
    same = np.append(key, -1)[found] == asked
    return np.where(same, at, np.datetime64("NaT", "us"))
