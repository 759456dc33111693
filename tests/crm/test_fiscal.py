"""The fiscal calendar: every month has one year and one quarter, whichever month the year begins with."""

import numpy as np
import pytest

from crm.fiscal import fiscal_quarter, fiscal_year, quarter_months, quarter_name, quarter_start, year_start

MONTHS = np.arange("2019-01", "2027-01", dtype="datetime64[M]")


@pytest.mark.parametrize("starts", range(1, 13))
def test_years_have_twelve_months_and_quarters_three(starts: int) -> None:
    year, quarter = fiscal_year(MONTHS, starts), fiscal_quarter(MONTHS, starts)
    inner = (year > year.min()) & (year < year.max())

    assert set(np.unique(year[inner], return_counts=True)[1].tolist()) == {12}
    assert set(np.unique(4 * year[inner] + quarter[inner], return_counts=True)[1].tolist()) == {3}
    assert (fiscal_quarter(year_start(MONTHS, starts), starts) == 1).all()
    assert (year_start(MONTHS, starts).astype(int) % 12 + 1 == starts).all()
    for month, first in zip(MONTHS, quarter_start(MONTHS, starts), strict=True):
        assert month in quarter_months(first)
        assert quarter_name(first, starts) == f"FY{fiscal_year(month[None], starts)[0]} Q" + str(
            fiscal_quarter(month[None], starts)[0]
        )


def test_a_year_that_begins_in_no_month_is_refused() -> None:
    with pytest.raises(ValueError, match="from 1 to 12, not with 13"):
        fiscal_year(MONTHS, 13)
