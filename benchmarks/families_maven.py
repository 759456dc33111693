"""The verdict on a pipeline that holds no signal: which deals are won cannot be told, and the training must say so."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure
from benchmarks.shared_data import taken_in
from crm.config import Config
from crm.store import Generation
from features.leakage import Finding
from features.leakage_record import find_leaks_of_record
from features.matrix import TrainingSet
from features.spine import build_spine
from features.training_set import build_training_set
from models.task import Folds, Gates, Label, Task
from models.train import fit_task

N_VERDICTS = 10
N_SHUFFLED = 3
NO_SIGNAL = "no signal"
# The whole question a deal at a time, asked once when it begins: the longest deal that ends at all takes 138 days.
TASK = Task(
    name="win_probability",
    question_en="Which opportunities will be won, as known when they begin?",
    question_zh="商机建立时，哪些会赢单？",
    entity="opportunities",
    needs=("opportunities",),
    uses=("accounts", "reps"),
    label=Label(
        event="won",
        events={"won": ("opportunities", "opportunity_id", "closed_at")},
        horizon_days=140,
        gap_days=0,
    ),
    feature_groups=("opportunity_profile", "opportunity_owner", "opportunity_account", "opportunity_season"),
    candidates=("base_rate", "logistic", "booster_small", "blend"),
    folds=Folds(n_origins=4, test_share=0.25, calibration_share=0.25),
    metrics=("log_loss", "auc"),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=200, min_closed=30),
)


def measure_maven(seed: int) -> Iterator[Figure]:
    """The verdict, with what the search for leaks named."""
    name = "families/maven_verdict"
    config = Config.model_validate({"company": {"currency": "USD", "time_zone": "America/New_York"}})
    with taken_in("maven_crm", config) as generation:
        if generation is None:
            yield Figure(name=name, value=None, goal=NO_SIGNAL)
            return
        rows = first_moments(generation, config)
        findings = find_leaks_of_record(generation, TASK.question, rows, config=config, seed=seed)
        rows = decided(generation, rows)
    said = [_verdict(rows, findings, seed + run) for run in range(N_VERDICTS)]
    shuffled = [_verdict(_shuffled(rows, [seed, run]), findings, seed + run) for run in range(N_SHUFFLED)]
    agreed, also = (sum(one.startswith(NO_SIGNAL) for one in each) for each in (said, shuffled))
    named = ", ".join(finding.column for finding in findings if finding.verdict == "quarantined")
    yield Figure(
        name=name,
        value=NO_SIGNAL if agreed == len(said) else f"{NO_SIGNAL} in {agreed} of {len(said)}",
        goal=NO_SIGNAL,
        protocol="every decided deal at the first midnight after it began, won or lost within 140 days, test: the "
        "newest 25 % with embargo; open deals are censored: two thirds of them name no account, which would "
        f"tell that they are open; left out as leaks: {named}; {agreed} of {len(said)} runs with other "
        f"seeds say so, and {also} of {len(shuffled)} on shuffled labels",
    )


def first_moments(generation: Generation, config: Config) -> TrainingSet:
    """One row a deal, at the first midnight after it began."""
    spine = build_spine(generation, TASK.question, zone=config.company.zone, seed=config.seed)
    _, first = np.unique(np.array(spine.column("entity_id").to_pylist(), dtype=np.str_), return_index=True)
    return build_training_set(generation, TASK.question, config=config, spine=spine.take(pa.array(first)))


def decided(generation: Generation, rows: TrainingSet) -> TrainingSet:
    """The same rows with what is still open at the end of the record censored."""
    deals = generation.read("opportunities", ["opportunity_id", "outcome"])
    ended = {
        name
        for name, outcome in zip(
            deals.column("opportunity_id").to_pylist(), deals.column("outcome").to_pylist(), strict=True
        )
        if outcome in ("won", "lost")
    }
    is_decided = np.array([name in ended for name in rows.entity_id.tolist()])
    return replace(rows, label=np.where(is_decided, rows.label, np.nan))


def _verdict(rows: TrainingSet, findings: Sequence[Finding], seed: int) -> str:
    report = fit_task(TASK, rows, seed=seed, findings=findings).report
    verdict = report.reason if report.status == "fallback" else f"{report.status} {report.learner}"
    print(f"maven: seed {seed}: {verdict}", file=sys.stderr)
    return verdict


def _shuffled(rows: TrainingSet, seed: list[int]) -> TrainingSet:
    label, known = rows.label.copy(), np.flatnonzero(np.isfinite(rows.label))
    label[known] = np.random.default_rng(seed).permutation(label[known])
    return replace(rows, label=label)
