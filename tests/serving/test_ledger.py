"""The ledger: rows beside what was known without a model, scored once, counted twice to the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from crm.app_database import ForecastOverride, ForecastRevision, ForecastRow, ForecastRun, ForecastScore, open_database
from features.calls import Calls
from features.nodes import Level, Node
from features.panel import Panel
from features.periods import Period, first_month, stretches
from models.series_forecast import NodeForecast
from serving.forecast_accuracy import Seen, SummedLedger, ledger_figures
from serving.forecast_ledger import Beside, ledger_rows, write_run
from serving.forecast_overrides import Call, list_overrides, value_added, write_override
from serving.forecast_recount import recount
from serving.forecast_scoring import score_closed

NOW = datetime(2026, 3, 10, 4, tzinfo=UTC)
COMPANY, EAST, WEST = (
    Node(level=Level.COMPANY),
    Node(level=Level.REGION, region="East"),
    Node(level=Level.REGION, region="West"),
)
EVERYTHING = Seen()


@pytest.fixture
def engine():
    engine = open_database("sqlite://")
    yield engine
    engine.dispose()


def forecast(node: Node, first: str, expected: Sequence[float], width: float = 2.0) -> NodeForecast:
    said = np.array(expected, dtype=np.float64)
    return NodeForecast(
        measure="bookings",
        node=node,
        status="forecast",
        note="",
        months=np.datetime64(first, "M") + np.arange(len(said)),
        expected=said,
        baseline=said + 3,
        quantiles=said[:, None] + width * np.array([-2, -1, -0.5, 0, 0.5, 1, 2]),
    )


def publish(engine: Engine, run_id: str, forecasts: Sequence[NodeForecast], beside: Beside | None = None) -> bool:
    told = {"task": "sales_forecast", "made_by": "t", "record_digest": "d", "model_version": "1", "model_digest": "e"}
    run = ForecastRun(run_id=run_id, made_at=NOW, as_of=NOW, n_rows=0, **told)
    return write_run(engine, run, ledger_rows(forecasts, beside or Beside()))


def came(amounts: dict[Node, Sequence[float]], first: str = "2026-01") -> dict[str, Panel]:
    n_months = len(next(iter(amounts.values())))
    panel = Panel(
        measure="bookings",
        months=np.datetime64(first, "M") + np.arange(n_months),
        nodes=tuple(amounts),
        values=np.array(list(amounts.values()), dtype=np.float64),
    )
    return {"bookings": panel}


def rows_of(engine: Engine, kind: type) -> list[dict[str, object]]:
    with Session(engine) as session:
        names = [column.key for column in kind.__table__.columns]
        return [{name: getattr(one, name) for name in names} for one in session.scalars(select(kind))]


@pytest.mark.parametrize(("starts", "first"), [(1, "2026-01"), (2, "2025-11"), (3, "2025-12"), (4, "2026-01")])
def test_fiscal_quarters_begin_with_the_fiscal_year(starts: int, first: str) -> None:
    found = first_month(np.datetime64("2026-01", "M"), Period.QUARTER, starts)
    assert found == np.datetime64(first, "M")
    ahead = np.datetime64("2026-01", "M") + np.arange(18)
    for one in stretches(ahead, starts):
        assert one.last <= ahead[-1]
        assert (int(one.first.astype(int)) - starts + 1) % one.period.n_months == 0


def test_a_running_quarter_holds_its_closed_months_and_what_is_said_of_the_others(engine: Engine) -> None:
    closed = {("bookings", COMPANY): {np.datetime64("2026-01", "M"): 7.0}}
    publish(engine, "r1", [forecast(COMPANY, "2026-02", [10, 20, 30, 40, 50])], Beside(closed=closed))
    found = {(row["period"], row["month"]): row for row in rows_of(engine, ForecastRow)}

    quarter = found["quarter", date(2026, 1, 1)]
    assert (quarter["expected"], quarter["baseline"], quarter["step"]) == (37.0, 43.0, 1)
    assert quarter["quantiles"] == {}
    assert found["quarter", date(2026, 4, 1)]["expected"] == 120.0
    assert found["month", date(2026, 4, 1)]["quantiles"]["0.9"] == 32.0
    assert len(found) == 5 + 2
    assert {row["committed"] for row in found.values()} == {None}


def test_calls_stand_beside_every_period_they_cover(engine: Engine) -> None:
    months = np.datetime64("2026-01", "M") + np.arange(5)
    said = np.array([[1.0, 2.0, 4.0, 8.0, 16.0], [10.0, 10.0, 10.0, 10.0, np.nan]])
    calls = Calls(
        nodes=("company", "region:East"),
        months=months,
        signed=said,
        stage_weighted=said,
        commit=np.full((2, 5), np.nan),
        best_case=said,
        last_year=said,
        last_year_grown=said,
    )
    told = [forecast(node, "2026-02", [10, 20, 30, 40]) for node in (COMPANY, EAST, WEST)]
    publish(engine, "r1", told, Beside(calls={"bookings": calls}))
    found = {(row["node_id"], row["period"], row["month"].month): row for row in rows_of(engine, ForecastRow)}

    assert found["company", "quarter", 1]["stage_weighted"] == 7.0
    assert found["company", "month", 5]["stage_weighted"] == 16.0
    assert found["region:East", "quarter", 1]["stage_weighted"] == 30.0
    assert found["region:East", "month", 5]["stage_weighted"] is None
    # The record has nothing of the west, which is a call of nothing; nobody called anything commit.
    assert found["region:West", "quarter", 1]["stage_weighted"] == 0.0
    assert {row["committed"] for row in found.values()} == {None}


def test_a_series_by_quarter_is_written_by_its_own_quarters_alone(engine: Engine) -> None:
    north = Node(level=Level.SERIES, series="north")
    quarters = np.array(["2026-03", "2026-06"], "datetime64[M]")
    said = replace(forecast(north, "2026-03", [30, 60]), months=quarters, period=3)
    # A fiscal year from February has other quarters than the series.
    publish(engine, "r1", [said], Beside(fiscal_year_starts=2))
    score_closed(engine, came({north: [0, 0, 33]}), record_digest="a", now=NOW)
    found = rows_of(engine, ForecastRow)

    assert [(row["period"], row["month"], row["step"], row["expected"]) for row in found] == [
        ("quarter", date(2026, 1, 1), 1, 30.0),
        ("quarter", date(2026, 4, 1), 2, 60.0),
    ]
    assert found[0]["quantiles"]["0.9"] == 32.0
    assert [row["actual"] for row in rows_of(engine, ForecastScore)] == [33.0]


def test_a_row_is_scored_once_and_later_corrections_are_revisions(engine: Engine) -> None:
    publish(engine, "r1", [forecast(COMPANY, "2026-02", [10, 20]), forecast(EAST, "2026-02", [5, 5])])
    first = score_closed(engine, came({COMPANY: [1, 11], EAST: [1, 9]}), record_digest="a", now=NOW)
    again = score_closed(engine, came({COMPANY: [1, 11], EAST: [1, 9]}), record_digest="a", now=NOW)
    before = rows_of(engine, ForecastScore)
    later = NOW + timedelta(days=30)
    third = score_closed(engine, came({COMPANY: [1, 99, 20], EAST: [1, 9, 5]}), record_digest="b", now=later)
    fourth = score_closed(engine, came({COMPANY: [1, 99, 20], EAST: [1, 9, 5]}), record_digest="b", now=later)

    assert (first.n_scored, again.n_scored, third.n_scored, fourth.n_scored) == (2, 0, 4, 0)
    assert (first.n_revised, third.n_revised, fourth.n_revised) == (0, 1, 0)
    assert before == rows_of(engine, ForecastScore)[: len(before)]
    assert {(row["node_id"], row["actual"], row["is_inside_80"]) for row in before} == {
        ("company", 11.0, True),
        ("region:East", 9.0, False),
    }
    (revision,) = rows_of(engine, ForecastRevision)
    assert (revision["node_id"], revision["actual_before"], revision["actual_now"]) == ("company", 11.0, 99.0)


def test_who_left_is_told_and_counted_in_no_figure(engine: Engine) -> None:
    publish(engine, "r1", [forecast(COMPANY, "2026-02", [10]), forecast(WEST, "2026-02", [5])])
    scored = score_closed(engine, came({COMPANY: [1, 11]}), record_digest="a", now=NOW)
    figures = {row["level"]: row for row in ledger_figures(engine, EVERYTHING, seed=1) if row["bucket"] == "all"}

    assert (scored.n_scored, scored.n_gone) == (2, 1)
    assert (figures["region"]["n"], figures["region"]["n_gone"], figures["region"]["wape"]) == (0, 1, None)
    assert (figures["company"]["n"], figures["company"]["wape"]) == (1, pytest.approx(1 / 11))


@pytest.mark.parametrize("kind", [ForecastRow, ForecastScore, ForecastOverride, ForecastRevision])
def test_nothing_of_the_ledger_can_be_changed(engine: Engine, kind: type) -> None:
    fill(engine)
    for statement in (update(kind).values(month=date(2020, 1, 1)), delete(kind)):
        with Session(engine) as session, pytest.raises(DatabaseError, match="never changed"):
            session.execute(statement)


def fill(engine: Engine, n_runs: int = 8) -> None:
    """Runs a month apart with overrides, most of them closed, one outcome corrected."""
    random = np.random.default_rng(5)
    months = np.datetime64("2025-01", "M") + np.arange(n_runs + 6)
    amounts = {node: random.gamma(3, 30, len(months)) for node in (COMPANY, EAST, WEST)}
    for run in range(n_runs):
        said = [
            forecast(node, str(months[run]), values[run : run + 6] + random.normal(0, 12, 6), width=8)
            for node, values in amounts.items()
        ]
        publish(engine, f"r{run}", said)
        for author in ("wang", "li"):
            for _ in range(2):
                call = Call(
                    measure="bookings",
                    node_id=str(random.choice(["region:East", "company"])),
                    period="month",
                    month=months[run + int(random.integers(6))].astype("datetime64[D]").item(),
                    value=float(random.gamma(3, 30)),
                    reason="a tender",
                )
                write_override(engine, f"r{run}", call, author=author, now=NOW + timedelta(hours=run))
    known = {node: values[:-3] for node, values in amounts.items()}
    score_closed(engine, came(known, "2025-01"), record_digest="a", now=NOW)
    revised = {node: np.where(np.arange(len(values)) == 4, 1.0, values) for node, values in known.items()}
    score_closed(engine, came(revised, "2025-01"), record_digest="b", now=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    "seen", [EVERYTHING, Seen(level="region"), Seen(node_ids=frozenset({"region:East"})), Seen(measure="revenue")]
)
def test_figures_are_the_same_when_they_are_counted_row_by_row(engine: Engine, seen: Seen) -> None:
    fill(engine)
    summed, counted = ledger_figures(engine, seen, seed=1), recount(engine, seen, seed=1)

    assert bool(summed) == (seen.measure is None)
    assert summed == counted
    if seen == EVERYTHING:
        company = next(
            row for row in summed if (row["level"], row["period"], row["bucket"]) == ("company", "month", "all")
        )
        assert company["n_revised"] == 1
        assert company["n_runs"] == 8


def test_sums_are_kept_until_something_is_published_or_called(engine: Engine) -> None:
    fill(engine)
    ledger = SummedLedger(engine)
    first = ledger.read(EVERYTHING)

    assert ledger.read(Seen()) is first
    assert ledger.read(Seen(level="region")) is not first
    assert first.figures(seed=1) == ledger_figures(engine, EVERYTHING, seed=1)
    assert first.figures(seed=1, limit=2, offset=1) == first.figures(seed=1)[1:3]
    publish(engine, "new", [forecast(EAST, "2026-02", [10])])
    assert ledger.read(EVERYTHING) is not first


def test_what_began_before_a_day_is_left_out(engine: Engine) -> None:
    fill(engine)
    late = Seen(since=date(2025, 6, 1))
    assert ledger_figures(engine, late, seed=1) == recount(engine, late, seed=1)
    months = {one["period"]: one["n_months"] for one in ledger_figures(engine, late, seed=1) if one["bucket"] == "all"}
    assert months == {"month": 6, "quarter": 1}


def test_value_added_is_the_forecasts_error_less_that_of_the_last_call(engine: Engine) -> None:
    publish(engine, "r1", [forecast(EAST, "2026-02", [10, 20])])
    for month, values in ((2, (99, 12)), (3, (26,))):
        for place, value in enumerate(values):
            call = Call(
                measure="bookings",
                node_id="region:East",
                period="month",
                month=date(2026, month, 1),
                value=value,
                reason="a tender",
            )
            write_override(engine, "r1", call, author="wang", now=NOW + timedelta(hours=place))
    score_closed(engine, came({EAST: [0, 14, 25]}), record_digest="a", now=NOW)
    (added,) = value_added(engine, EVERYTHING, seed=1)

    # Outcomes 14 and 25, calls 12 and 26, forecasts 10 and 20, last year 13 and 23.
    assert (added["author"], added["level"], added["n"]) == ("wang", "region", 2)
    assert added["wape"] == pytest.approx(3 / 39)
    assert added["forecast_wape"] == pytest.approx(9 / 39)
    assert added["value_added"] == pytest.approx(6 / 39)
    assert added["value_added_over_naive"] == pytest.approx(0.0)
    assert added["value_added_low"] is None


def test_the_same_call_again_changes_nothing_and_another_one_replaces_it(engine: Engine) -> None:
    publish(engine, "r1", [forecast(EAST, "2026-02", [10])])
    call = Call(
        measure="bookings", node_id="region:East", period="month", month=date(2026, 2, 1), value=12.0, reason="a tender"
    )

    def say(value: float, hours: int) -> ForecastOverride:
        said = Call(**{**asdict(call), "value": value})
        kept = write_override(engine, "r1", said, author="wang", now=NOW + timedelta(hours=hours))
        assert kept is not None
        return kept

    first, same, other, back = say(12, 0), say(12, 1), say(15, 2), say(12, 3)
    assert same.override_id == first.override_id
    assert (first.replaces, other.replaces, back.replaces) == (None, first.override_id, other.override_id)
    assert back.override_id != first.override_id
    total, newest = list_overrides(engine, EVERYTHING, node_id=None, limit=2, offset=0)
    assert (total, [one.value for one in newest]) == (3, [12.0, 15.0])
    assert write_override(engine, "r9", call, author="wang", now=NOW) is None
