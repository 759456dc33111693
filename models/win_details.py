"""What is said of an open opportunity beside its chance to be won: when, how likely lost, late, and for how much."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.timed_set import TimedSet
from models.amount_ratio import AmountRatio, amount_ratio_from_json, fit_amount_ratio
from models.details import Asked
from models.hazard_bundle import HazardPredictor
from models.survival import Incidence

Floats: TypeAlias = npt.NDArray[np.float64]

WON, LOST = "won", "lost"
HORIZONS = (30, 60, 91, 182)
AMOUNT_RATIO = "amount_ratio"
_PAST_EXPECTED = "days_past_expected_close"
_AMOUNT = "net_amount"


def win_details(asked: Asked) -> list[dict[str, object]]:
    """The own fields of a win probability, one mapping a row, same order.

    Parameters
    ----------
    asked : Asked
        Rows that a model of competing risks scored.

    Returns
    -------
    list of dict
        `p_won_by`, `p_lost_by`: chances by days from now, None beyond the grid. `expected_close_on`: the day by which
        half of its chance to be won at all has passed, None beyond the grid. `slip_risk`: the chance that it is still
        open after its expected close; None without one or beyond the grid. `amount_ratio`: expected final amount over
        the present one if won. `expected_value`: probability x amount x ratio, in the amount's unit; None without an
        amount.

    Raises
    ------
    TypeError
        The scorer knows no curves of time.
    """
    scorer = asked.scorer
    if not isinstance(scorer, HazardPredictor):
        raise TypeError(f"win details need hazards, not a model of kind {scorer.about.kind!r}")
    incidence = scorer.incidence_rows(asked.rows, asked.on)
    won, lost = (_by_horizon(incidence, cause) for cause in (WON, LOST))
    closes = expected_close(incidence, asked.on)
    content = scorer.extras.get(AMOUNT_RATIO)
    ratio = AmountRatio(by_value={}) if content is None else amount_ratio_from_json(content)
    past = np.array([_number(values.get(_PAST_EXPECTED)) for values in asked.values])
    slips = slip_risk(incidence, past)
    found: list[dict[str, object]] = []
    for row, values in enumerate(asked.values):
        amount, factor = _number(values.get(_AMOUNT)), ratio.of(values)
        worth = float(asked.probability[row]) * amount * factor
        found.append(
            {
                "p_won_by": won[row],
                "expected_close_on": None if np.isnat(closes[row]) else str(closes[row]),
                "p_lost_by": lost[row],
                "slip_risk": _known(slips[row]),
                "amount_ratio": factor if ratio.n else None,
                "expected_value": _known(worth),
            }
        )
    return found


def learn_extras(rows: TimedSet) -> dict[str, object]:
    """What the details need beside the hazards, by name: the amount ratio of won deals."""
    return {AMOUNT_RATIO: fit_amount_ratio(rows).to_json()}


def expected_close(incidence: Incidence, on: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    """The day by which half of the chance to be won at all has passed; NaT when that lies beyond the grid.

    Parameters
    ----------
    incidence : Incidence
        Of `won` and `lost`.
    on : ndarray of datetime64[D], shape (n_rows,)
        The days of the rows.

    Notes
    -----
    What is still open at the end of the grid is taken to be won in the same proportion as what has closed by then.
    """
    won, closed = incidence.curve(WON), incidence.curve()[:, -1]
    share = np.divide(won[:, -1], closed, out=np.zeros(len(won)), where=closed > 0)
    half = (won[:, -1] + (1.0 - closed) * share) / 2
    days = np.full(len(won), np.inf)
    for row in np.flatnonzero((half > 0) & (half <= won[:, -1])):
        days[row] = np.interp(half[row], won[row], np.asarray(incidence.grid.edges))
    found = np.full(len(won), np.datetime64("NaT", "D"))
    within = np.isfinite(days)
    found[within] = on[within].astype("datetime64[D]") + np.ceil(days[within]).astype("timedelta64[D]")
    return found


def slip_risk(incidence: Incidence, past_expected: Floats) -> Floats:
    """The chance that a deal closes, either way, after its expected day; NaN where that cannot be said.

    Parameters
    ----------
    incidence : Incidence
        Of every cause.
    past_expected : ndarray of float64, shape (n_rows,)
        Whole days since the expected close, negative before it; NaN without one.
    """
    # A close on the expected day itself is in time.
    left = 1.0 - past_expected
    is_said = np.isfinite(left) & (left <= incidence.grid.end)
    open_then = 1.0 - incidence.by(np.where(is_said, left, 0.0))
    return np.where(is_said, open_then, np.nan)


def _by_horizon(incidence: Incidence, cause: str) -> list[dict[str, float | None]]:
    n_rows = len(incidence.values)
    columns = {
        str(days): incidence.by(float(days), cause) if days <= incidence.grid.end else np.full(n_rows, np.nan)
        for days in HORIZONS
    }
    return [{days: _known(column[row]) for days, column in columns.items()} for row in range(n_rows)]


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
