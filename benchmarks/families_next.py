"""Figures of the next product, on a demo company that no model was built on and on a shop's orders."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.shared_data import taken_in
from crm.config import Config
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.matrix import TrainingSet
from features.next_product import build_line_rows
from models.ranking import BOUGHT_LAST, NAMES, POPULAR
from models.task import Task
from models.tasks.next_product import TASK
from models.train import fit_task

RETAIL_DAYS = 45


def measure_next_product(seed: int) -> Iterator[Figure]:
    """How often the first line is bought, beside the rules, and the AUC of the rows."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        write_company(make_company("small", seed), store)
        rows = build_line_rows(store.current(), TASK.question, config=Config())
    yield from _figures("next_product", rows, TASK, "demo company small, unseen seed; product lines", seed)
    yield from _retail(seed)


def _retail(seed: int) -> Iterator[Figure]:
    """The same on a shop's orders, which name products and no lines; nine months of them allow a shorter window."""
    config = Config.model_validate({"company": {"currency": "GBP", "time_zone": "Europe/London"}})
    task = replace(TASK, label=replace(TASK.label, horizon_days=RETAIL_DAYS))
    with taken_in("online_retail", config) as generation:
        if generation is None:
            for name in (NAMES[0], "auc"):
                yield Figure(name=f"families/next_product_retail_{name}", value=None)
            return
        rows = build_line_rows(generation, task.question, config=config)
    yield from _figures("next_product_retail", rows, task, "Online Retail; the 20 products with most buyers", seed)


def _figures(name: str, rows: TrainingSet, task: Task, data: str, seed: int) -> Iterator[Figure]:
    report = fit_task(task, rows, seed=seed).report
    print(f"{name}: {report.status} {report.learner}", file=sys.stderr)
    protocol = (
        f"{data}; customers x lines, test: newest 25 % ({report.test_from} to {report.test_to}) with embargo, bought "
        f"within {report.horizon_days} days; interval by accounts"
    )
    metrics, intervals = report.metrics, report.intervals
    hit = NAMES[0]
    against = "; ".join(
        f"{rule.replace('_', ' ')} {metrics[rule][hit]:.3f}, difference {low:+.3f} to {high:+.3f}"
        for rule in (POPULAR, BOUGHT_LAST)
        for low, high in [intervals[f"{hit}_minus_{rule}"]]
    )
    yield Figure(
        name=f"families/{name}_{hit}",
        value=metrics["test"][hit],
        low=intervals[hit][0],
        high=intervals[hit][1],
        baseline=max(metrics[rule][hit] for rule in (POPULAR, BOUGHT_LAST)),
        protocol=f"{protocol}; of the accounts that bought something; baseline: the better rule of {against}",
    )
    yield Figure(
        name=f"families/{name}_auc",
        value=metrics["test"]["auc"],
        low=intervals["auc"][0],
        high=intervals["auc"][1],
        baseline=metrics["baseline"]["auc"],
        protocol=f"{protocol}; every row; learner {report.learner}; ECE {metrics['test']['ece']:.3f}; popularity "
        f"{metrics[POPULAR]['auc']:.3f}",
    )
