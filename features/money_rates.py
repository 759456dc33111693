"""Amounts in the reporting currency: columns at once, at the last rate on or before a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.money import NoRate

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Names: TypeAlias = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rates:
    """Exchange rates known at a cutoff.

    Attributes
    ----------
    currency : str
        The reporting currency.
    days, values : mapping of str to ndarray
        By currency: days on which a rate was set, and the rates.
    """

    currency: str
    days: Mapping[str, Ints]
    values: Mapping[str, Floats]

    def convert(self, amount: Floats, currency: Names, day: Ints, *, must: bool = True) -> Floats:
        """Amounts in the reporting currency, rounded to the hundredth; a row without a currency is in it already.

        Parameters
        ----------
        amount : ndarray of float64, shape (n,)
            Hundredths.
        currency : ndarray of str or None, shape (n,)
            ISO 4217 codes.
        day : ndarray of int64, shape (n,)
            Epoch days; days after the last rate take the last one.
        must : bool
            Whether an amount without a rate is refused; else it is NaN, as one that is not named.

        Raises
        ------
        crm.money.NoRate
            A currency has no rate by a day.
        """
        found = np.array(amount, dtype=np.float64)
        for code in sorted({one for one in currency.tolist() if one is not None and one != self.currency}):
            rows = np.flatnonzero(currency == code)
            days = self.days.get(code, np.zeros(0, dtype=np.int64))
            place = np.searchsorted(days, day[rows], side="right") - 1
            if (place < 0).any() and must:
                first = np.datetime64(int(day[rows[place < 0]][0]), "D")
                raise NoRate(f"no rate from {code} to {self.currency} by {first}; add one to fx_rates")
            known = place >= 0
            found[rows[~known]] = np.nan
            found[rows[known]] = np.round(found[rows[known]] * self.values[code][place[known]] if known.any() else 0.0)
        return found


def read_rates(table: pa.Table | None, currency: str) -> Rates:
    """The rates of `fx_rates`; an empty or missing table has none."""
    days: dict[str, Ints] = {}
    values: dict[str, Floats] = {}
    if table is not None and table.num_rows:
        code = np.array(table["currency"].to_pylist(), dtype=object)
        day = table["rate_on"].to_numpy().astype("datetime64[D]").astype(np.int64)
        rate = table["rate"].to_numpy().astype(np.float64)
        order = np.argsort(day, kind="stable")
        for one in dict.fromkeys(code.tolist()):
            rows = order[code[order] == one]
            days[one], values[one] = day[rows], rate[rows]
    return Rates(currency=currency, days=days, values=values)
