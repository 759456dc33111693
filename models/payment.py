"""When an open invoice will be paid: daily hazards that know its age, its due day and the days on which people pay.

The hazard of a day is learned from rows of open invoices (`features.invoice_rows`), those without outcome censored.
Beside the features of the row it knows of each day ahead how old the invoice will be, how far that is from the due
day and from the customer's usual, and where the day lies in the week and the month.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.invoice_rows import InvoiceRows
from features.matrix import Field
from models.encoding import Encoder, make_encoder
from models.hazard import HazardModel, fit_hazard
from models.person_period import CENSORED, Durations, Grid, expand
from models.survival import Incidence

Floats: TypeAlias = npt.NDArray[np.float64]
Days: TypeAlias = npt.NDArray[np.datetime64]

CAUSES = ("paid",)
# Days while most invoices are paid, then coarser: the tail holds few payments.
GRID = Grid(edges=(*(float(day) for day in range(61)), *(float(day) for day in range(67, 180, 7)), 270.0, 365.0))
VERY_LATE_DAYS = 30
USUAL_DAYS = "shrunk_days_to_pay"
"""The feature that says how long the customer usually takes."""
SEASON = "season"
"""Business group of the features that say where the row's day lies in the year."""
SEASON_DAYS = 730
"""Rows must span so many days before a season is learned: one year cannot tell a season from a drift."""
_DAY = np.timedelta64(1, "D")
_FURTHEST = 90.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaymentOutlook:
    """What is expected of each row; arrays of shape (n_rows,).

    Attributes
    ----------
    p_on_time, p_late, p_very_late : ndarray of float64
        Chances that it is settled by the due day, up to `VERY_LATE_DAYS` past it, and later or never; NaN without
        a due day. They sum to 1; what has become impossible has chance 0.
    expected_pay_on : ndarray of datetime64[D]
        The day by which it is as likely as not to be settled; NaT when that lies beyond a year.
    incidence : Incidence
        The whole distribution, in days after the row's moment.
    """

    p_on_time: Floats
    p_late: Floats
    p_very_late: Floats
    expected_pay_on: Days
    incidence: Incidence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaymentModel:
    """Hazards of payment with the encoder they were fitted on."""

    encoder: Encoder
    hazard: HazardModel
    has_season: bool

    def outlook(self, rows: InvoiceRows, features: pa.Table) -> PaymentOutlook:
        """What is expected of rows, from their features in the same order."""
        ahead = days_ahead(rows, features, has_season=self.has_season)
        incidence = self.hazard.incidence(self.encoder.encode_table(features), ahead)
        # A payment on the row's own day lies in the first step.
        to_due = rows.late_days - rows.age_days + 1
        has_due = np.isfinite(to_due)
        on_time = incidence.by(np.where(has_due, to_due, 0.0))
        soon = incidence.by(np.where(has_due, to_due + VERY_LATE_DAYS, 0.0))
        median = np.ceil(incidence.median())
        pay_on = np.full(len(median), np.datetime64("NaT", "D"))
        within = np.isfinite(median)
        pay_on[within] = rows.as_of_on[within] + (median[within] - 1).astype("timedelta64[D]")
        return PaymentOutlook(
            p_on_time=np.where(has_due, on_time, np.nan),
            p_late=np.where(has_due, soon - on_time, np.nan),
            p_very_late=np.where(has_due, 1.0 - soon, np.nan),
            expected_pay_on=pay_on,
            incidence=incidence,
        )

    def losses(self, rows: InvoiceRows, features: pa.Table) -> Floats:
        """Log loss of each row's days while it was watched, shape (n_rows,)."""
        hazards = self.hazard.hazards(
            self.encoder.encode_table(features), days_ahead(rows, features, has_season=self.has_season)
        )
        periods = expand(durations_of(rows), GRID)
        paid = np.clip(hazards[periods.row, periods.step, 0], 1e-12, 1 - 1e-12)
        loss = -np.where(periods.cause > CENSORED, np.log(paid), np.log1p(-paid)) * periods.weight
        return np.asarray(np.bincount(periods.row, loss, minlength=len(rows.age_days)), dtype=np.float64)


