"""Market signals at a cutoff: told as far as they were known, forecast beyond, never peeked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.market import EVERYWHERE, Signal, Signals, read_signals

ZONE = ZoneInfo("Asia/Shanghai")
CUTOFF = datetime(2025, 1, 1, tzinfo=UTC)
LAST = np.datetime64("2024-12", "M")
MONTHS = np.arange("2022-01", "2026-01", dtype="datetime64[M]")


def write(folder: Path, rows: Sequence[dict[str, object]]) -> Generation:
    columns = (*table("market_signals").columns, *SYSTEM_COLUMNS)
    schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
    store = Store(folder)
    with store.writing() as writer:
        filled = [{"backfilled": False, "source": "test", "segment": EVERYWHERE, **row} for row in rows]
        writer.replace("market_signals", pa.Table.from_pylist(filled, schema=schema))
    return store.current()


def row(name: str, month: date, value: float, recorded: datetime, *, ahead: bool = False) -> dict[str, object]:
    return {
        "name": name,
        "signal_month": month,
        "value": value,
        "known_ahead": ahead,
        "recorded_at": recorded.replace(tzinfo=None),
    }


def made_signals(later: float) -> list[dict[str, object]]:
    """Three years of an index that comes out a month late, and of a count known two months ahead."""
    draw = np.random.default_rng(1)
    rows = []
    for month in np.arange("2022-01", "2025-12", dtype="datetime64[M]").astype("datetime64[D]").tolist():
        after = datetime(month.year + month.month // 12, month.month % 12 + 1, 10, tzinfo=UTC)
        before = datetime(month.year, month.month, 1, tzinfo=UTC).timestamp() - 60 * 86_400
        ahead = datetime.fromtimestamp(before, UTC)
        known = after <= CUTOFF
        rows.append(row("index", month, draw.normal() if known else later, after))
        rows.append(row("days", month, float(month.month) if ahead <= CUTOFF else later, ahead, ahead=True))
    return rows


def test_values_recorded_after_the_cutoff_change_nothing(tmp_path: Path) -> None:
    seen = [
        read_signals(write(tmp_path / f"{later}", made_signals(later)), CUTOFF, LAST, ZONE) for later in (5.0, -900.0)
    ]

    first, second = (one.expected([(), ("East",)], MONTHS) for one in seen if one is not None)
    assert sorted(first) == ["days", "index"]
    for name in first:
        assert np.array_equal(first[name], second[name], equal_nan=True)
        assert np.isfinite(first[name][:, 12:]).all()


def test_a_month_is_told_by_what_was_known_before_it_began() -> None:
    values = np.random.default_rng(2).normal(size=36).cumsum()
    signal = Signal(first=MONTHS[0], values=values, known_ahead=False)
    changed = Signal(first=MONTHS[0], values=np.append(values[:-1], 1e6), known_ahead=False)

    told = signal.expected(MONTHS, LAST)
    assert told[1:36].tolist() == values[:35].tolist()
    assert told[36:].tolist() == [values[35]] * 12
    # The newest value says nothing of its own month, nor of any before it.
    assert np.array_equal(changed.expected(MONTHS, LAST)[:36], told[:36], equal_nan=True)


def test_an_index_that_comes_out_late_is_as_late_in_training_as_at_the_cutoff() -> None:
    values = np.random.default_rng(3).normal(size=34).cumsum()
    told = Signal(first=MONTHS[0], values=values, known_ahead=False).expected(MONTHS, LAST)

    assert told[36] == values[33]
    assert told[20] == values[17]


def test_what_is_known_ahead_tells_its_own_month_and_then_the_year_before() -> None:
    season = np.tile(np.arange(12.0), 4)
    told = Signal(first=MONTHS[0], values=season[:38], known_ahead=True).expected(MONTHS, LAST)

    assert told.tolist() == season.tolist()


def test_a_gap_is_told_by_the_last_value_before_it() -> None:
    values = np.arange(36.0)
    values[[10, 35]] = np.nan
    told = Signal(first=MONTHS[0], values=values, known_ahead=False).expected(MONTHS, LAST)

    assert told[11] == 9.0
    assert told[36] == 34.0


def test_a_series_hears_its_own_region_or_industry_then_all_then_the_mean() -> None:
    def steady(value: float) -> Signal:
        return Signal(first=MONTHS[0], values=np.full(36, value), known_ahead=False)

    parted = Signals(last=LAST, by_name={"climate": {"East": steady(1.0), "Steel": steady(3.0)}})
    told = parted.expected([("East",), ("West",), ("Oil", "Steel"), ()], MONTHS)["climate"]
    assert told[:, -1].tolist() == [1.0, 2.0, 3.0, 2.0]

    general = Signals(last=LAST, by_name={"climate": {EVERYWHERE: steady(7.0), "East": steady(1.0)}})
    assert general.expected([("East",), ("West",)], MONTHS)["climate"][:, -1].tolist() == [1.0, 7.0]


@pytest.mark.parametrize("n", [1, 23])
def test_a_short_signal_is_left_out(tmp_path: Path, n: int) -> None:
    rows = made_signals(0.0)[: 2 * n : 2]

    assert read_signals(write(tmp_path, rows), datetime(2027, 1, 1, tzinfo=UTC), LAST, ZONE) is None
