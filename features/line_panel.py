"""Accounts and product lines at one moment: the account's own history with a line, and what others bought.

Everything is computed from purchases that were on record at the moment. What others did is seen as a rehearsal of
the question: of the accounts that had bought anything by one window before the moment, who bought the line within
that window. The account itself is left out of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.purchases import Purchases

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]

RECENT_DAYS = 365
MOST_LINES = 20
# One more purchase at this distance is what everybody counts as having made: one purchase alone says no habit.
USUAL_GAP_DAYS = 180.0
N_ALIKE = 30
# Accounts that others are compared with at most, taken by a hash of their names.
MOST_COMPARED = 3_000
# Accounts that a share is shrunk by to that of the wider segment.
PSEUDO_ACCOUNTS = 20.0
PSEUDO_ALIKE = 5.0
_CHUNK = 2_000
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinePanel:
    """What was known at one moment; rows are accounts that had bought, columns the lines that are offered.

    Attributes
    ----------
    account : ndarray of int64, shape (n_rows,)
        Places in `Purchases.accounts`.
    line : ndarray of int64, shape (n_columns,)
        Places in `Purchases.lines`, most bought first.
    values : dict of str to ndarray of float64, each of shape (n_rows, n_columns)
        By name in `features.line_fields`, without `line`; NaN for unknown.
    """

    account: Ints
    line: Ints
    values: dict[str, Floats]


def customers_of(purchases: Purchases, as_of: np.datetime64) -> Ints:
    """Places of the accounts of which a purchase was on record at a moment."""
    return np.unique(purchases.account[purchases.known_at <= as_of])


def make_panel(
    purchases: Purchases, as_of: np.datetime64, segments: npt.NDArray[np.str_], *, horizon_days: int
) -> LinePanel:
    """The panel of a moment.

    Parameters
    ----------
    purchases : Purchases
        All on record; those not known at the moment are not looked at.
    as_of : datetime64[us]
        The moment, naive UTC.
    segments : ndarray of str, shape (n_customers, n_levels)
        Industry, region and the like of `customers_of(purchases, as_of)` as known at the moment; the first column is
        the widest segment.
    horizon_days : int
        Window of the question, and of what others did.
    """
    account = customers_of(purchases, as_of)
    known = _known(purchases, as_of, account)
    recent, begin = known.at > as_of - RECENT_DAYS * _DAY, as_of - horizon_days * _DAY
    line = _offered(purchases, known, recent)
    column = np.full(len(purchases.lines), -1)
    column[line] = np.arange(len(line))
    # Lines that are not offered count for the account as a whole alone; no cell is made for them.
    cells = replace(known, column=column[known.line])
    before, bought = (cells.counts(len(line), kept) > 0 for kept in (known.at <= begin, known.at > begin))
    could = np.bincount(known.row[known.at <= begin], minlength=len(account)) > 0
    owned = before | bought
    others = {
        "share_of_accounts_buying": _shares(np.zeros((len(account), 0), dtype=np.str_), could, bought),
        "share_of_segment_buying": _shares(segments, could, bought),
        "share_of_alike_buying": _alike(purchases.accounts[account], segments, owned, before, could, bought),
        "lift_of_owned_lines": _lifts(owned),
    }
    return LinePanel(account=account, line=line, values=_own_history(cells, recent, as_of, len(line)) | others)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """Purchases known at a moment: rows count customers, columns offered lines, -1 for one that is not offered."""

    n_rows: int
    row: npt.NDArray[np.intp]
    line: Ints
    at: npt.NDArray[np.datetime64]
    column: Ints

    def counts(self, n_columns: int, kept: Flags) -> Ints:
        """Days with a purchase, shape (n_rows, n_columns), of the purchases kept."""
        kept = kept & (self.column >= 0)
        place = self.row[kept] * n_columns + self.column[kept]
        return np.bincount(place, minlength=self.n_rows * n_columns).astype(np.int64).reshape(self.n_rows, n_columns)

    def edges(self, n_columns: int) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.datetime64]]:
        """First and last purchase, shape (n_rows, n_columns) each, NaT where there is none."""
        first = np.full((self.n_rows, n_columns), np.datetime64("NaT", "us"))
        last, kept = first.copy(), self.column >= 0
        np.fmin.at(first, (self.row[kept], self.column[kept]), self.at[kept])
        np.fmax.at(last, (self.row[kept], self.column[kept]), self.at[kept])
        return first, last


def _known(purchases: Purchases, as_of: np.datetime64, account: Ints) -> _Known:
    seen = purchases.known_at <= as_of
    line = purchases.line[seen]
    row = np.searchsorted(account, purchases.account[seen])
    return _Known(n_rows=len(account), row=row, line=line, at=purchases.bought_at[seen], column=line)


def _offered(purchases: Purchases, known: _Known, recent: Flags) -> Ints:
    """Lines that anyone bought within a year (else ever), most buyers first, at most `MOST_LINES`."""
    kept = recent if recent.any() else np.ones(len(known.line), dtype=bool)
    n_lines = len(purchases.lines)
    pairs = np.unique(known.row[kept] * n_lines + known.line[kept])
    buyers = np.bincount(pairs % n_lines, minlength=n_lines) if n_lines else np.empty(0, dtype=np.intp)
    order = np.lexsort((purchases.lines, -buyers))[:MOST_LINES].astype(np.int64)
    return np.asarray(order[buyers[order] > 0])


def _own_history(known: _Known, recent: Flags, as_of: np.datetime64, n_columns: int) -> dict[str, Floats]:
    first, last = known.edges(n_columns)
    every = np.ones(len(known.row), dtype=bool)
    n, n_recent = known.counts(n_columns, every), known.counts(n_columns, recent)
    since, span = _days(as_of - last), _days(last - first)
    usual = (np.nan_to_num(span) + USUAL_GAP_DAYS) / np.maximum(n, 1)
    newest = np.full(known.n_rows, np.datetime64("NaT", "us"))
    np.fmax.at(newest, known.row, known.at)
    nearest = _days(as_of - newest)[:, None]
    total = np.bincount(known.row, minlength=known.n_rows)[:, None]
    pairs = np.unique(np.stack([known.row, known.line], axis=1), axis=0) if len(known.row) else np.empty((0, 2), int)
    one = np.ones((1, n_columns))
    return {
        "is_last_line": (since == nearest).astype(np.float64),
        "days_since_line": since,
        "line_gap_over_habit": since / usual,
        "n_line_days": n.astype(np.float64),
        "n_line_days_365d": n_recent.astype(np.float64),
        "share_of_line": n / np.maximum(total, 1),
        "days_since_any_line": nearest * one,
        "n_purchases_365d": np.bincount(known.row[recent], minlength=known.n_rows)[:, None] * one,
        "n_lines_owned": np.bincount(pairs[:, 0], minlength=known.n_rows)[:, None] * one,
    }


def _days(gap: npt.NDArray[np.timedelta64]) -> Floats:
    return np.where(np.isnat(gap), np.nan, gap / _DAY)


def _shares(segments: npt.NDArray[np.str_], could: Flags, bought: Flags) -> Floats:
    """Share of the others who could have and did buy, from everybody down to the narrowest segment, shrunk upwards."""
    hits = (bought & could[:, None]).astype(np.float64)
    if not hits.size:
        return hits
    share = _left_out(hits.sum(axis=0), np.full(len(could), could.sum(), dtype=np.float64), hits, could, None)
    place = np.zeros(len(could), dtype=np.intp)
    for level in range(segments.shape[1]):
        _, value = np.unique(segments[:, level], return_inverse=True)
        _, place = np.unique(place * (int(value.max(initial=0)) + 1) + value, return_inverse=True)
        n = np.bincount(place, weights=could.astype(np.float64))
        sums = np.stack([np.bincount(place, weights=column) for column in hits.T], axis=1).astype(np.float64)
        share = _left_out(sums[place], n[place].astype(np.float64), hits, could, share)
    return share


def _left_out(sums: Floats, n: Floats, hits: Floats, could: Flags, prior: Floats | None) -> Floats:
    others = (n - could)[:, None]
    if prior is None:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(others > 0, (sums - hits) / others, np.nan)
    found = (sums - hits + PSEUDO_ACCOUNTS * np.nan_to_num(prior)) / (others + PSEUDO_ACCOUNTS)
    return np.where(np.isnan(prior), np.nan, found)


def _alike(
    names: npt.NDArray[np.str_],
    segments: npt.NDArray[np.str_],
    owned: Flags,
    before: Flags,
    could: Flags,
    bought: Flags,
) -> Floats:
    """Share of the most similar others who bought: of now's account against the others a window ago.

    Notes
    -----
    Similarity: one for every level of the segment that agrees, two times the Jaccard index of the lines owned. Ties
    with the last of the nearest count as near, so that the order of accounts decides nothing.
    """
    others = np.flatnonzero(could)
    if len(others) > MOST_COMPARED:
        drawn = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names[others].tolist()]
        others = np.sort(others[np.argsort(np.array(drawn))[:MOST_COMPARED]])
    share = np.full(owned.shape, np.nan)
    if len(others) < 2:
        return share
    codes = [np.unique(column, return_inverse=True)[1] for column in segments.T]
    hits = bought[others].astype(np.float64)
    rate = hits.mean(axis=0)
    theirs = before[others].astype(np.float64)
    for start in range(0, len(owned), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(owned)))
        mine = owned[rows].astype(np.float64)
        both = mine @ theirs.T
        either = mine.sum(axis=1)[:, None] + theirs.sum(axis=1) - both
        near = 2.0 * both / np.maximum(either, 1.0)
        for code in codes:
            near += code[rows][:, None] == code[others]
        near[rows[:, None] == others] = -1.0
        most = min(N_ALIKE, len(others) - 1)
        bar = -np.partition(-near, most - 1, axis=1)[:, most - 1]
        chosen = (near >= bar[:, None]).astype(np.float64)
        share[rows] = (chosen @ hits + PSEUDO_ALIKE * rate) / (chosen.sum(axis=1)[:, None] + PSEUDO_ALIKE)
    return share


def _lifts(owned: Flags) -> Floats:
    """Largest P(has the line | has a line of the account's own) / P(has the line), over the other accounts."""
    has = owned.astype(np.float64)
    n_accounts, n_lines = has.shape
    lifts = np.full(has.shape, np.nan)
    if n_accounts < 2:
        return lifts
    together, alone = has.T @ has, has.sum(axis=0)
    share = (alone - has + 1.0) / (n_accounts + 1.0)
    for line in range(n_lines):
        pair = together[line] - has[:, [line]] * has
        given = (pair + PSEUDO_ACCOUNTS * share[:, [line]]) / (alone - has + PSEUDO_ACCOUNTS)
        lift = np.where(owned, given / share[:, [line]], -np.inf)
        lift[:, line] = -np.inf
        best = lift.max(axis=1)
        lifts[:, line] = np.where(np.isfinite(best), best, np.nan)
    return lifts
