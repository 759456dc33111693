"""Day one: what a company without history may expect of its win probability, now and after 30, 90 and 180 days.

The demo company moves in on a day half a year before the test window. It exports today's values: no changes, closed
deals with their final stage. From then on every week's export is taken in, so that its own history grows. Beside it
stands the same company with the history that its CRM had kept. Both are judged on the same later deals.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from benchmarks.figures import Figure
from crm.config import Config
from crm.demo.company import DemoCompany, make_company
from crm.demo.export import export_company, forget_history
from crm.demo.write import write_company
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Generation, Store
from features.catalogue import group_named
from features.first_seen import forget_before_history
from features.leakage import Finding
from features.leakage_record import find_leaks_of_record
from features.spoiling import truncate
from features.timed_set import TimedSet, build_timed_set
from models.encoding import make_encoder
from models.hazard import fit_hazard
from models.hazard_fit import durations_of, reachable_grid
from models.metrics import Blocks, Interval, auc, ece, interval, make_blocks, paired_interval
from models.tasks.win_probability import TASK

Floats: TypeAlias = npt.NDArray[np.float64]

DAYS = (1, 30, 90, 180)
WEEK = timedelta(days=7)
TEST_DAYS = 182
# One learner for all cells, named before any was measured: what differs is the history alone.
LEARNER = "hazard_booster"
N_DRAWS = 400
SIZE = "small"
PAGE = Path(__file__).parent.parent / "docs" / "day-one.md"
_PROTOCOL = (
    "demo company small, unseen seed, exported without history, then once a week; P(won within 91 days) of the deals "
    "open on Mondays of the half year that begins 180 days after the first export; baseline: the same company with "
    "the history of its CRM"
)
TABLES = ("org_units", "reps", "products", "partners", "accounts", "opportunities", "activities", "changes")
_ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Later:
    """The deals that judge, with the features that the company of each kind has of them."""

    without: TimedSet
    with_past: TimedSet
    label: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What was found for one company.

    Attributes
    ----------
    p : dict of (int, bool) to ndarray of float64, shape (n_test_rows,)
        By days since the first one here, and whether the company brought its past: P(won within the headline).
    n_rows : dict of (int, bool) to int
        Rows that each model learned from.
    naive : ndarray of float64
        What a model of the first day says that took today's values for those of the past.
    later : Later
        The deals that judge.
    findings : tuple of Finding
        What the search for leaks named on the first day.
    """

    p: dict[tuple[int, bool], Floats]
    n_rows: dict[tuple[int, bool], int]
    naive: Floats
    later: Later
    findings: tuple[Finding, ...]


def measure_company(seed: int, *, size: str) -> Measured:
    """Every cell of the table for one demo company."""
    company = make_company(size, seed)
    company = replace(company, tables={name: rows for name, rows in company.tables.items() if name in TABLES})
    config = Config.model_validate({"company": {"currency": "CNY", "time_zone": _ZONE}})
    end = datetime.fromtimestamp(company.end_us / 1e6, UTC)
    test_from = end - timedelta(days=TASK.headline_days + TEST_DAYS)
    first = test_from - timedelta(days=max(DAYS))
    rows: dict[tuple[int, bool], TimedSet] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        grown, whole = _Grown(home / "own", config, company), Store(home / "whole")
        for days in DAYS:
            moment = first + timedelta(days=days)
            grown.live_until(moment, first)
            if days == min(DAYS):
                findings, naive = named_leaks(grown.store.current(), config, seed)
            rows[days, False] = learnable(grown.store.current(), config)
            kept = Store(home / f"kept-{days}")
            write_company(replace(company, tables=truncate(company.tables, moment, config.company.zone, {})), kept)
            rows[days, True] = learnable(kept.current(), config)
            print(f"day one: day {days} of company {seed}", file=sys.stderr)
        grown.live_until(end, first)
        write_company(company, whole)
        both = (build_timed_set(store.current(), TASK.question, config=config) for store in (grown.store, whole))
        later = _later(*both, test_from)
    return Measured(
        p={key: _predict(each, later.with_past if key[1] else later.without, seed) for key, each in rows.items()},
        n_rows={key: len(each.entity_id) for key, each in rows.items()},
        naive=_predict(naive, later.without, seed),
        later=later,
        findings=findings,
    )