def durations_of(rows: InvoiceRows) -> Durations:
    """What became of rows, in days after their moment: settled, or watched so long without."""
    end = np.where(rows.is_paid, rows.paid_days, rows.watched_days)
    # A row's moment is the midnight that begins its day: a payment on that day comes within one day.
    time = np.maximum(end - rows.age_days + 1, 0.0)
    taken_back = ~rows.is_paid & (rows.watched_days < rows.followed_days)
    follow_up = None if taken_back.any() else np.maximum(rows.followed_days - rows.age_days + 1, 0.0)
    return Durations(duration=time, cause=np.where(rows.is_paid, 1, CENSORED).astype(np.intp), follow_up=follow_up)


def days_ahead(rows: InvoiceRows, features: pa.Table, *, has_season: bool) -> Floats:
    """What is known of every step ahead, shape (n_rows, n_steps, 6), or 7 with the season.

    Parameters
    ----------
    rows : InvoiceRows
        The rows.
    features : pa.Table
        Their features; `shrunk_days_to_pay` among them is what the invoice's age is compared with.
    has_season : bool
        Whether the days to the year's end are among them.

    Returns
    -------
    ndarray of float64
        Age at the end of the step, days past due and days past the customer's usual then (both within 90), whether
        the due day has passed, weekday (1 to 7), days to the month's end, days to the year's end.
    """
    days = (rows.as_of_on[:, None] + (np.asarray(GRID.edges[1:]) - 1).astype("timedelta64[D]")).astype("datetime64[D]")
    age = (days - rows.issued_on[:, None]) / _DAY
    past_due = age - rows.late_days[:, None]
    usual = features.column(USUAL_DAYS).to_numpy()[:, None] if USUAL_DAYS in features.column_names else np.nan
    month_end = (days.astype("datetime64[M]") + 1).astype("datetime64[D]") - _DAY
    columns = [
        age,
        np.clip(past_due, -_FURTHEST, _FURTHEST),
        np.clip(age - usual, -_FURTHEST, _FURTHEST),
        (past_due > 0).astype(np.float64),
        ((days.astype(np.int64) + 3) % 7 + 1).astype(np.float64),
        (month_end - days) / _DAY,
    ]
    if has_season:
        columns.append(((days.astype("datetime64[Y]") + 1).astype("datetime64[D]") - _DAY - days) / _DAY)
    return np.stack(columns, axis=2)


def fit_payment(
    learner: str, rows: InvoiceRows, features: pa.Table, fields: tuple[Field, ...], *, seed: int
) -> PaymentModel:
    """Hazards of payment learned from rows and what became of them.

    Parameters
    ----------
    learner : str
        One of `models.hazard.LEARNERS`.
    rows : InvoiceRows
        The rows; those without outcome are censored.
    features : pa.Table
        Their features in the same order.
    fields : tuple of Field
        Columns of `features` to learn from; those of the season are left out when the rows span too few days.
    seed : int
        Random state.
    """
    has_season = bool((rows.as_of_on.max() - rows.as_of_on.min()) / _DAY >= SEASON_DAYS)
    fields = tuple(field for field in fields if has_season or field.group != SEASON)
    encoder = make_encoder(fields, features)
    hazard = fit_hazard(
        learner,
        encoder,
        encoder.encode_table(features),
        durations_of(rows),
        grid=GRID,
        causes=CAUSES,
        seed=seed,
        ahead=days_ahead(rows, features, has_season=has_season),
    )
    return PaymentModel(encoder=encoder, hazard=hazard, has_season=has_season)


def expected_cash(rows: InvoiceRows, incidence: Incidence, weeks: Days) -> Floats:
    """Money expected in each week, shape (n_rows, n_weeks), currency units.

    Parameters
    ----------
    rows : InvoiceRows
        The rows; one of each invoice.
    incidence : Incidence
        When each will be paid, in days after its moment.
    weeks : ndarray of datetime64[D], shape (n_weeks,)
        First day of each week.

    Notes
    -----
    Of an invoice that is paid in part already, its whole amount is spread: subtract the parts beforehand.
    """
    edges = np.append(weeks, weeks[-1] + 7 * _DAY)
    before = ((edges[None, :] - rows.as_of_on[:, None]) / _DAY).clip(0.0)
    paid_by = np.column_stack([incidence.by(before[:, place]) for place in range(before.shape[1])])
    return np.asarray(rows.gross_amount[:, None] * np.diff(paid_by, axis=1))
