"""What the probability of a hazard's answer speaks of: which event, within how many days, of every row.

An open invoice is asked about the next line it may cross unpaid: its due day, then the day from which it is very
late, then the next weeks. The event is that nothing happens: its chance is one less that of the payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats: TypeAlias = npt.NDArray[np.float64]
Names: TypeAlias = npt.NDArray[np.str_]

AGE, PAST_DUE = "days_since_issue", "days_past_due"
LINE_FIELDS = frozenset({AGE, PAST_DUE})
LATE, VERY_LATE, UNPAID = "late", "very_late", "unpaid"
PAID = "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextLine:
    """The lines that an open invoice may cross unpaid.

    Parameters
    ----------
    late_days, very_late_days : int
        Days past due from which it is late, and very late.
    open_days : int
        Days that count once it is very late; without a due day so many days after issue are its due day.

    Examples
    --------
    >>> lines = NextLine(late_days=1, very_late_days=30, open_days=30)
    >>> age, past_due = np.array([1.0, 40.0, 80.0, 10.0]), np.array([-29.0, 10.0, 50.0, np.nan])
    >>> lines.horizons(age, past_due).tolist(), lines.events(age, past_due).tolist()
    ([30.0, 20.0, 30.0, 21.0], ['late', 'very_late', 'unpaid', 'late'])
    """

    late_days: int = 1
    very_late_days: int = 30
    open_days: int = 30

    def to_late(self, age: Floats, past_due: Floats) -> Floats:
        """Days from each row's day within which a payment is not late; negative once that is past."""
        due = np.where(np.isnan(past_due), np.nan_to_num(age) - self.open_days, past_due)
        # A payment on the row's own day lies in the first day ahead.
        return np.asarray(self.late_days - due)

    def to_very_late(self, age: Floats, past_due: Floats) -> Floats:
        """Days from each row's day within which a payment is not very late; negative once that is past."""
        return self.to_late(age, past_due) + self.very_late_days - self.late_days

    def horizons(self, age: Floats, past_due: Floats) -> Floats:
        """Days within which each row's payment counts, at least 1."""
        late, very_late = self.to_late(age, past_due), self.to_very_late(age, past_due)
        found = np.where(late >= 1, late, np.where(very_late >= 1, very_late, float(self.open_days)))
        return np.asarray(np.floor(found), dtype=np.float64)

    def events(self, age: Floats, past_due: Floats) -> Names:
        """What each row is asked about: `late`, `very_late` or `unpaid`."""
        late, very_late = self.to_late(age, past_due), self.to_very_late(age, past_due)
        return np.where(late >= 1, LATE, np.where(very_late >= 1, VERY_LATE, UNPAID)).astype(np.str_)

    def to_json(self) -> dict[str, int]:
        """Plain JSON values."""
        return {"late_days": self.late_days, "very_late_days": self.very_late_days, "open_days": self.open_days}


def lines_from_json(content: Mapping[str, int]) -> NextLine:
    """The lines written by `NextLine.to_json`."""
    return NextLine(**{name: int(content[name]) for name in ("late_days", "very_late_days", "open_days")})


def age_and_due(table: pa.Table) -> tuple[Floats, Floats]:
    """The two fields of a table's rows that lines are made of, NaN where they are not known."""
    return _column(table, AGE), _column(table, PAST_DUE)


def _column(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
