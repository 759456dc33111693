"""Answers about the published forecast: what a caller may see of it, and how good it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Engine

from models.series_forecast import FORECAST, NOTES
from models.tasks.sales_forecast import TASK
from serving.access import VisibleReps
from serving.forecast_accuracy import Seen, SummedLedger
from serving.forecast_overrides import value_added
from serving.forecast_table import NODE_PARTS, BadForecast, ForecastTable, Series, read_forecast
from serving.published import Followed

# Figures are of what closed in the last two years: what answers today was built in them.
_YEARS_BACK = 2
NOTHING_YET = "no forecast was published yet: salescast train sales_forecast, promote, forecast"


def follow_forecast(folder: Path) -> Followed[ForecastTable]:
    """The forecast that answers, out of `config.forecasts_folder`."""
    return Followed(folder / TASK.name, lambda: read_forecast(folder, TASK.name), BadForecast)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller asks for; None takes everything.

    Parameters
    ----------
    measure, level, node : str or None
        Filters.
    months : int
        Months ahead.
    actuals : int
        Closed months beside them.
    limit, offset : int
        Part of the list.
    """

    measure: str | None = None
    level: str | None = None
    node: str | None = None
    months: int = TASK.horizon_months
    actuals: int = 12
    limit: int = 50
    offset: int = 0

    def fits(self, one: Series) -> bool:
        """Whether a series passes the filters."""
        pairs = ((self.measure, one.measure), (self.level, one.level), (self.node, one.node_id))
        return all(asked is None or asked == found for asked, found in pairs)


def visible(table: ForecastTable, seen: VisibleReps) -> list[Series]:
    """The series whose every salesperson the caller sees."""
    return [one for one in table.series if seen.may_see_sum(table.about.summed.get(one.node_id))]


def answer_forecast(table: ForecastTable, seen: VisibleReps, wanted: Wanted) -> dict[str, object]:
    """The series that a caller asked for and may see, as `ForecastAnswer`."""
    found = [one for one in visible(table, seen) if wanted.fits(one)]
    judged = _judged(table)
    about = table.about
    return {
        "run_id": about.run_id,
        "as_of": datetime.fromisoformat(about.as_of),
        "made_at": datetime.fromisoformat(about.made_at),
        "model_version": about.model_version,
        "currency": about.currency,
        "reason": None,
        "total": len(found),
        "series": [
            _series(one, judged.get((one.measure, one.level)), wanted)
            for one in found[wanted.offset : wanted.offset + wanted.limit]
        ],
    }


def answer_nothing() -> dict[str, object]:
    """The answer before the first forecast."""
    empty: dict[str, object] = dict.fromkeys(("run_id", "as_of", "made_at", "model_version", "currency"))
    return {**empty, "reason": NOTHING_YET, "total": 0, "series": []}


def _judged(table: ForecastTable) -> dict[tuple[str, str], Mapping[str, object]]:
    rows = (dict(entry) for entry in table.about.accuracy)
    return {(str(row["measure"]), str(row["level"])): row for row in rows if row["bucket"] == "all"}


def _series(one: Series, judged: Mapping[str, object] | None, wanted: Wanted) -> dict[str, object]:
    english, chinese = NOTES.get(one.note, ("", ""))
    # What was measured are the ranges of the forecast; where something else answers they say nothing of its ranges.
    measured = judged if one.status == FORECAST else None
    inside = _coverage(measured) if measured is not None else {}
    closed = sorted(one.actuals)[-wanted.actuals :] if wanted.actuals else []
    return {
        "measure": one.measure,
        "level": one.level,
        "node_id": one.node_id,
        **{name: getattr(one, name) for name in NODE_PARTS},
        "status": one.status,
        "note_en": english or None,
        "note_zh": chinese or None,
        "verdict": judged["verdict"] if judged is not None else None,
        "coverage_80": inside.get("value"),
        "coverage_80_low": inside.get("low"),
        "coverage_80_high": inside.get("high"),
        "coverage_n": measured["n"] if measured is not None else None,
        "actuals": [{"month": month, "amount": one.actuals[month]} for month in closed],
        "months": [month for month in one.ahead if int(str(month["step"])) <= wanted.months],
    }


def _coverage(row: Mapping[str, object]) -> Mapping[str, object]:
    coverage = row["coverage"]
    assert isinstance(coverage, Mapping)
    inside = coverage["80"]
    assert isinstance(inside, Mapping)
    return inside


def backtest_figures(table: ForecastTable, wanted: Wanted) -> list[dict[str, object]]:
    """The replayed past by measure, level and months ahead, as `BacktestFigures`."""
    found = []
    for row in table.about.accuracy:
        if wanted.measure not in (None, row["measure"]) or wanted.level not in (None, row["level"]):
            continue
        gain, inside = row["gain"], _coverage(row)
        assert isinstance(gain, Mapping)
        plain = ("measure", "level", "bucket", "n", "n_months", "wape", "baseline_wape", "mase", "baseline_mase")
        found.append(
            {
                **{name: row[name] for name in (*plain, "bias", "verdict")},
                "gain": gain["value"],
                "gain_low": gain["low"],
                "gain_high": gain["high"],
                "coverage_80": inside["value"],
                "coverage_80_low": inside["low"],
                "coverage_80_high": inside["high"],
            }
        )
    return found


def ledger_answer(
    engine: Engine, ledger: SummedLedger, table: ForecastTable, seen: VisibleReps, wanted: Wanted, *, seed: int
) -> dict[str, object]:
    """Published forecasts held against what came since, as far as the caller may see, as in `AccuracyAnswer`.

    Parameters
    ----------
    engine : Engine
        The application database.
    ledger : SummedLedger
        The sums of it that are kept.
    table : ForecastTable
        The newest forecast, which says who is behind each node.
    seen : VisibleReps
        Whose rows the caller sees.
    wanted : Wanted
        Filters, and the part of the list.
    seed : int
        Random state of the intervals.
    """
    told_on = datetime.fromisoformat(table.about.as_of)
    since = date(told_on.year - _YEARS_BACK, told_on.month, 1)
    whole = Seen(measure=wanted.measure, level=wanted.level, node_ids=seen_nodes(table, seen), since=since)
    sums = ledger.read(whole)
    return {
        "ledger_total": len(sums.sums),
        "ledger": sums.figures(seed=seed, limit=wanted.limit, offset=wanted.offset),
        "overrides": value_added(engine, whole, seed=seed),
    }


def seen_nodes(table: ForecastTable, seen: VisibleReps) -> frozenset[str] | None:
    """The nodes whose every salesperson the caller sees; None for whoever sees everyone."""
    return None if seen.everyone else frozenset(one.node_id for one in visible(table, seen))