class _Grown:
    """A company that moves in with today's values and brings its export every week."""

    def __init__(self, home: Path, config: Config, company: DemoCompany) -> None:
        self.store = Store(home / "record")
        self._files, self._config, self._company = home / "files", config, company
        self._next: datetime | None = None

    def live_until(self, moment: datetime, first: datetime) -> None:
        """Take in the exports of every week up to a moment, and that of the moment itself."""
        due = self._next or first
        while due < moment:
            self._take_in(due, ("opportunities",) if self._next else TABLES)
            due = self._next = due + WEEK
        self._take_in(moment, TABLES)

    def _take_in(self, moment: datetime, names: Sequence[str]) -> None:
        company = self._company
        today = truncate(company.tables, moment, self._config.company.zone, {})
        today["opportunities"] = _open_is_said(today["opportunities"])
        mapping = export_company(
            forget_history(replace(company, tables={name: rows for name, rows in today.items() if name in names})),
            self._files,
        )
        stated = yaml.safe_load(mapping.read_text(encoding="utf-8"))
        for source in stated["sources"]:
            if source["table"] == "activities":
                # Contacts are logged as they happen; only what is overwritten waits for the weekly export.
                source["recorded_at"] = {"every_load": True}
        mapping.write_text(yaml.safe_dump(stated, allow_unicode=True, sort_keys=False), encoding="utf-8")
        report = ingest(self.store, read_mapping(mapping), self._files, config=self._config, now=moment)
        refused = [source.refused for source in report.sources if source.refused]
        if refused or report.rejects:
            raise RuntimeError(f"the weekly export was not taken in: {refused or len(report.rejects)}")


def _open_is_said(deals: pa.Table) -> pa.Table:
    """A CRM writes `open` for the outcome of an open deal."""
    at = deals.schema.get_field_index("outcome")
    return deals.set_column(at, deals.schema.field(at), pc.fill_null(deals["outcome"], "open"))


def learnable(generation: Generation, config: Config) -> TimedSet:
    """The rows of a record; what is overwritten is forgotten where its past is not on record."""
    rows = build_timed_set(generation, TASK.question, config=config)
    return forget_before_history(generation, [group_named(name) for name in TASK.feature_groups], rows)


def named_leaks(generation: Generation, config: Config, seed: int) -> tuple[tuple[Finding, ...], TimedSet]:
    """What the search names among today's values, and the rows as they would be without it."""
    rows = build_timed_set(generation, TASK.question, config=config)
    asked = rows.within(TASK.headline_days, TASK.event)
    return find_leaks_of_record(generation, TASK.question, asked, config=config, seed=seed), rows


def _later(without: TimedSet, with_past: TimedSet, test_from: datetime) -> Later:
    """Rows of the test window that both kinds of company have, outcomes known."""
    start = np.datetime64(test_from.replace(tzinfo=None), "us")
    keys = [list(zip(each.entity_id.tolist(), each.as_of.tolist(), strict=True)) for each in (without, with_past)]
    both = set(keys[0]) & set(keys[1])
    parts = []
    for rows, own in zip((without, with_past), keys, strict=True):
        settled = rows.outcomes.follow_up_days >= TASK.headline_days
        parts.append(rows.take((rows.as_of >= start) & settled & np.array([key in both for key in own])))
    label = parts[1].within(TASK.headline_days, TASK.event).label
    if not np.array_equal(label, parts[0].within(TASK.headline_days, TASK.event).label):
        raise RuntimeError("the two companies tell different outcomes of the same deals")
    return Later(without=parts[0], with_past=parts[1], label=label)


def _predict(rows: TimedSet, test: TimedSet, seed: int) -> Floats:
    grid = reachable_grid(TASK.grid, rows.outcomes)
    if grid is None or grid.end < TASK.headline_days:
        raise RuntimeError("the record is too short for the headline")
    encoder = make_encoder(rows.fields, rows.rows)
    model = fit_hazard(
        LEARNER,
        encoder,
        encoder.encode_table(rows.rows),
        durations_of(rows.outcomes),
        grid=grid,
        causes=rows.outcomes.causes,
        seed=seed,
    )
    return model.incidence(encoder.encode_table(test.rows)).by(float(TASK.headline_days), TASK.event)


