"""Weekly rows of open opportunities and what became of them, on a small record of known dates."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from crm.config import Config
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.outcomes import read_outcomes, time_outcomes
from features.question import BadQuestion, Question
from features.snapshots import build_snapshots
from features.timed_set import build_timed_set

UTC_ZONE = ZoneInfo("UTC")
QUESTION = Question(
    task="win_probability",
    entity="opportunities",
    event="won",
    horizon_days=91,
    gap_days=0,
    groups=("opportunity_profile",),
)


@pytest.fixture(scope="module")
def generation(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("record"))
    write_company(make_company("small", 7), store)
    return store.current()


def moments(*days):
    return np.array(days, dtype="datetime64[us]")


def test_first_cause_ends_a_row_and_an_open_one_is_censored():
    found = time_outcomes(
        moments("2026-01-01", "2026-01-01", "2026-01-01", "2026-01-20"),
        {
            "won": moments("2026-01-08", "NaT", "NaT", "2026-03-01"),
            "lost": moments("NaT", "2026-01-03", "NaT", "NaT"),
        },
        recorded_to=datetime(2026, 2, 1, tzinfo=UTC),
    )
    assert found.duration_days.tolist() == [7, 2, 31, 12]
    assert found.cause.tolist() == [1, 2, 0, 0]
    assert found.follow_up_days.tolist() == [31, 31, 31, 12]


def test_an_event_before_its_row_is_refused():
    with pytest.raises(ValueError, match="before its row"):
        time_outcomes(
            moments("2026-01-05"), {"won": moments("2026-01-01")}, recorded_to=datetime(2026, 2, 1, tzinfo=UTC)
        )


def test_what_happened_later_is_censored_at_an_earlier_moment():
    day = moments("2026-01-01", "2026-01-01")
    found = time_outcomes(
        day, {"won": moments("2026-01-08", "2026-01-20")}, recorded_to=datetime(2026, 2, 1, tzinfo=UTC)
    )
    then = found.as_known(day, np.datetime64("2026-01-15", "us"))
    assert then.duration_days.tolist() == [7, 14]
    assert then.cause.tolist() == [1, 0]
    assert then.follow_up_days.tolist() == [14, 14]
    with pytest.raises(ValueError, match="lies after"):
        found.as_known(day, np.datetime64("2025-12-31", "us"))


def test_every_monday_of_an_open_opportunity_gives_a_row(generation):
    spine = build_snapshots(generation, QUESTION, zone=UTC_ZONE, seed=1)
    with generation.engine() as engine:
        deals = engine.query("SELECT opportunity_id, created_at, recorded_at, closed_at FROM opportunities").to_pylist()
    by_name = {deal["opportunity_id"]: deal for deal in deals}
    found = {}
    for name, as_of in zip(spine["entity_id"].to_pylist(), spine["as_of"].to_pylist(), strict=True):
        deal = by_name[name]
        assert as_of.weekday() == 0
        assert max(deal["created_at"], deal["recorded_at"]) <= as_of
        assert deal["closed_at"] is None or as_of < deal["closed_at"]
        found[name] = found.get(name, 0) + 1
    closed = next(deal for deal in deals if deal["closed_at"] and found.get(deal["opportunity_id"], 0) > 5)
    begin = max(closed["created_at"], closed["recorded_at"])
    weeks = np.arange(np.datetime64("1970-01-05"), np.datetime64("2100-01-01"), np.timedelta64(7, "D"))
    expected = ((weeks >= np.datetime64(begin)) & (weeks < np.datetime64(closed["closed_at"]))).sum()
    assert found[closed["opportunity_id"]] == expected


def test_too_many_rows_are_thinned_evenly_and_alike_in_every_run(generation):
    whole = build_snapshots(generation, QUESTION, zone=UTC_ZONE, seed=1)
    most = -(-whole.num_rows // 3)
    some = build_snapshots(generation, QUESTION, zone=UTC_ZONE, seed=1, most_rows=most)
    assert some.equals(build_snapshots(generation, QUESTION, zone=UTC_ZONE, seed=1, most_rows=most))
    assert some.num_rows == pytest.approx(whole.num_rows / 3, rel=0.05)


def test_only_entities_with_causes_have_outcomes(generation):
    spine = build_snapshots(generation, QUESTION, zone=UTC_ZONE, seed=1)
    with pytest.raises(BadQuestion, match="no causes"):
        read_outcomes(generation, "leads", spine)


def test_a_window_that_is_still_open_is_unknown_and_the_past_knows_less(generation):
    rows = build_timed_set(generation, QUESTION, config=Config())
    asked = rows.within(91, "won")
    follow_up, known = rows.outcomes.follow_up_days, np.isfinite(asked.label)
    assert (known == (follow_up >= 91)).all()
    assert 0.02 < asked.label[known].mean() < 0.9
    moment = np.sort(rows.as_of)[len(rows.as_of) // 2]
    past = rows.known_at(moment)
    assert (past.as_of < moment).all()
    assert (past.outcomes.cause == 0).mean() > (rows.take(rows.as_of < moment).outcomes.cause == 0).mean()
    assert np.isfinite(rows.amount).any()
