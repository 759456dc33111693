"""Figures of the next product on a demo company that no model was built on."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from crm.config import Config
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.next_product import build_line_rows
from models.ranking import NAMES, POPULAR
from models.tasks.next_product import TASK
from models.train import fit_task


def measure_next_product(seed: int) -> Iterator[Figure]:
    """How often the first line is bought, beside popularity, and the AUC of the rows."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        write_company(make_company("small", seed), store)
        rows = build_line_rows(store.current(), TASK.question, config=Config())
    report = fit_task(TASK, rows, seed=seed).report
    print(f"next product: {report.status} {report.learner}", file=sys.stderr)
    protocol = (
        f"demo company small, unseen seed; customers x product lines, test: newest 25 % ({report.test_from} to "
        f"{report.test_to}) with embargo, bought within 180 days; interval by accounts"
    )
    metrics, intervals = report.metrics, report.intervals
    name = NAMES[0]
    less, more = intervals[f"{name}_minus_{POPULAR}"]
    yield Figure(
        name=f"families/next_product_{name}",
        value=metrics["test"][name],
        low=intervals[name][0],
        high=intervals[name][1],
        baseline=metrics[POPULAR][name],
        protocol=f"{protocol}; accounts that bought anything; baseline: popularity, difference {less:+.3f} to "
        f"{more:+.3f}; what was bought last {metrics['bought_last'][name]:.3f}",
    )
    yield Figure(
        name="families/next_product_auc",
        value=metrics["test"]["auc"],
        low=intervals["auc"][0],
        high=intervals["auc"][1],
        baseline=metrics["baseline"]["auc"],
        protocol=f"{protocol}; every row; learner {report.learner}; ECE {metrics['test']['ece']:.3f}",
    )
