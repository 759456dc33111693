"""Columns that the record does not know: their dtypes are strict and stable."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crm.custom import infer_dtype, read_custom
from crm.schema import DType


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["Yes", "No", None], DType.FLAG),
        (["yes", "Yes"], DType.TEXT),
        (["1", "0"], DType.NUMBER),
        (["1.50", "-3"], DType.NUMBER),
        (["0007", "12"], DType.TEXT),
        (["1E5"], DType.TEXT),
        (["12345678901234567890"], DType.TEXT),
        (["1,500"], DType.TEXT),
        (["2024-01-31"], DType.DATE),
        (["2024-01-31", "2024-01-31 08:00:00"], DType.TIMESTAMP),
        (["2024-02-30"], DType.TEXT),
        (["NaN"], DType.TEXT),
    ],
)
def test_dtype_is_the_narrowest_that_loses_nothing(cells: list[str | None], dtype: DType) -> None:
    assert infer_dtype(pa.array(cells)) is dtype


def test_empty_column_is_not_kept_until_it_holds_something() -> None:
    cells = pa.array([None, " "], pa.string())
    assert read_custom("x", cells, missing=(), rule=None, known=None) is None
    kept = read_custom("x", cells, missing=(), rule=None, known=DType.NUMBER)
    assert kept is not None
    assert kept.dtype is DType.NUMBER


def test_known_dtype_holds_until_a_cell_does_not_fit() -> None:
    fits = read_custom("x", pa.array(["2024-01-01"]), missing=(), rule=None, known=DType.TEXT)
    wider = read_custom("x", pa.array(["many"]), missing=(), rule=None, known=DType.NUMBER)
    assert fits is not None
    assert wider is not None
    assert (fits.dtype, wider.dtype) == (DType.TEXT, DType.TEXT)


def test_typed_identifiers_above_two_to_the_53_stay_text() -> None:
    column = read_custom("x", pa.array([2**53 + 1]), missing=(), rule=None, known=None)
    assert column is not None
    assert column.values.to_pylist() == [str(2**53 + 1)]