def measure_day_one(seed: int) -> Iterator[Figure]:
    """The figures of the first day and the days after it, and the page that shows them as a table."""
    measured = measure_company(seed, size=SIZE)
    later = measured.later
    blocks = make_blocks(later.without.group, n_draws=N_DRAWS, seed=seed)
    named = ", ".join(one.column for one in measured.findings if one.verdict == "quarantined")
    cells = {key: _Cell.of(p, later.label, blocks) for key, p in measured.p.items()}
    PAGE.write_text(_page(measured, cells, _Cell.of(measured.naive, later.label, blocks), named), encoding="utf-8")
    yield Figure(
        name="families/day_one_final_stage",
        value="named" if "stage" in named.split(", ") else "not named",
        goal="named",
        protocol="search for leaks among today's values of a demo company without history, on its first day; "
        f"quarantined: {named}",
    )
    for days in DAYS:
        own, kept = cells[days, False], cells[days, True]
        difference = paired_interval(auc, later.label, measured.p[days, False], measured.p[days, True], blocks)
        yield Figure(
            name=f"families/day_one_auc_{days}",
            value=own.auc.value,
            low=own.auc.low,
            high=own.auc.high,
            baseline=kept.auc.value,
            protocol=f"{_PROTOCOL}; model of day {days}, {measured.n_rows[days, False]:,} rows; {_tested(later)}; "
            f"difference to the same company with its past {difference.low:+.3f} to {difference.high:+.3f}",
        )
        yield Figure(
            name=f"families/day_one_ece_{days}",
            value=own.ece.value,
            low=own.ece.low,
            high=own.ece.high,
            baseline=kept.ece.value,
            protocol=f"{_PROTOCOL}; model of day {days}, not recalibrated; ten bins of equal mass, debiased",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    auc: Interval
    ece: Interval

    @classmethod
    def of(cls, p: Floats, y: Floats, blocks: Blocks) -> _Cell:
        return cls(auc=interval(auc, y, p, blocks), ece=interval(ece, y, p, blocks))

    def shown(self) -> str:
        found = (f"{each.value:.3f} ({each.low:.3f} to {each.high:.3f})" for each in (self.auc, self.ece))
        return " | ".join(found)


def _tested(later: Later) -> str:
    n_deals = len(set(later.without.entity_id.tolist()))
    return f"{len(later.label):,} weekly rows of {n_deals} later deals, {later.label.mean():.0%} won in time"


def _called(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"


def _page(measured: Measured, cells: Mapping[tuple[int, bool], _Cell], naive: _Cell, named: str) -> str:
    lines = [
        "# Day one",
        "",
        "<!-- written by `make results`; change benchmarks/day_one.py instead -->",
        "",
        "A company that exports today's values has no history: its closed deals show their final stage, amount and",
        "date, and nobody can say what they were while the deal was open. `salescast readiness` says `day one: current",
        "values only, no history`, and the model card names every field that was left out for it. From the first",
        "ingest on, every change is kept: the company's own history grows with each export, and the fields come back",
        "by themselves at the next training.",
        "",
        "What that is worth was measured for the win probability of the demo company (small), taken in week by week.",
        "Every model is judged on the same later deals: "
        f"{_tested(measured.later)}. In brackets 95 % intervals by account.",
        "",
        "| history since the first export | AUC without a past | ECE | AUC with the CRM's own past | ECE |",
        "|---|---|---|---|---|",
        *(f"| {_called(days)} | {cells[days, False].shown()} | {cells[days, True].shown()} |" for days in DAYS),
        "",
        "Had the first day's values been taken for those of the past, the search for leaks would have named",
        f"{named}: the final stage tells how a deal ended. Trained on regardless, the model of the first day has AUC",
        f"{naive.auc.value:.3f} on the later deals and says probabilities that are off by {naive.ece.value:.3f} on "
        "average; without those",
        f"values it is {cells[1, False].auc.value:.3f} and {cells[1, False].ece.value:.3f}.",
        "",
        "Lead score, churn risk and the next product rest on contacts, orders, usage and tickets, which are appended",
        "and dated, so that a first export already tells their past; they lose at most the owner and the account's",
        "own columns, which seldom change.",
        "",
    ]
    return "\n".join(lines)
